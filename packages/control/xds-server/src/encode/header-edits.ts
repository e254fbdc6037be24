import { create } from '@bufbuild/protobuf';
import type { HeaderEdits, HeaderValue } from '@tulle/model';
import {
  type HeaderValueOption,
  HeaderValueOption_HeaderAppendAction as AppendAction,
  HeaderValueOptionSchema,
} from '@tulle/xds-proto/envoy/config/core/v3/base';

export function encodeSet(field: HeaderValue): HeaderValueOption {
  return option(field, AppendAction.OVERWRITE_IF_EXISTS_OR_ADD);
}

export function encodeAdd(field: HeaderValue): HeaderValueOption {
  return option(field, AppendAction.APPEND_IF_EXISTS_OR_ADD);
}

/** Envoy removes first, then goes through the list: remove, set, add. */
export function encodeToAdd(edits: HeaderEdits | undefined): HeaderValueOption[] {
  return [...(edits?.set ?? []).map(encodeSet), ...(edits?.add ?? []).map(encodeAdd)];
}

function option({ name, value }: HeaderValue, appendAction: AppendAction): HeaderValueOption {
  // Values are octets as latin1 text; what is not ASCII must not turn into UTF-8 on the way.
  const header = isAscii(value)
    ? { key: name, value }
    : { key: name, rawValue: Buffer.from(value, 'latin1') };
  return create(HeaderValueOptionSchema, { header, appendAction, keepEmptyValue: value === '' });
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > 0x7f) return false;
  return true;
}
