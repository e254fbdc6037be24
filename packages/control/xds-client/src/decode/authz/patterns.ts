import type { StringMatch } from '@tulle/model';

/**
 * Reads patterns of authorization rules back. Where Tulle's control plane writes a regex in which the readings of a path,
 * host or header are (`@tulle/xds-server` has the same pieces), it is taken apart again; a plain match of another control
 * plane is taken as it is, because Tulle looks at least as closely. Anything else is `undefined`.
 */
type TextMatch = Exclude<StringMatch, { readonly kind: 'present' }>;

const SEPARATOR = '(?:/(?:;[^/]*)?)+';
const JUNK = '(?:\\.|%20|%09)*(?:(?:;|%3[Bb])[^/]*)?';
const TAIL = '(?:/(?:;[^/]*)?)*(?:%(?:23|3[Ff]|00).*)?';
const WHOLE = '(?:[^;%]|%(?:0[^0]|2[^3]|3[^BbFf]|[^023].))*';

/** Reads a pattern from its start, piece by piece. */
class Pieces {
  rest: string;

  constructor(text: string) {
    this.rest = text;
  }

  take(piece: string): boolean {
    if (!this.rest.startsWith(piece)) return false;
    this.rest = this.rest.slice(piece.length);
    return true;
  }

  /** `\Q…\E` */
  quoted(): string | undefined {
    const [whole, text] = /^\\Q([^\\]+)\\E/.exec(this.rest) ?? [];
    if (whole === undefined) return undefined;
    this.rest = this.rest.slice(whole.length);
    return text;
  }

  /** Whether nothing but `piece` is left. */
  ends(piece: string): boolean {
    return this.rest === piece;
  }
}

/** @param certain whether the path must match beyond doubt, as in an ALLOW */
export function decodePath(match: TextMatch, certain: boolean): string | undefined {
  const { kind, value } = match;
  if (kind === 'regex') return certain ? certainSuffix(match) : possiblePath(match);
  // Written for one reading of the path; Tulle takes them all, so a DENY denies no less and an ALLOW allows no more.
  if ((certain && match.ignoreCase === true) || value.includes('*')) return undefined;
  if (kind === 'exact') return value;
  if (kind === 'prefix') return value === '' ? '*' : `${value}*`;
  return kind === 'suffix' && value !== '' ? `*${value}` : undefined;
}

function certainSuffix({ value, ignoreCase }: TextMatch): string | undefined {
  if (ignoreCase === true) return undefined;
  if (value === '.*') return '*';
  const pieces = new Pieces(value);
  if (!pieces.take(WHOLE)) return undefined;
  const text = pieces.quoted();
  return text !== undefined && pieces.ends('') ? `*${text}` : undefined;
}

function possiblePath({ value, ignoreCase }: TextMatch): string | undefined {
  if (value === '.*') return '*';
  if (ignoreCase !== true) return undefined;
  const pieces = new Pieces(value);
  let path = '';
  if (pieces.take('.*')) {
    path = '*';
    const first = pieces.quoted();
    if (first !== undefined) {
      path += first;
      if (!pieces.take(JUNK)) return undefined;
    }
  }
  for (;;) {
    if (pieces.ends(TAIL)) return path;
    if (pieces.ends(`/?${TAIL}`)) return `${path}/`;
    if (!pieces.take(SEPARATOR)) return undefined;
    path += '/';
    if (pieces.ends('.*')) return `${path}*`;
    const segment = pieces.quoted();
    if (segment === undefined) return undefined;
    path += segment;
    if (pieces.ends('.*')) return `${path}*`;
    if (!pieces.take(JUNK)) return undefined;
  }
}

export function decodeHost({ kind, value, ignoreCase }: TextMatch): string | undefined {
  if (kind !== 'regex' || ignoreCase !== true) return undefined;
  const pieces = new Pieces(value);
  const start = pieces.take('.+') ? '*' : '';
  const name = pieces.quoted();
  if (name === undefined || name.startsWith('.') !== (start === '*') || !pieces.take('\\.?'))
    return undefined;
  if (pieces.ends('(?::[0-9]+)?')) return start + name;
  return /^:[1-9][0-9]{0,4}$/.test(pieces.rest) ? start + name + pieces.rest : undefined;
}

/** A condition as it was before it was written for repeated lines; any other stays as it is. */
export function decodeHeaderValue(match: TextMatch): TextMatch {
  if (match.kind !== 'regex') return match;
  const [before, after] = ['(?:.*,)?[ \\t]*', '[ \\t]*(?:,.*)?'];
  return (
    plain(match, before, 'exact', after) ??
    plain(match, before, 'prefix', '.*') ??
    plain(match, '.*', 'suffix', after) ??
    match
  );
}

function plain(
  { value, ignoreCase }: TextMatch,
  before: string,
  kind: TextMatch['kind'],
  after: string,
): TextMatch | undefined {
  const pieces = new Pieces(value);
  if (!pieces.take(before)) return undefined;
  const text = pieces.quoted();
  if (text === undefined || !pieces.ends(after)) return undefined;
  return { kind, value: text, ...(ignoreCase === true && { ignoreCase }) };
}

/** An id, or a pattern of ids. */
export function decodeIdentity({ kind, value, ignoreCase }: TextMatch): string | undefined {
  if (ignoreCase === true) return undefined;
  if (kind === 'prefix') return value === 'spiffe://' ? '*' : value.endsWith('/') ? `${value}*` : undefined;
  if (kind === 'exact') return value.includes('*') ? undefined : value;
  const pieces = new Pieces(kind === 'regex' ? value : '');
  const start = pieces.quoted();
  return start !== undefined && pieces.ends('[^/]*') ? `${start}*` : undefined;
}

/** A namespace, by a pattern for all ids of it. */
export function decodeNamespace({ kind, value, ignoreCase }: TextMatch): string | undefined {
  const pieces = new Pieces(kind === 'regex' && ignoreCase !== true ? value : '');
  if (!pieces.take('spiffe://[^/]+/ns/')) return undefined;
  const name = pieces.quoted();
  return name !== undefined && pieces.ends('/sa/[^/]+') ? name : undefined;
}
