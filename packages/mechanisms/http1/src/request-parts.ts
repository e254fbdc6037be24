import { TOKEN_LOWER } from '@tulle/fields';

/** Methods that pass by default: the registered ones that Node, Envoy and nginx know, and PURGE, NOTIFY and the like. */
export const KNOWN_METHODS: readonly string[] = Object.freeze([
  'GET',
  'POST',
  'PUT',
  'HEAD',
  'DELETE',
  'PATCH',
  'OPTIONS',
  'CONNECT',
  'TRACE',
  'QUERY',
  'ACL',
  'BIND',
  'CHECKOUT',
  'COPY',
  'LINK',
  'LOCK',
  'M-SEARCH',
  'MERGE',
  'MKACTIVITY',
  'MKCALENDAR',
  'MKCOL',
  'MOVE',
  'NOTIFY',
  'PROPFIND',
  'PROPPATCH',
  'PURGE',
  'REBIND',
  'REPORT',
  'SEARCH',
  'SUBSCRIBE',
  'UNBIND',
  'UNLINK',
  'UNLOCK',
  'UNSUBSCRIBE',
]);

const METHODS_BY_LENGTH: readonly (readonly string[])[] = Array.from({ length: 16 }, (_, length) =>
  KNOWN_METHODS.filter((method) => method.length === length),
);
const KNOWN: ReadonlySet<string> = new Set(KNOWN_METHODS);

/** The shared string of a known method in `bytes[start, end)`, undefined for any other token. Case matters (RFC 9110 §9.1). */
export function findMethod(bytes: Uint8Array, start: number, end: number): string | undefined {
  const size = end - start;
  const candidates = METHODS_BY_LENGTH[size];
  if (candidates === undefined) return undefined;
  next: for (const method of candidates) {
    for (let i = 0; i < size; i++) if (method.charCodeAt(i) !== bytes[start + i]) continue next;
    return method;
  }
  return undefined;
}

/** Whether `method` is a token. */
export function isValidMethod(method: string): boolean {
  if (KNOWN.has(method)) return true;
  for (let i = 0; i < method.length; i++) {
    const code = method.charCodeAt(i);
    if (code > 127 || TOKEN_LOWER[code] === 0) return false;
  }
  return method.length > 0;
}

/** Octet never stands in a request target. */
export const TARGET_NEVER = 0;
/** RFC 3986 pchar or `/`. */
export const TARGET_PLAIN = 1;
/** `[ ] |`: left bare by URL serialisers in path and query. */
export const TARGET_BARE = 2;
/** `\ ^ { }` and the backtick: left bare by URL serialisers in the query only. */
export const TARGET_BARE_QUERY = 3;
export const TARGET_PERCENT = 4;
export const TARGET_QUERY = 5;

/** Class of each octet in a request target (RFC 3986 §3.3, §3.4; WHATWG URL, percent-encode sets). */
export const TARGET_CLASS: Uint8Array = targetClasses();

function targetClasses(): Uint8Array {
  const table = new Uint8Array(256);
  const put = (chars: string, kind: number): void => {
    for (const char of chars) table[char.charCodeAt(0)] = kind;
  };
  put("-._~!$&'()*+,;=:@/0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", TARGET_PLAIN);
  put('[]|', TARGET_BARE);
  put('\\^{}`', TARGET_BARE_QUERY);
  put('%', TARGET_PERCENT);
  put('?', TARGET_QUERY);
  return table;
}

const isHex = (code: number): boolean =>
  (code >= 48 && code <= 57) || (code >= 65 && code <= 70) || (code >= 97 && code <= 102);

/** How many hex digits follow the `%` at `at`: 2 make it valid. */
export function countEscapeDigits(bytes: Uint8Array, at: number, end: number): number {
  if (at + 1 >= end || !isHex(bytes[at + 1] as number)) return 0;
  return at + 2 < end && isHex(bytes[at + 2] as number) ? 2 : 1;
}

