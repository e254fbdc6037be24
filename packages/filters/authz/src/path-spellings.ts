/**
 * The readings of one path. The engine forwards one canonical spelling, but origins differ in what they take for the
 * same resource: some ignore case, path parameters (`;v=1`), escapes of reserved characters, a last slash, or dots and
 * blanks at the end of a segment (file systems of Windows), and some decode first and then cut a query, fragment or NUL
 * off. So a DENY compares every reading, and an ALLOW wants all of them to agree: in doubt the request is refused, either
 * way.
 */
export interface PathReadings {
  /** As it is sent on. */
  readonly literal: string;
  /** Without path parameters and what else is cut off; the same string when there is nothing. */
  readonly stripped: string;
  /** `literal` and `stripped` as the most lenient origin reads them: decoded, lower case. */
  readonly lenient: string;
  readonly lenientStripped: string;
}

/** Readings of the path asked for last: rules of one request ask again and again. Allocates nothing for usual paths. */
export class PathReader {
  literal = '';
  stripped = '';
  lenient = '';
  lenientStripped = '';

  read(path: string): PathReadings {
    if (path === this.literal) return this;
    this.literal = path;
    this.stripped = cutOff(path);
    this.lenient = lenientForm(path);
    this.lenientStripped = this.stripped === path ? this.lenient : lenientForm(this.stripped);
    return this;
  }
}

/** `/a;x/b%3By` → `/a/b`, `/a%3Fb` → `/a`, `/a./b%20` → `/a/b` */
function cutOff(path: string): string {
  if (!path.includes('%') && !path.includes(';') && !path.endsWith('.') && !path.includes('./')) return path;
  // Dot segments are gone by now: a dot before a slash ends a name.
  const stripped = path
    .replace(/%(?:23|3F|00).*$/, '')
    .replace(/(?:;|%3B)[^/]*/g, '')
    .replace(/(?:\.|%20|%09)+(?=\/|$)/g, '')
    .replace(/\/{2,}/g, '/');
  return stripped === '' ? '/' : stripped;
}

/** What the most lenient origin takes a path for. */
export function lenientForm(path: string): string {
  const decoded = path.includes('%')
    ? path.replace(/%([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    : path;
  return decoded.toLowerCase();
}

/** `/a/` → `/a`; the root stays. */
export function withoutLastSlash(path: string): string {
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}
