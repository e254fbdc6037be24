import { isMessage } from '@bufbuild/protobuf';
import type { HeaderMatch, PathMatch, RouteMatch as ModelMatch, StringMatch, ValueMatch } from '@tulle/model';
import type {
  CookieMatcher,
  HeaderMatcher,
  QueryParameterMatcher,
  RouteMatch,
} from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import { UriTemplateMatchConfigSchema } from '@tulle/xds-proto/envoy/extensions/path/match/uri_template/v3/uri_template_match';
import type { StringMatcher } from '@tulle/xds-proto/envoy/type/matcher/v3/string';
import type { DecodeContext } from './context.ts';
import { percentOf } from './percent.ts';
import { filled, present } from './values.ts';

/** RE2's flag at the start of a pattern says the same as our `ignoreCase`. */
const CASELESS = '(?i)';

function regexMatch(regex: string): StringMatch {
  return regex.startsWith(CASELESS)
    ? { kind: 'regex', value: regex.slice(CASELESS.length), ignoreCase: true }
    : { kind: 'regex', value: regex };
}

export function decodeStringMatch(
  context: DecodeContext,
  matcher: StringMatcher | undefined,
  path: string,
): StringMatch {
  const pattern = matcher?.matchPattern;
  switch (pattern?.case) {
    case 'exact':
    case 'prefix':
    case 'suffix':
    case 'contains':
      return matcher?.ignoreCase === true
        ? { kind: pattern.case, value: pattern.value, ignoreCase: true }
        : { kind: pattern.case, value: pattern.value };
    case 'safeRegex':
      return regexMatch(pattern.value.regex);
    default:
      context.refuse(path, 'names no pattern: give exact, prefix, suffix, contains or safe_regex');
      return { kind: 'present' };
  }
}

/** A header condition of a filter, where nothing is said of what an absent field counts as. */
export function decodeHeaderMatch(context: DecodeContext, matcher: HeaderMatcher, path: string): ValueMatch {
  const { name, match, invert } = readHeaderMatch(context, matcher, path);
  if (matcher.treatMissingHeaderAsEmpty)
    context.refuse(`${path}.treat_missing_header_as_empty`, 'is honoured on routes only');
  if (match.kind !== 'range') return invert === true ? { name, match, invert } : { name, match };
  context.refuse(`${path}.range_match`, 'is honoured on routes only');
  return { name, match: { kind: 'present' } };
}

/**
 * A header condition of a route or retry policy. Where the field is absent Envoy lets no condition on its value hold, also none that is
 * inverted, unless it is treated as empty.
 * @param plain it is Tulle's own, for which an absent field fits an inverted condition whatever its pattern
 */
export function decodeHeaderCondition(
  context: DecodeContext,
  matcher: HeaderMatcher,
  plain: boolean,
  path: string,
): HeaderMatch {
  const one = readHeaderMatch(context, matcher, path);
  // Without a pattern a field that is treated as empty is there in every case, also where it must not be.
  if (matcher.treatMissingHeaderAsEmpty && one.match.kind === 'present')
    return { ...one, match: { kind: 'prefix', value: '' }, absent: 'empty' };
  if (one.match.kind === 'present' || one.name.startsWith(':')) return one;
  if (!matcher.treatMissingHeaderAsEmpty) return one.invert === true ? { ...one, absent: 'fails' } : one;
  return one.invert === true && (plain || neverEmpty(one.match)) ? one : { ...one, absent: 'empty' };
}

/** Whether a condition cannot hold for `''`; of a regex that is not known here. */
function neverEmpty(match: HeaderMatch['match']): boolean {
  return match.kind === 'range' || (match.kind !== 'regex' && match.kind !== 'present' && match.value !== '');
}

