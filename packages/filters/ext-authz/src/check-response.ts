import type { NameTest } from '@tulle/match';
import {
  HeaderValueOption_HeaderAppendAction,
  type HeaderValueOption,
} from './gen/envoy/config/core/v3/base_pb.js';
import type { CheckResponse } from './gen/envoy/service/auth/v3/external_auth_pb.js';
import { isCarried, isEditable, isValidField } from './fields.ts';
import { failed, NO_EDITS, type HeaderEdit, type Outcome } from './outcome.ts';

/** As in HTTP, so that one answer means the same over both. */
const MAX_BODY_LENGTH = 65_536;

/**
 * What an answer means. It must say OK or something else, and its parts must agree with that: an empty message, or one that
 * contradicts itself, is no answer.
 */
export function readCheckResponse({ status, httpResponse, dynamicMetadata }: CheckResponse): Outcome {
  const { case: kind } = httpResponse;
  const allowed = status === undefined ? kind === 'okResponse' : status.code === 0;
  // Its own status, headers and body are for who is told of the failure in Envoy; here failureMode and statusOnError say that.
  if (kind === 'errorResponse') return failed('status', 'the service says that it failed itself');
  if (status === undefined && kind === undefined) return failed('invalid', 'the answer says nothing');
  if (allowed) {
    if (kind === 'deniedResponse') return failed('invalid', 'the answer has status OK and a refusal');
    if (kind === undefined) return { kind: 'allowed', ...NO_EDITS, metadata: dynamicMetadata };
    const { value } = httpResponse;
    const edits = headerEdits(value.headers, isEditable);
    const responseEdits = headerEdits(value.responseHeadersToAdd, isCarried);
    if (edits === undefined || responseEdits === undefined) return badHeaders();
    return {
      kind: 'allowed',
      remove: value.headersToRemove.map((name) => name.toLowerCase()).filter(isEditable),
      edits,
      removeQuery: value.queryParametersToRemove,
      setQuery: value.queryParametersToSet.map((one) => [one.key, one.value] as const),
      metadata: dynamicMetadata,
      responseEdits,
    };
  }
  if (kind !== 'deniedResponse') return { kind: 'denied', status: 403, headers: [], body: '' };
  const { value } = httpResponse;
  const code = value.status?.code ?? 0;
  const edits = headerEdits(value.headers, isCarried);
  if (edits === undefined) return badHeaders();
  if (code !== 0 && !(code >= 200 && code <= 599))
    return failed('invalid', `the refusal has status ${String(code)}`);
  if (value.body.length > MAX_BODY_LENGTH)
    return failed('invalid', `the refusal's body is longer than ${MAX_BODY_LENGTH}`);
  return {
    kind: 'denied',
    status: code === 0 ? 403 : code,
    headers: edits.flatMap(({ name, value: text }) => [name, text]),
    body: value.body,
  };
}

function badHeaders(): Outcome {
  return failed('invalid', 'the answer has a header that is no valid HTTP');
}

/** @returns `undefined` when one cannot be written; those that may not be set are left out */
function headerEdits(
  options: readonly HeaderValueOption[],
  may: NameTest,
): readonly HeaderEdit[] | undefined {
  const edits: HeaderEdit[] = [];
  for (const option of options) {
    const name = (option.header?.key ?? '').toLowerCase();
    const value = textOf(option);
    if (name.startsWith(':')) continue;
    if (!isValidField(name, value)) return undefined;
    if (may(name)) edits.push({ name, value, how: howOf(option) });
  }
  return edits;
}

/** Texts are UTF-8 on the wire, and so they stand in the field. */
function textOf({ header }: HeaderValueOption): string {
  if (header === undefined) return '';
  const bytes = header.rawValue.length > 0 ? Buffer.from(header.rawValue) : Buffer.from(header.value, 'utf8');
  return bytes.toString('latin1');
}

function howOf({ append, appendAction }: HeaderValueOption): HeaderEdit['how'] {
  // Here a header replaces unless it says otherwise (external_auth.proto), unlike elsewhere in Envoy's API.
  if (append === true) return 'append';
  switch (appendAction) {
    case HeaderValueOption_HeaderAppendAction.ADD_IF_ABSENT:
      return 'add-if-absent';
    case HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS:
      return 'set-if-present';
    default:
      return 'set';
  }
}
