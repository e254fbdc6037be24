import { findInvalidName, findInvalidValue } from '@tulle/fields';
import type { MutableHeaders } from '@tulle/filter';
import { compileStringMatch, type CompileContext, type NameTest } from '@tulle/match';
import type { ExtProcMutationRules } from '@tulle/model';
import type { HeaderValue } from './gen/envoy/config/core/v3/base_pb.js';
import type { HeaderMutation } from './gen/envoy/service/ext_proc/v3/external_processor_pb.js';

/** Fields of framing and of one hop belong to a connection (RFC 9110 §7.6.1); those of Tulle are between its proxies. */
const NEVER: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
const ROUTING: ReadonlySet<string> = new Set(['host', ':authority', ':scheme', ':method']);

/** Compiles the rules of what may be changed, as Envoy's: a name, lower case. @param path JSON pointer of the rules */
export function compileRules(rules: ExtProcMutationRules, context: CompileContext, path: string): NameTest {
  const pattern = (value: string | undefined, field: string): NameTest | undefined =>
    value === undefined
      ? undefined
      : compileStringMatch({ kind: 'regex', value }, context, `${path}/${field}`);
  const disallowed = pattern(rules.disallowPattern, 'disallowPattern');
  const allowed = pattern(rules.allowPattern, 'allowPattern');
  const { allowRouting = false, allowEnvoy = false, disallowSystem = false, disallowAll = false } = rules;
  return (name) => {
    if (NEVER.has(name) || name.startsWith('x-tulle-')) return false;
    if (disallowed?.(name) === true) return false;
    if (allowed?.(name) === true) return true;
    if (disallowAll) return false;
    if (disallowSystem && name.startsWith(':')) return false;
    if (!allowRouting && ROUTING.has(name)) return false;
    return allowEnvoy || !name.startsWith('x-envoy');
  };
}

/** Where pseudo-headers are put. @returns false where it cannot be */
export type PutPseudo = (name: string, value: string) => boolean;

/** What came of changes. */
export interface Applied {
  /** Changes that the rules, or HTTP, do not allow; they are left out. */
  readonly rejected: number;
}

/** Changes fields as the service says: first what goes, then what comes. */
export function applyMutation(
  { removeHeaders, setHeaders }: HeaderMutation,
  fields: MutableHeaders,
  may: NameTest,
  putPseudo: PutPseudo,
): Applied {
  let rejected = 0;
  for (const given of removeHeaders) {
    const name = given.toLowerCase();
    if (name.startsWith(':') || name === 'host' || !may(name)) rejected++;
    else fields.remove(name);
  }
  for (const option of setHeaders) {
    const name = (option.header?.key ?? '').toLowerCase();
    const value = valueOf(option.header);
    const pseudo = name.startsWith(':') || name === 'host';
    if (!may(name) || findInvalidValue(value) >= 0 || (!pseudo && findInvalidName(name) >= 0)) rejected++;
    else if (pseudo) rejected += putPseudo(name, value) ? 0 : 1;
    // Envoy 1.40 goes by the older field alone here: `append_action`, whatever it says, replaces.
    else if (option.append === true) fields.append(name, value);
    else fields.set(name, value);
  }
  return { rejected };
}

/** Octets of a field. */
export function valueOf(header: HeaderValue | undefined): string {
  if (header === undefined) return '';
  const bytes = header.rawValue.length > 0 ? Buffer.from(header.rawValue) : Buffer.from(header.value, 'utf8');
  return bytes.toString('latin1');
}
