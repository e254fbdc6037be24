/**
 * Paths as policy. A proxy that judges one spelling and forwards another is no guard, so there is one canonical
 * spelling: it is judged, and it is sent on. Spellings that an origin might read differently from it are refused:
 *
 * - percent-escaped slashes, backslashes, NUL and other controls; a backslash or `#` as it stands
 * - `%` that is not followed by two hex digits, and escapes of escapes (`%252e`)
 * - overlong UTF-8 (`%C0%AF`)
 * - dot segments above the root, and dot segments with parameters (`/..;x/`)
 *
 * Everything else is rewritten into the canonical spelling (RFC 3986 §6.2.2): escaped unreserved characters decoded,
 * other escapes in upper case, characters that a path may not hold escaped, dot segments resolved, slashes merged.
 * `;parameters` stay where they are. Escaped reserved characters stay escaped: for some origins `%2B` is not `+`.
 */

/** Characters that stand for themselves in a path segment (RFC 3986 pchar), without `.` and `%`. */
const PLAIN = new Uint8Array(128);
/** RFC 3986 §2.3: an escape of one of these means the same as the character. */
const UNRESERVED = new Uint8Array(128);
for (const char of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_~') {
  PLAIN[char.charCodeAt(0)] = 1;
  UNRESERVED[char.charCodeAt(0)] = 1;
}
UNRESERVED[0x2e] = 1;
for (const char of "!$&'()*+,;=:@") PLAIN[char.charCodeAt(0)] = 1;

const SLASH = 0x2f;
const DOT = 0x2e;
const PERCENT = 0x25;

/**
 * The one spelling of a path that policy judges and the origin receives, or `''` when it has to be refused (400
 * `TULLE_PATH_REFUSED`). A path that is clean already comes back as it is, without allocation.
 * @param path latin1 string from the request target, without query; `*` stays
 */
export function normalizePath(path: string, slashes: EscapedSlashes = 'refuse'): string {
  if (isClean(path)) return path;
  return path === '*' ? path : rewrite(path, ignore, slashes);
}

/**
 * What escaped slashes and backslashes are. `refuse`: no path has them. `keep`: part of a segment, which is refused where
 * one beside a dot segment would lead an origin elsewhere that decodes it. `unescape`: slashes.
 */
export type EscapedSlashes = 'refuse' | 'keep' | 'unescape';

/** Whether a path has an escaped slash or backslash. */
export function hasEscapedSlashes(path: string): boolean {
  return path.includes('%') && /%(?:2f|5c)/i.test(path);
}

/** Why {@link normalizePath} refuses `path`, for details and log; `''` when it does not. */
export function explainPathRefusal(path: string, slashes: EscapedSlashes = 'refuse'): string {
  let reason = '';
  if (!isClean(path) && path !== '*')
    rewrite(
      path,
      (text) => {
        reason = text;
      },
      slashes,
    );
  return reason;
}

/**
 * The canonical spelling of a path that a person wrote into a configuration, where text beyond ASCII means its UTF-8
 * octets; `''` when no request with such a path is let through.
 */
export function normalizeConfiguredPath(path: string): string {
  // A lone surrogate is no text; encodeURIComponent would throw.
  if (!path.isWellFormed()) return '';
  return normalizePath(path.replace(/[\u0080-\uffff]+/g, encodeURIComponent));
}

/** Whether a canonical path has `;parameters` in a segment, or an escaped semicolon, which some origins decode first. */
export function hasPathParameters(path: string): boolean {
  return path.includes(';') || path.includes('%3B');
}

/**
 * A canonical path without the `;parameters` of its segments; what is left is canonical. `''` when a semicolon is
 * escaped: whether an origin counts it as part of the path cannot be told.
 */
export function stripPathParameters(path: string): string {
  if (path.includes('%3B')) return '';
  const segments = path.split('/').map((segment) => segment.split(';', 1)[0] as string);
  const kept = segments.filter((segment) => segment !== '');
  return `/${kept.join('/')}${segments.at(-1) === '' && kept.length > 0 ? '/' : ''}`;
}

const ignore = (): void => {};

