import type { StringMatch } from '@tulle/model';
import { need } from '../inexpressible.ts';

/**
 * Patterns of authorization rules as RE2, and their parts. Tulle compares a path in every reading that an origin may take
 * it in (`certain`: all must match, what an ALLOW needs; `possible`: one is enough for a DENY); Envoy compares it once, so
 * the readings are in the pattern. `@tulle/xds-client` reads these back; its property test proves the two equal.
 */
type TextMatch = Exclude<StringMatch, { readonly kind: 'present' }>;

/** One slash or several, and path parameters of an empty segment. */
const SEPARATOR = '(?:/(?:;[^/]*)?)+';
/** What some origins cut off a segment: dots and blanks at its end, path parameters. */
const JUNK = '(?:\\.|%20|%09)*(?:(?:;|%3[Bb])[^/]*)?';
/** What some origins cut off a path: slashes, and from an escaped fragment, query or NUL on. */
const TAIL = '(?:/(?:;[^/]*)?)*(?:%(?:23|3[Ff]|00).*)?';
/** Characters of a path from which no origin cuts anything off. */
const WHOLE = '(?:[^;%]|%(?:0[^0]|2[^3]|3[^BbFf]|[^023].))*';
const CASELESS = '(?i)';

/** Text as it is. RE2 has no escape for the end of its quotation. */
export function quoted(text: string): string {
  need(text !== '' && !text.includes('\\') && !/[\r\n\0]/.test(text));
  return `\\Q${text}\\E`;
}

/** The same pattern with each character escaped by itself. */
export function unquoted(match: TextMatch): TextMatch {
  if (match.kind !== 'regex') return match;
  const value = match.value.replaceAll(/\\Q(.*?)\\E/g, (_, text: string) =>
    text.replaceAll(/[.*+?^${}()|[\]]/g, '\\$&'),
  );
  return { ...match, value };
}

/** `*`, `/exact`, `/prefix*`, `*suffix`, as Tulle writes them. */
export function encodePath(pattern: unknown, certain: boolean): TextMatch {
  need(typeof pattern === 'string' && pattern !== '');
  if (pattern === '*') return { kind: 'regex', value: '.*' };
  const [starts, ends] = [pattern.startsWith('*'), pattern.endsWith('*')];
  need(!(starts && ends) && (starts || pattern.startsWith('/')));
  const text = starts ? pattern.slice(1) : ends ? pattern.slice(0, -1) : pattern;
  // Characters that may be spelled in one way only, and no name that an origin would shorten.
  need((certain ? /^[\w~!$&'()+,=:@/.-]+$/ : /^[\w~/.-]+$/).test(text));
  need(!text.includes('//') && !text.split('/').some((segment) => segment.endsWith('.')));
  return certain ? certainPath(text, starts, ends) : possiblePath(text, starts, ends);
}

/** {@link encodePath} for a server that finds a method by its exact path: other spellings reach nothing. */
export function exactPath(pattern: unknown): TextMatch {
  need(typeof pattern === 'string' && pattern !== '');
  if (pattern === '*') return { kind: 'regex', value: '.*' };
  const [starts, ends] = [pattern.startsWith('*'), pattern.endsWith('*')];
  need(!(starts && ends) && (starts || pattern.startsWith('/')));
  if (starts) return { kind: 'suffix', value: pattern.slice(1) };
  return ends ? { kind: 'prefix', value: pattern.slice(0, -1) } : { kind: 'exact', value: pattern };
}

function certainPath(text: string, isSuffix: boolean, isPrefix: boolean): TextMatch {
  if (isSuffix) return { kind: 'regex', value: WHOLE + quoted(text) };
  return { kind: isPrefix ? 'prefix' : 'exact', value: text };
}

function possiblePath(text: string, isSuffix: boolean, isPrefix: boolean): TextMatch {
  const segments = text.split('/');
  const first = segments.shift() ?? '';
  const last = segments.pop() ?? '';
  const start = isSuffix ? `.*${first === '' ? '' : quoted(first) + JUNK}` : '';
  const middle = segments.map((segment) => SEPARATOR + quoted(segment) + JUNK).join('');
  if (isPrefix)
    return { kind: 'regex', value: `${CASELESS}${middle}${SEPARATOR}${last === '' ? '' : quoted(last)}.*` };
  // A last slash makes no difference; it is written so that it can be read back.
  const end = last === '' ? (text.endsWith('/') ? '/?' : '') : SEPARATOR + quoted(last) + JUNK;
  return { kind: 'regex', value: `${CASELESS}${start}${middle}${end}${TAIL}` };
}

/** `shop.example`, with a port or on any; `*.example`. Hosts have no case, and may end in a dot. */
export function encodeHost(pattern: unknown): TextMatch {
  need(typeof pattern === 'string');
  const [, star, host, port] =
    /^(\*\.)?([a-z0-9_-]+(?:\.[a-z0-9_-]+)*)(?::([1-9]\d{0,4}))?$/.exec(pattern) ?? [];
  need(host !== undefined);
  const name = star === undefined ? quoted(host) : `.+${quoted(`.${host}`)}`;
  return {
    kind: 'regex',
    value: `${CASELESS}${name}\\.?${port === undefined ? '(?::[0-9]+)?' : `:${port}`}`,
  };
}

/**
 * A condition on a header of which one line is enough, as in a DENY. Whether Envoy sees repeated lines one by one or as one
 * list depends on its version. That each line matches, as an ALLOW needs it, cannot be said.
 */
export function encodeHeaderValue(match: TextMatch): TextMatch {
  const { kind, value } = match;
  const ignoreCase = match.ignoreCase ?? false;
  need(kind !== 'regex' && value !== '' && !value.includes(',') && value.trim() === value);
  const text = quoted(value);
  const regex = (pattern: string): TextMatch => ({
    kind: 'regex',
    value: ignoreCase ? CASELESS + pattern : pattern,
  });
  const [before, after] = ['(?:.*,)?[ \\t]*', '[ \\t]*(?:,.*)?'];
  switch (kind) {
    case 'exact':
      return regex(before + text + after);
    case 'prefix':
      return regex(`${before}${text}.*`);
    case 'suffix':
      return regex(`.*${text}${after}`);
    case 'contains':
      return match;
  }
}

/** Trust domain and a slash: a wildcard may stand only after it. */
const ID_START = /^spiffe:\/\/[^/*]+\//;

/** `*` for any proven identity, an id, `…/*` for all below, `…/name*` for the rest of a segment. */
export function encodeIdentity(pattern: unknown): TextMatch {
  need(typeof pattern === 'string');
  if (pattern === '*') return { kind: 'prefix', value: 'spiffe://' };
  need(ID_START.test(pattern));
  if (!pattern.includes('*')) return { kind: 'exact', value: pattern };
  need(pattern.indexOf('*') === pattern.length - 1);
  const start = pattern.slice(0, -1);
  return start.endsWith('/')
    ? { kind: 'prefix', value: start }
    : { kind: 'regex', value: `${quoted(start)}[^/]*` };
}

export function encodeNamespace(namespace: unknown): TextMatch {
  need(typeof namespace === 'string' && !namespace.includes('/'));
  return { kind: 'regex', value: `spiffe://[^/]+/ns/${quoted(namespace)}/sa/[^/]+` };
}