/** What stands for the specifier; the deprecated forms say what `string_match` says. */
function readHeaderMatch(context: DecodeContext, matcher: HeaderMatcher, path: string): HeaderMatch {
  const { name, headerMatchSpecifier: specifier, invertMatch } = matcher;
  if (name === '') context.refuse(`${path}.name`, 'is missing');
  let invert = invertMatch;
  let match: HeaderMatch['match'] = { kind: 'present' };
  switch (specifier.case) {
    case 'stringMatch':
      match = decodeStringMatch(context, specifier.value, `${path}.string_match`);
      break;
    case 'exactMatch':
      match = { kind: 'exact', value: specifier.value };
      break;
    case 'prefixMatch':
      match = { kind: 'prefix', value: specifier.value };
      break;
    case 'suffixMatch':
      match = { kind: 'suffix', value: specifier.value };
      break;
    case 'containsMatch':
      match = { kind: 'contains', value: specifier.value };
      break;
    case 'safeRegexMatch':
      match = regexMatch(specifier.value.regex);
      break;
    case 'presentMatch':
      if (!specifier.value) invert = !invert;
      break;
    case undefined: // present, by Envoy's rule
      break;
    case 'rangeMatch':
      match = { kind: 'range', from: Number(specifier.value.start), to: Number(specifier.value.end) };
      if (!Number.isSafeInteger(match.from) || !Number.isSafeInteger(match.to))
        context.refuse(`${path}.range_match`, 'must have bounds between -(2^53 - 1) and 2^53 - 1');
      break;
  }
  return invert ? { name, match, invert } : { name, match };
}

export function decodeQueryMatch(
  context: DecodeContext,
  matcher: QueryParameterMatcher,
  invert: boolean,
  path: string,
): ValueMatch {
  const { name, queryParameterMatchSpecifier: specifier } = matcher;
  if (name === '') context.refuse(`${path}.name`, 'is missing');
  let inverted = invert;
  let match: StringMatch = { kind: 'present' };
  if (specifier.case === 'stringMatch')
    match = decodeStringMatch(context, specifier.value, `${path}.string_match`);
  else if (specifier.case === 'presentMatch' && !specifier.value) inverted = !inverted;
  return inverted ? { name, match, invert: true } : { name, match };
}

function decodeCookieMatch(context: DecodeContext, matcher: CookieMatcher, path: string): ValueMatch {
  const { name, stringMatch, invertMatch } = matcher;
  if (name === '') context.refuse(`${path}.name`, 'is missing');
  const match = decodeStringMatch(context, stringMatch, `${path}.string_match`);
  return invertMatch ? { name, match, invert: true } : { name, match };
}

/** What a route's metadata says of its conditions: the places of those that Envoy's messages cannot tell from others. */
export interface MatchNotes {
  /** Query conditions that are inverted. */
  readonly query: readonly unknown[];
  /** Inverted header conditions that an absent field fits, whatever the pattern. */
  readonly headers: readonly unknown[];
  /** The route puts something in the place of the prefix that does not end with a slash. */
  readonly joinsWithoutSlash?: boolean;
}

/** A pseudo-header of requests. */
const PSEUDO: readonly string[] = [':method', ':authority', ':scheme', ':path'];

export function decodeRouteMatch(
  context: DecodeContext,
  match: RouteMatch | undefined,
  notes: MatchNotes,
  path: string,
): ModelMatch {
  if (!match) {
    context.refuse(path, 'is missing');
    return { path: { kind: 'prefix', value: '/' } };
  }
  let method: string | undefined;
  const headers: HeaderMatch[] = [];
  for (const [index, matcher] of match.headers.entries()) {
    const here = `${path}.headers[${index}]`;
    const one = decodeHeaderCondition(context, matcher, notes.headers.includes(index), here);
    if (method === undefined && isExactMethod(one)) method = one.match.value;
    else headers.push(one);
    if (one.name.startsWith(':') && !PSEUDO.includes(one.name))
      context.refuse(`${here}.name`, `must be a field or one of ${PSEUDO.join(', ')}`);
  }
  const query = match.queryParameters.map((matcher, index) =>
    decodeQueryMatch(context, matcher, notes.query.includes(index), `${path}.query_parameters[${index}]`),
  );
  return present({
    path: decodePath(context, match, notes.joinsWithoutSlash === true, path),
    method,
    headers: filled(headers),
    query: filled(query),
    cookies: filled(
      match.cookies.map((matcher, index) => decodeCookieMatch(context, matcher, `${path}.cookies[${index}]`)),
    ),
    grpc: match.grpc === undefined ? undefined : true,
    // A key of Envoy's runtime names nothing here, so its default holds.
    percent: match.runtimeFraction && percentOf(match.runtimeFraction.defaultValue),
    provenPeer: decodePeer(context, match, `${path}.tls_context`),
  });
}

function isExactMethod(
  one: HeaderMatch,
): one is HeaderMatch & { readonly match: { readonly value: string } } {
  const { name, match, invert } = one;
  return name === ':method' && match.kind === 'exact' && match.ignoreCase !== true && invert !== true;
}

