import { knownNameId, LAST_FRAMING, TOKEN_LOWER, type FieldTable } from '@tulle/fields';
import type { Http1Rule } from './faults.ts';

/** Reads Content-Length: 1 to 16 digits (RFC 9112 §6.2). @returns the length, -1 when malformed, -2 above 2^53-1 */
export function readLength(bytes: Uint8Array, start: number, end: number): number {
  if (start === end) return -1;
  let length = 0;
  for (let at = start; at < end; at++) {
    const digit = (bytes[at] as number) - 48;
    if (digit < 0 || digit > 9) return -1;
    length = length * 10 + digit;
  }
  return length <= Number.MAX_SAFE_INTEGER && end - start <= 16 ? length : -2;
}

/** Codings that are registered, so that naming one before chunked is honest, only not implemented here. */
const OTHER_CODINGS = /^(?:(?:x-)?(?:gzip|compress)|deflate)$/;

/** Accepts exactly `chunked`, in any case (RFC 9112 §7). */
export function readCoding(bytes: Buffer, start: number, end: number): Http1Rule | undefined {
  if (isToken(bytes, start, end, 'chunked')) return undefined;
  const codings = bytes.latin1Slice(start, end).toLowerCase().split(',').map((coding) => coding.trim());
  return codings.length > 1 && codings.length <= 4 && codings.pop() === 'chunked' && codings.every((coding) => OTHER_CODINGS.test(coding))
    ? 'coding-unknown' : 'coding';
}

/** Names that Connection may list besides its own options; stripping costs one pass over the table for each. */
const MAX_CONNECTION_NAMES = 16;

/**
 * Reads a Connection line: a list of tokens, empty elements allowed (RFC 9110 §5.6.1.2).
 * Names other than `close`, `keep-alive` and `upgrade` are added to `names` in lower case.
 * @returns 1 for close, 2 for keep-alive, 4 for upgrade, added up; -1 when it is no list of tokens
 */
export function readConnection(bytes: Buffer, start: number, end: number, names: string[]): number {
  let found = 0;
  let at = start;
  while (at < end) {
    while (at < end && (bytes[at] === 32 || bytes[at] === 9 || bytes[at] === 44)) at++;
    const from = at;
    while (at < end && TOKEN_LOWER[bytes[at] as number] !== 0) at++;
    const to = at;
    while (at < end && (bytes[at] === 32 || bytes[at] === 9)) at++;
    if (at < end && bytes[at] !== 44) return -1;
    if (from === to) continue;
    if (isToken(bytes, from, to, 'close')) found |= 1;
    else if (isToken(bytes, from, to, 'keep-alive')) found |= 2;
    else if (isToken(bytes, from, to, 'upgrade')) found |= 4;
    else if (names.length >= MAX_CONNECTION_NAMES) return -1;
    else names.push(bytes.latin1Slice(from, to).toLowerCase());
  }
  return found;
}

/** Whether `bytes[start, end)` is `token` in any case. */
export function isToken(bytes: Uint8Array, start: number, end: number, token: string): boolean {
  if (end - start !== token.length) return false;
  for (let i = 0; i < token.length; i++) {
    if (TOKEN_LOWER[bytes[start + i] as number] !== token.charCodeAt(i)) return false;
  }
  return true;
}

const PROTOCOLS = /^[\t ]*[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:\/[!#$%&'*+\-.^_`|~0-9A-Za-z]+)?[\t ]*$/;

/** The protocols of an Upgrade value in lower case (RFC 9110 §7.8), undefined when it is no list of them. */
export function readProtocols(value: string): string[] | undefined {
  const protocols: string[] = [];
  for (const part of value.split(',')) {
    if (!PROTOCOLS.test(part)) return undefined;
    protocols.push(part.trim().toLowerCase());
  }
  return protocols;
}

/**
 * Removes what belongs to one hop (RFC 9110 §7.6.1): the framing fields but Host, and the fields that Connection names.
 * A known end-to-end field is never removed because Connection names it: that would let a client delete what the proxy
 * or the origin relies on. Add the proxy's own fields after this call, or name them.
 * @param connectionNames `head.connectionNames`
 * @param protectedNames further lower-case names that Connection cannot remove
 */
export function stripHopByHop(fields: FieldTable, connectionNames: readonly string[], protectedNames?: ReadonlySet<string>): void {
  fields.dropIds(2, LAST_FRAMING);
  for (let i = 0; i < connectionNames.length; i++) {
    const name = connectionNames[i] as string;
    if (knownNameId(name) === 0 && protectedNames?.has(name) !== true) fields.drop(name);
  }
}

