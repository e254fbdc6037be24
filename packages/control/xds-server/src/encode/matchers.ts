import { create } from '@bufbuild/protobuf';
import type { RouteMatch as ModelMatch, StringMatch, ValueMatch } from '@tulle/model';
import {
  type HeaderMatcher,
  HeaderMatcherSchema,
  type QueryParameterMatcher,
  QueryParameterMatcherSchema,
  type RouteMatch,
  RouteMatchSchema,
} from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import { RegexMatcherSchema } from '@tulle/xds-proto/envoy/type/matcher/v3/regex';
import { type StringMatcher, StringMatcherSchema } from '@tulle/xds-proto/envoy/type/matcher/v3/string';

type TextMatch = Exclude<StringMatch, { readonly kind: 'present' }>;

export function encodeStringMatch(match: TextMatch): StringMatcher {
  const { kind, value } = match;
  const ignoreCase = match.ignoreCase ?? false;
  if (kind === 'regex') {
    // `ignore_case` has no effect on Envoy's safe_regex; the flag inside the pattern has, in RE2 everywhere.
    const regex = ignoreCase ? `(?i)${value}` : value;
    return create(StringMatcherSchema, { matchPattern: { case: 'safeRegex', value: { regex } } });
  }
  return create(StringMatcherSchema, { matchPattern: { case: kind, value }, ignoreCase });
}

export function encodeHeaderMatch({ name, match, invert }: ValueMatch): HeaderMatcher {
  return create(HeaderMatcherSchema, {
    name,
    invertMatch: invert ?? false,
    headerMatchSpecifier:
      match.kind === 'present'
        ? { case: 'presentMatch', value: true }
        : { case: 'stringMatch', value: encodeStringMatch(match) },
  });
}

/** Inversion has no field here; the route's metadata carries it ({@link invertedQuery}). */
export function encodeQueryMatch({ name, match }: ValueMatch): QueryParameterMatcher {
  return create(QueryParameterMatcherSchema, {
    name,
    queryParameterMatchSpecifier:
      match.kind === 'present'
        ? { case: 'presentMatch', value: true }
        : { case: 'stringMatch', value: encodeStringMatch(match) },
  });
}

/** Places of inverted query conditions. */
export function invertedQuery(match: ModelMatch): number[] | undefined {
  const places = (match.query ?? []).flatMap((one, place) => (one.invert === true ? [place] : []));
  return places.length === 0 ? undefined : places;
}

export function encodeRouteMatch(match: ModelMatch): RouteMatch {
  const method: HeaderMatcher[] =
    match.method === undefined
      ? []
      : [encodeHeaderMatch({ name: ':method', match: { kind: 'exact', value: match.method } })];
  return create(RouteMatchSchema, {
    pathSpecifier: pathSpecifier(match),
    headers: [...method, ...(match.headers ?? []).map(encodeHeaderMatch)],
    queryParameters: (match.query ?? []).map(encodeQueryMatch),
    ...(match.grpc === true && { grpc: {} }),
  });
}

function pathSpecifier({ path: { kind, value } }: ModelMatch): RouteMatch['pathSpecifier'] {
  if (kind === 'exact') return { case: 'path', value };
  if (kind === 'bytes-prefix') return { case: 'prefix', value };
  if (kind === 'regex') return { case: 'safeRegex', value: create(RegexMatcherSchema, { regex: value }) };
  // Envoy forbids a slash at the end of path_separated_prefix; by Gateway API it means nothing there.
  const trimmed = value.endsWith('/') ? value.slice(0, -1) : value;
  return trimmed === '' ? { case: 'prefix', value: '/' } : { case: 'pathSeparatedPrefix', value: trimmed };
}
