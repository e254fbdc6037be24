import type { Headers } from '@tulle/filter';
import type { HeaderMatch, RangeMatch, StringMatch, ValueMatch } from '@tulle/model';
import type { CompileContext } from './compile-context.ts';
import { cookieValue } from './cookie-value.ts';
import type { MatchView } from './view.ts';

/** A compiled condition on one string. */
export type StringTest = (value: string) => boolean;

/** Compiles a condition on a string. @param path JSON pointer of `match`, for issues */
export function compileStringMatch(
  match: StringMatch | RangeMatch,
  context: CompileContext,
  path: string,
): StringTest {
  if (match.kind === 'present') return () => true;
  if (match.kind === 'range') {
    const { from, to } = match;
    return (value) => {
      if (!/^[+-]?\d{1,19}$/.test(value)) return false;
      const number = Number(value);
      return number >= from && number < to;
    };
  }
  if (match.kind === 'regex') {
    const regex = context.regex(match.value, match.ignoreCase ?? false, `${path}/value`);
    return (value) => regex.test(value);
  }
  if (match.ignoreCase === true) {
    const test = compare(match.kind, match.value.toLowerCase());
    return (value) => test(value.toLowerCase());
  }
  return compare(match.kind, match.value);
}

function compare(kind: 'exact' | 'prefix' | 'suffix' | 'contains', wanted: string): StringTest {
  switch (kind) {
    case 'exact':
      return (value) => value === wanted;
    case 'prefix':
      return (value) => value.startsWith(wanted);
    case 'suffix':
      return (value) => value.endsWith(wanted);
    case 'contains':
      return (value) => value.includes(wanted);
  }
}

/** A compiled condition on a request's headers. */
export type HeadersTest = (headers: Headers) => boolean;

/**
 * Compiles a condition on a header: it holds when one of the field's lines matches; inverted, when none does (so also
 * when the field is absent, unless `absent` says otherwise). Lines are never joined.
 */
export function compileHeaderMatch(
  condition: HeaderMatch,
  context: CompileContext,
  path: string,
): HeadersTest {
  const name = condition.name.toLowerCase();
  const inverted = condition.invert === true;
  if (condition.match.kind === 'present') return (headers) => headers.has(name) !== inverted;
  const test = compileStringMatch(condition.match, context, `${path}/match`);
  const { absent } = condition;
  const whenAbsent = absent === undefined ? inverted : absent === 'empty' && test('') !== inverted;
  return (headers) => {
    let found = false;
    for (let index = 0; index < headers.length; index += 1) {
      if (headers.name(index) !== name) continue;
      if (test(headers.value(index))) return !inverted;
      found = true;
    }
    return found ? inverted : whenAbsent;
  };
}

/** A compiled condition on a request. */
export type RequestTest = (request: MatchView) => boolean;

/** What the pseudo-headers are in a request; each has one. `:path` has its query. */
const PSEUDO: Readonly<Record<string, (request: MatchView) => string>> = {
  ':method': ({ method }) => method,
  ':authority': ({ authority }) => authority,
  ':scheme': ({ scheme = 'http' }) => scheme,
  ':path': ({ path, query }) => (query === undefined ? path : `${path}?${query}`),
};

/** Compiles a condition of a route on a header or pseudo-header. */
export function compileRequestMatch(
  condition: HeaderMatch,
  context: CompileContext,
  path: string,
): RequestTest {
  if (!condition.name.startsWith(':')) {
    const test = compileHeaderMatch(condition, context, path);
    return ({ headers }) => test(headers);
  }
  const valueOf = Object.hasOwn(PSEUDO, condition.name) ? PSEUDO[condition.name] : undefined;
  if (valueOf === undefined) {
    context.issue(
      `${path}/name`,
      `${JSON.stringify(condition.name)} is no pseudo-header of requests; there is ${Object.keys(PSEUDO).join(', ')}`,
    );
    return () => false;
  }
  const test = compileStringMatch(condition.match, context, `${path}/match`);
  const inverted = condition.invert === true;
  return (request) => test(valueOf(request)) !== inverted;
}

/** A compiled condition on a query. */
export type QueryTest = (query: string | undefined) => boolean;

/**
 * Compiles a condition on a query parameter: on its first value, as it was sent (percent-escapes and `+` are not
 * decoded), as Envoy's `QueryParameterMatcher` does, so that one configuration means the same in both.
 */
export function compileQueryMatch(condition: ValueMatch, context: CompileContext, path: string): QueryTest {
  const test = compileStringMatch(condition.match, context, `${path}/match`);
  const inverted = condition.invert === true;
  return (query) => {
    const value = query === undefined ? undefined : firstQueryValue(query, condition.name);
    return (value !== undefined && test(value)) !== inverted;
  };
}

/** Compiles a condition on a cookie: on the first of its name, as Envoy's `CookieMatcher` does. Inverted, one that is absent fits too. */
export function compileCookieMatch(
  condition: ValueMatch,
  context: CompileContext,
  path: string,
): HeadersTest {
  const test = compileStringMatch(condition.match, context, `${path}/match`);
  const inverted = condition.invert === true;
  return (headers) => {
    const value = cookieValue(headers, condition.name);
    return (value !== undefined && test(value)) !== inverted;
  };
}

/** First value of a query parameter, not decoded; `''` for `name` without `=`; `undefined` when it is absent. */
export function firstQueryValue(query: string, name: string): string | undefined {
  for (let start = 0; start <= query.length;) {
    let end = query.indexOf('&', start);
    if (end === -1) end = query.length;
    if (query.startsWith(name, start)) {
      const after = start + name.length;
      if (after === end) return '';
      if (after < end && query.charCodeAt(after) === 0x3d) return query.slice(after + 1, end);
    }
    start = end + 1;
  }
  return undefined;
}
