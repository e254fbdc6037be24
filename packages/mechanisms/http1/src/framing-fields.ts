import {
  FIELD_CONNECTION,
  FIELD_CONTENT_LENGTH,
  FIELD_TRANSFER_ENCODING,
  FIELD_UPGRADE,
  knownNameId,
  latin1Slice,
  LAST_FRAMING,
  TOKEN_LOWER,
  type FieldTable,
} from '@tulle/fields';
import type { Http1Rule } from './faults.ts';

/** Gathers what the framing fields of one head say (RFC 9112 §6, §9); the roles decide what that means. */
export class FramingReader {
  /** Content-Length, -1 without one. */
  length = -1;
  /** Whether Transfer-Encoding: chunked was there. */
  chunked = false;
  /** What Connection listed. */
  close = false;
  keepAlive = false;
  upgrade = false;
  /** Line of Upgrade, -1 without one. */
  upgradeLine = -1;
  #names: string[] = [];

  /** @param names filled with the other names that Connection lists */
  begin(names: string[]): void {
    this.length = -1;
    this.chunked = false;
    this.close = false;
    this.keepAlive = false;
    this.upgrade = false;
    this.upgradeLine = -1;
    this.#names = names;
  }

  /** Takes the value `bytes[start, end)` of the field with known-name number `id`. @returns the rule it breaks */
  read(id: number, bytes: Buffer, start: number, end: number, line: number): Http1Rule | undefined {
    switch (id) {
      case FIELD_CONTENT_LENGTH: {
        if (this.length >= 0) return 'length-repeated';
        const length = readLength(bytes, start, end);
        if (length < 0) return length === -2 ? 'length-overflow' : 'length';
        this.length = length;
        return undefined;
      }
      case FIELD_TRANSFER_ENCODING:
        if (this.chunked) return 'coding-repeated';
        this.chunked = true;
        return readCoding(bytes, start, end);
      case FIELD_CONNECTION: {
        const found = readConnection(bytes, start, end, this.#names);
        if (found < 0) return 'connection';
        if ((found & 1) !== 0) this.close = true;
        if ((found & 2) !== 0) this.keepAlive = true;
        if ((found & 4) !== 0) this.upgrade = true;
        return undefined;
      }
      case FIELD_UPGRADE:
        if (this.upgradeLine >= 0) return 'upgrade';
        this.upgradeLine = line;
        return undefined;
      default:
        return undefined;
    }
  }
}

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
  const codings = latin1Slice(bytes, start, end)
    .toLowerCase()
    .split(',')
    .map((coding) => coding.trim());
  return codings.length > 1 &&
    codings.length <= 4 &&
    codings.pop() === 'chunked' &&
    codings.every((coding) => OTHER_CODINGS.test(coding))
    ? 'coding-unknown'
    : 'coding';
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
    else names.push(latin1Slice(bytes, from, to).toLowerCase());
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
export function stripHopByHop(
  fields: FieldTable,
  connectionNames: readonly string[],
  protectedNames?: ReadonlySet<string>,
): void {
  fields.dropIds(2, LAST_FRAMING);
  for (let i = 0; i < connectionNames.length; i++) {
    const name = connectionNames[i] as string;
    if (knownNameId(name) === 0 && protectedNames?.has(name) !== true) fields.drop(name);
  }
}
