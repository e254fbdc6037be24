import type { Headers } from '@tulle/filter';
import type { StringMatch, ValueMatch } from '@tulle/model';
import type { CompileContext } from './compile-context.ts';

/** A compiled condition on one string. */
export type StringTest = (value: string) => boolean;

/** Compiles a condition on a string. @param path JSON pointer of `match`, for issues */
export function compileStringMatch(match: StringMatch, context: CompileContext, path: string): StringTest {
  if (match.kind === 'present') return () => true;
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
 * when the field is absent). Lines are never joined.
 */
export function compileHeaderMatch(
  condition: ValueMatch,
  context: CompileContext,
  path: string,
): HeadersTest {
  const name = condition.name.toLowerCase();
  const inverted = condition.invert === true;
  if (condition.match.kind === 'present') return (headers) => headers.has(name) !== inverted;
  const test = compileStringMatch(condition.match, context, `${path}/match`);
  return (headers) => {
    for (let index = 0; index < headers.length; index += 1) {
      if (headers.name(index) === name && test(headers.value(index))) return !inverted;
    }
    return inverted;
  };
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
