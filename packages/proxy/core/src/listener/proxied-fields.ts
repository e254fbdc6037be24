import type { MetadataValues } from '@tulle/filter';
import type { ProxyProtocol, ProxyTlvRule } from '@tulle/model';

/** A field of a header of the PROXY protocol beyond the addresses (§2.2.1 to 2.2.7). */
export interface Tlv {
  /** 0–255. */
  readonly type: number;
  readonly value: Buffer;
}

/** What a header said beyond the addresses, as far as its listener wants to know. */
export interface ProxiedFields {
  /** What endpoints may be told, in their order. */
  readonly passed: readonly Tlv[];
  /** What filters and logs of connections are told, by namespace and key. */
  readonly metadata: Readonly<Record<string, MetadataValues>> | undefined;
  /** The same where logs alone are told, by key. */
  readonly state: Readonly<Record<string, string>> | undefined;
}

/** Filter state that has {@link ProxiedFields.state} (Envoy). */
export const TLV_STATE = 'envoy.network.proxy_protocol.tlv';
/** Namespace of rules that name none (Envoy). */
const NAMESPACE = 'envoy.filters.listener.proxy_protocol';

/** Of a header of which nothing else is to be known. */
export const NO_FIELDS: ProxiedFields = Object.freeze({ passed: [], metadata: undefined, state: undefined });

/** @returns `undefined` where a field ends beyond them: the header is none (as Envoy takes it) */
export function readTlvs(bytes: Buffer): readonly Tlv[] | undefined {
  const tlvs: Tlv[] = [];
  for (let at = 0; at < bytes.length;) {
    if (at + 3 > bytes.length) return undefined;
    const end = at + 3 + bytes.readUInt16BE(at + 1);
    if (end > bytes.length) return undefined;
    tlvs.push({ type: bytes[at] as number, value: bytes.subarray(at + 3, end) });
    at = end;
  }
  return tlvs;
}

/** What is kept of a header, past the bytes that it came in. */
export function keepFields(
  tlvs: readonly Tlv[],
  { passesTlvs: passes, tlvs: rules = [], tlvsKeptIn: where = 'metadata' }: ProxyProtocol,
): ProxiedFields {
  const passed = tlvs
    .filter(({ type }) => passes === 'all' || passes?.includes(type) === true)
    .map(({ type, value }) => ({ type, value: Buffer.from(value) }));
  let state: Record<string, string> | undefined;
  let metadata: Record<string, Record<string, string>> | undefined;
  for (const { type, value } of tlvs) {
    // Of rules for one type the last holds; of fields of one type the first is metadata, the last is state (Envoy).
    const rule = rules.findLast((one) => one.type === type);
    if (rule === undefined) continue;
    if (where === 'filter-state') (state ??= bare())[rule.key] = textOf(value, rule);
    else {
      const values = ((metadata ??= bare())[rule.namespace ?? NAMESPACE] ??= bare<string>());
      values[rule.key] ??= textOf(value, rule);
    }
  }
  return { passed, metadata, state };
}

/** No key is one of the prototype's. */
function bare<T>(): Record<string, T> {
  return Object.create(null) as Record<string, T>;
}

function textOf(value: Buffer, { base64 = false }: ProxyTlvRule): string {
  return base64 ? value.toString('base64') : sanitized(value);
}

/** UTF-8, with `!` for each byte that is none (Envoy). */
function sanitized(value: Buffer): string {
  if (isUtf8(value)) return value.toString('utf8');
  let text = '';
  for (let at = 0; at < value.length;) {
    const one = value.subarray(at, at + sizeAt(value[at] as number));
    const whole = isUtf8(one);
    text += whole ? one.toString('utf8') : '!';
    at += whole ? one.length : 1;
  }
  return text;
}

/** Of the character that begins with the byte, as far as one does (RFC 3629 §3). */
function sizeAt(first: number): number {
  return first < 0xc2 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

function isUtf8(bytes: Buffer): boolean {
  return Buffer.from(bytes.toString('utf8'), 'utf8').equals(bytes);
}
