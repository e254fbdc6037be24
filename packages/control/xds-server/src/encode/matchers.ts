import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import type { HeaderMatch, RouteMatch as ModelMatch, StringMatch, ValueMatch } from '@tulle/model';
import { TypedExtensionConfigSchema } from '@tulle/xds-proto/envoy/config/core/v3/extension';
import {
  type HeaderMatcher,
  HeaderMatcherSchema,
  type QueryParameterMatcher,
  QueryParameterMatcherSchema,
  type RouteMatch,
  RouteMatch_ConnectMatcherSchema,
  RouteMatchSchema,
} from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import { UriTemplateMatchConfigSchema } from '@tulle/xds-proto/envoy/extensions/path/match/uri_template/v3/uri_template_match';
import { RegexMatcherSchema } from '@tulle/xds-proto/envoy/type/matcher/v3/regex';
import { type StringMatcher, StringMatcherSchema } from '@tulle/xds-proto/envoy/type/matcher/v3/string';
import { share } from './percent.ts';
import type { ClientRelease } from './form.ts';

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

export function encodeHeaderMatch({ name, match, invert }: Omit<HeaderMatch, 'absent'>): HeaderMatcher {
  return create(HeaderMatcherSchema, {
    name,
    invertMatch: invert ?? false,
    headerMatchSpecifier:
      match.kind === 'present'
        ? { case: 'presentMatch', value: true }
        : match.kind === 'range'
          ? { case: 'rangeMatch', value: { start: BigInt(match.from), end: BigInt(match.to) } }
          : { case: 'stringMatch', value: encodeStringMatch(match) },
  });
}

/**
 * Where the field is absent, Envoy lets no condition on its value hold, also none that is inverted, unless it is treated as
 * empty: that is what an inverted one of Tulle's comes to, where `''` does not fulfil it ({@link invertedHeaders}).
 */
export function encodeHeaderCondition(one: HeaderMatch, release: ClientRelease): HeaderMatcher {
  const encoded = encodeHeaderMatch(one);
  const { name, match, invert, absent } = one;
  const asEmpty = absent === 'empty' || (absent === undefined && invert === true);
  // A client of the release before takes absent fields for what fits an inverted condition, and knows no such field.
  encoded.treatMissingHeaderAsEmpty =
    release === 'this' && asEmpty && match.kind !== 'present' && !name.startsWith(':');
  return encoded;
}

/** Places of inverted header conditions whose pattern may fit `''`: what an absent field is there Envoy has no word for. */
export function invertedHeaders({ method, headers = [] }: ModelMatch): number[] | undefined {
  const first = method === undefined ? 0 : 1;
  const places = headers.flatMap(({ name, match, invert, absent }, place) =>
    invert === true &&
    absent === undefined &&
    !name.startsWith(':') &&
    (match.kind === 'regex' || ('value' in match && match.value === ''))
      ? [place + first]
      : [],
  );
  return places.length === 0 ? undefined : places;
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

/** What a cookie that is just there is: Envoy has no word for it. */
const ANY_VALUE: TextMatch = { kind: 'regex', value: '.*' };

export function encodeRouteMatch(match: ModelMatch, release: ClientRelease): RouteMatch {
  const { percent, provenPeer } = match;
  const method: HeaderMatcher[] =
    match.method === undefined
      ? []
      : [encodeHeaderMatch({ name: ':method', match: { kind: 'exact', value: match.method } })];
  return create(RouteMatchSchema, {
    pathSpecifier: pathSpecifier(match),
    headers: [...method, ...(match.headers ?? []).map((one) => encodeHeaderCondition(one, release))],
    queryParameters: (match.query ?? []).map(encodeQueryMatch),
    cookies: (match.cookies ?? []).map(({ name, match: value, invert = false }) => ({
      name,
      stringMatch: encodeStringMatch(value.kind === 'present' ? ANY_VALUE : value),
      invertMatch: invert,
    })),
    ...(match.grpc === true && { grpc: {} }),
    ...(match.path.ignoreCase === true && { caseSensitive: false }),
    ...(percent !== undefined && { runtimeFraction: { defaultValue: share(percent) } }),
    ...(provenPeer !== undefined && {
      tlsContext: provenPeer ? { presented: true, validated: true } : { presented: false },
    }),
  });
}

function pathSpecifier({ path: { kind, value } }: ModelMatch): RouteMatch['pathSpecifier'] {
  if (kind === 'exact') return { case: 'path', value };
  if (kind === 'connect') return { case: 'connectMatcher', value: create(RouteMatch_ConnectMatcherSchema) };
  if (kind === 'template')
    return {
      case: 'pathMatchPolicy',
      value: create(TypedExtensionConfigSchema, {
        name: 'envoy.path.match.uri_template.uri_template_matcher',
        typedConfig: anyPack(
          UriTemplateMatchConfigSchema,
          create(UriTemplateMatchConfigSchema, { pathTemplate: value }),
        ),
      }),
    };
  if (kind === 'bytes-prefix') return { case: 'prefix', value };
  if (kind === 'regex') return { case: 'safeRegex', value: create(RegexMatcherSchema, { regex: value }) };
  // Envoy forbids a slash at the end of path_separated_prefix; by Gateway API it means nothing there.
  const trimmed = value.endsWith('/') ? value.slice(0, -1) : value;
  return trimmed === '' ? { case: 'prefix', value: '/' } : { case: 'pathSeparatedPrefix', value: trimmed };
}