function isClean(path: string): boolean {
  if (path.charCodeAt(0) !== SLASH) return false;
  let afterSlash = true;
  for (let index = 1; index < path.length; index += 1) {
    const code = path.charCodeAt(index);
    if (code < 128 && PLAIN[code] === 1) {
      afterSlash = false;
    } else if (code === SLASH) {
      if (afterSlash) return false;
      afterSlash = true;
    } else if (code === DOT) {
      if (afterSlash && mayEndDots(path, index + 1)) return false;
      afterSlash = false;
    } else {
      return false;
    }
  }
  return true;
}

/** Whether the segment that began with a dot may be a dot segment: look closer. */
function mayEndDots(path: string, index: number): boolean {
  const code = path.charCodeAt(index);
  return index === path.length || code === SLASH || code === DOT || code === 0x3b || code === PERCENT;
}

function rewrite(given: string, refuse: (reason: string) => void, slashes: EscapedSlashes): string {
  const path = slashes === 'unescape' ? given.replace(/%(?:2f|5c)/gi, '/') : given;
  const fault = firstFault(path, slashes === 'keep');
  if (fault !== '') {
    refuse(fault);
    return '';
  }
  const decoded = path.replace(/%[0-9A-Fa-f]{2}|[^!$&-;=@-Z_a-z~%]/g, respell);
  if (/%25[0-9A-Fa-f]{2}/.test(decoded)) return (refuse('an escape of an escape'), '');
  if (/%C[01]%[89AB]|%E0%[89]|%F0%8|%F[89A-F]%[89AB]/.test(decoded)) return (refuse('overlong UTF-8'), '');
  const kept: string[] = [];
  const segments = decoded.split('/');
  for (let index = 1; index < segments.length; index += 1) {
    const segment = segments[index] as string;
    if (/^\.\.?(?:;|%3B)/.test(segment)) return (refuse('a dot segment with parameters'), '');
    if (slashes === 'keep' && /(?:^|%2F|%5C)\.\.?(?:$|;|%3B|%2F|%5C)/.test(segment) && segment.includes('%'))
      return (refuse('a dot segment beside an escaped slash'), '');
    if (segment === '..' && kept.pop() === undefined) return (refuse('a dot segment above the root'), '');
    if (segment !== '' && segment !== '.' && segment !== '..') kept.push(segment);
  }
  const last = segments.at(-1) as string;
  const open = last === '' || last === '.' || last === '..';
  return `/${kept.join('/')}${open && kept.length > 0 ? '/' : ''}`;
}

/** What is wrong with the characters as they arrived. */
function firstFault(path: string, keepsSlashes: boolean): string {
  if (path.charCodeAt(0) !== SLASH) return 'a path that does not begin with a slash';
  for (let index = 0; index < path.length; index += 1) {
    const code = path.charCodeAt(index);
    if (code === PERCENT) {
      const octet = octetAt(path, index + 1);
      if (octet === -1) return 'a percent sign without two hex digits';
      if (!keepsSlashes && (octet === SLASH || octet === 0x5c)) return 'an escaped slash or backslash';
      if (octet < 0x20 || octet === 0x7f) return 'an escaped control character';
    } else if (code === 0x5c) {
      return 'a backslash';
    } else if (code <= 0x20 || code === 0x7f || code === 0x23 || code === 0x3f || code > 0xff) {
      return 'a character that no path may hold';
    }
  }
  return '';
}

/** Value of two hex digits at `index`, -1 when there are none. */
function octetAt(path: string, index: number): number {
  const high = hexDigit(path.charCodeAt(index));
  const low = hexDigit(path.charCodeAt(index + 1));
  return high === -1 || low === -1 ? -1 : high * 16 + low;
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** Canonical spelling of an escape, or of a character that has to be escaped. */
function respell(text: string): string {
  if (text.length === 1) {
    const code = text.charCodeAt(0);
    return code < 128 && (PLAIN[code] === 1 || code === SLASH || code === DOT) ? text : escapeOctet(code);
  }
  const octet = octetAt(text, 1);
  return octet < 128 && UNRESERVED[octet] === 1 ? String.fromCharCode(octet) : escapeOctet(octet);
}

function escapeOctet(octet: number): string {
  return `%${octet < 16 ? '0' : ''}${octet.toString(16).toUpperCase()}`;
}
