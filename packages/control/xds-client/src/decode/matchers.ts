import type { PathMatch, RouteMatch as ModelMatch, StringMatch, ValueMatch } from '@tulle/model';
import type {
  HeaderMatcher,
  QueryParameterMatcher,
  RouteMatch,
} from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import type { StringMatcher } from '@tulle/xds-proto/envoy/type/matcher/v3/string';
import type { DecodeContext } from './context.ts';
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

/** A header condition with what stands for the specifier; the deprecated forms say what `string_match` says. */
export function decodeHeaderMatch(context: DecodeContext, matcher: HeaderMatcher, path: string): ValueMatch {
  const { name, headerMatchSpecifier: specifier, invertMatch } = matcher;
  if (name === '') context.refuse(`${path}.name`, 'is missing');
  let invert = invertMatch;
  let match: StringMatch = { kind: 'present' };
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
    case 'rangeMatch': // reported by the field walk
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

/** @param inverted places of inverted query conditions, from the route's metadata */
export function decodeRouteMatch(
  context: DecodeContext,
  match: RouteMatch | undefined,
  inverted: readonly unknown[],
  path: string,
): ModelMatch {
  if (!match) {
    context.refuse(path, 'is missing');
    return { path: { kind: 'prefix', value: '/' } };
  }
  if (match.caseSensitive === false)
    context.refuse(`${path}.case_sensitive`, 'must be true; this proxy compares paths as they are');
  let method: string | undefined;
  const headers: ValueMatch[] = [];
  for (const [index, matcher] of match.headers.entries()) {
    const here = `${path}.headers[${index}]`;
    const one = decodeHeaderMatch(context, matcher, here);
    if (!one.name.startsWith(':')) headers.push(one);
    else if (
      one.name === ':method' &&
      one.match.kind === 'exact' &&
      !one.match.ignoreCase &&
      !one.invert &&
      method === undefined
    )
      method = one.match.value;
    else
      context.refuse(
        here,
        `of pseudo-headers only one exact :method can be matched, not ${one.name} like this`,
      );
  }
  const query = match.queryParameters.map((matcher, index) =>
    decodeQueryMatch(context, matcher, inverted.includes(index), `${path}.query_parameters[${index}]`),
  );
  return present({
    path: decodePath(context, match, path),
    method,
    headers: filled(headers),
    query: filled(query),
    grpc: match.grpc === undefined ? undefined : true,
  });
}

function decodePath(context: DecodeContext, { pathSpecifier }: RouteMatch, path: string): PathMatch {
  switch (pathSpecifier.case) {
    case 'path':
      return { kind: 'exact', value: pathSpecifier.value };
    case 'pathSeparatedPrefix':
      return { kind: 'prefix', value: pathSpecifier.value };
    case 'prefix': // of the root, both kinds of prefix are the same
      return { kind: pathSpecifier.value === '/' ? 'prefix' : 'bytes-prefix', value: pathSpecifier.value };
    case 'safeRegex':
      return { kind: 'regex', value: pathSpecifier.value.regex };
    case 'connectMatcher': // reported by the field walk
    case 'pathMatchPolicy':
      break;
    case undefined:
      context.refuse(path, 'names no path: give path, prefix, path_separated_prefix or safe_regex');
  }
  return { kind: 'prefix', value: '/' };
}