/**
 * Whether `target` may be sent with `method`: `/path?query`; `*` for OPTIONS; host:port for CONNECT.
 * @param strict only what RFC 3986 allows, see `Http1Limits.targetChars`
 */
export function isValidTarget(method: string, target: string, strict = false): boolean {
  if (method === 'CONNECT') return isValidAuthority(target) && /:\d+$/.test(target);
  if (target === '*') return method === 'OPTIONS';
  if (target.charCodeAt(0) !== 47) return false;
  let query = false;
  for (let i = 1; i < target.length; i++) {
    const code = target.charCodeAt(i);
    if (code > 126) return false;
    switch (TARGET_CLASS[code]) {
      case TARGET_PLAIN:
        break;
      case TARGET_BARE:
        if (strict) return false;
        break;
      case TARGET_BARE_QUERY:
        if (!query || strict) return false;
        break;
      case TARGET_QUERY:
        query = true;
        break;
      case TARGET_PERCENT:
        if ((!query || strict) && !(isHex(target.charCodeAt(i + 1)) && isHex(target.charCodeAt(i + 2))))
          return false;
        break;
      default:
        return false;
    }
  }
  return true;
}

/** 1 for octets of a registered name (RFC 3986 §3.2.2), without the comma: two hosts joined by one are no host. */
const HOST_CHAR: Uint8Array = hostTable();

function hostTable(): Uint8Array {
  const table = new Uint8Array(128);
  for (const char of "-._~!$&'()*+;=0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
    table[char.charCodeAt(0)] = 1;
  return table;
}

/** Most characters of a host with port: DNS allows 253, IPv6 fewer. */
const MAX_AUTHORITY_CHARS = 512;

/** Whether `authority` is one host with an optional port: registered name, IPv4, or IPv6 in brackets; no user name, not empty. */
export function isValidAuthority(authority: string): boolean {
  const size = authority.length;
  if (size === 0 || size > MAX_AUTHORITY_CHARS) return false;
  let at = 0;
  if (authority.charCodeAt(0) === 91) {
    const close = authority.indexOf(']');
    if (close < 0 || !isIPv6(authority.slice(1, close))) return false;
    at = close + 1;
    if (at < size && authority.charCodeAt(at) !== 58) return false;
  } else {
    for (; at < size; at++) {
      const code = authority.charCodeAt(at);
      if (code === 58) break;
      if (code === 37) {
        if (!isHex(authority.charCodeAt(at + 1)) || !isHex(authority.charCodeAt(at + 2))) return false;
      } else if (code > 127 || HOST_CHAR[code] === 0) return false;
    }
    if (at === 0) return false;
  }
  return at === size || isPort(authority, at + 1);
}

/** Port digits from `at` to the end; RFC 3986 §3.2.3 lets them be empty. */
function isPort(authority: string, at: number): boolean {
  let port = 0;
  if (authority.length - at > 5) return false;
  for (; at < authority.length; at++) {
    const digit = authority.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return false;
    port = port * 10 + digit;
  }
  return port <= 65535;
}

/** RFC 4291 §2.2 text forms, without a zone. */
export function isIPv6(text: string): boolean {
  const gap = text.indexOf('::');
  if (gap >= 0 && text.indexOf('::', gap + 1) >= 0) return false;
  const count = (part: string, last: boolean): number => {
    if (part === '') return 0;
    let groups = 0;
    const pieces = part.split(':');
    for (const [index, piece] of pieces.entries()) {
      if (last && index === pieces.length - 1 && piece.includes('.')) {
        if (!isIPv4(piece)) return Number.NaN;
        groups += 2;
      } else if (/^[0-9a-f]{1,4}$/i.test(piece)) groups++;
      else return Number.NaN;
    }
    return groups;
  };
  if (gap < 0) return count(text, true) === 8;
  return count(text.slice(0, gap), false) + count(text.slice(gap + 2), true) <= 7;
}

const isIPv4 = (text: string): boolean =>
  /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.|$)){4}$/.test(text) && !text.endsWith('.');