/** A certificate that is shown here is verified, or the connection is refused. */
function decodePeer(context: DecodeContext, { tlsContext }: RouteMatch, path: string): boolean | undefined {
  if (tlsContext === undefined) return undefined;
  const { presented, validated } = tlsContext;
  if (presented !== undefined && validated !== undefined && presented !== validated)
    context.refuse(`${path}.validated`, 'must be equal to presented: what is not valid is not let in here');
  return presented ?? validated;
}

/** A condition of a filter, which knows less than a route. */
export function decodeFilterMatch(
  context: DecodeContext,
  match: RouteMatch | undefined,
  path: string,
): ModelMatch & { readonly headers?: readonly ValueMatch[] } {
  for (const [index, matcher] of (match?.headers ?? []).entries()) {
    const here = `${path}.headers[${index}]`;
    const { name, headerMatchSpecifier: chosen, treatMissingHeaderAsEmpty } = matcher;
    if (name.startsWith(':') && name !== ':method')
      context.refuse(here, `of pseudo-headers only one exact :method can be matched, not ${name} like this`);
    if (treatMissingHeaderAsEmpty)
      context.refuse(`${here}.treat_missing_header_as_empty`, 'is honoured on routes only');
    if (chosen.case === 'rangeMatch') context.refuse(`${here}.range_match`, 'is honoured on routes only');
  }
  if (match !== undefined && match.dynamicMetadata.length > 0)
    context.refuse(`${path}.dynamic_metadata`, 'is honoured on routes only');
  if (match !== undefined && match.filterState.length > 0)
    context.refuse(`${path}.filter_state`, 'is honoured on routes only');
  const { headers, ...decoded } = decodeRouteMatch(context, match, { query: [], headers: [] }, path);
  for (const [key, field] of [
    ['percent', 'runtime_fraction'],
    ['provenPeer', 'tls_context'],
    ['cookies', 'cookies'],
  ] as const)
    if (decoded[key] !== undefined) context.refuse(`${path}.${field}`, 'is honoured on routes only');
  const { kind, ignoreCase } = decoded.path;
  if (kind === 'template' || kind === 'connect' || ignoreCase === true)
    context.refuse(path, 'must be a path, prefix, path_separated_prefix or safe_regex, and case_sensitive');
  const plain = (headers ?? []).map(({ absent: _absent, ...one }) => one as ValueMatch);
  if (plain.some(({ name }) => name === ':method'))
    context.refuse(`${path}.headers`, 'can match one exact :method only');
  return { ...decoded, ...(plain.length > 0 && { headers: plain }) };
}

/** @param joinsWithoutSlash what takes the place of a prefix does not end with a slash, so that what follows it does not begin anew */
function decodePath(
  context: DecodeContext,
  match: RouteMatch,
  joinsWithoutSlash: boolean,
  path: string,
): PathMatch {
  const { pathSpecifier } = match;
  const anyCase = match.caseSensitive === false ? { ignoreCase: true } : {};
  switch (pathSpecifier.case) {
    case 'path':
      return { kind: 'exact', value: pathSpecifier.value, ...anyCase };
    case 'pathSeparatedPrefix':
      return { kind: 'prefix', value: pathSpecifier.value, ...anyCase };
    case 'prefix': // of the root, both kinds of prefix match the same
      return pathSpecifier.value === '/' && !joinsWithoutSlash
        ? { kind: 'prefix', value: '/' }
        : { kind: 'bytes-prefix', value: pathSpecifier.value, ...anyCase };
    case 'safeRegex': // in which case is the pattern's own matter (Envoy `RouteMatch.case_sensitive`)
      return { kind: 'regex', value: pathSpecifier.value.regex };
    case 'connectMatcher':
      return { kind: 'connect', value: '' };
    case 'pathMatchPolicy': {
      const here = `${path}.path_match_policy.typed_config`;
      const policy = context.open(pathSpecifier.value.typedConfig, here);
      if (policy && isMessage(policy, UriTemplateMatchConfigSchema))
        return { kind: 'template', value: policy.pathTemplate };
      if (policy) context.refuse(here, `${policy.$typeName} is no policy that matches paths`);
      break;
    }
    case undefined:
      context.refuse(path, 'names no path: give path, prefix, path_separated_prefix or safe_regex');
  }
  return { kind: 'prefix', value: '/' };
}
