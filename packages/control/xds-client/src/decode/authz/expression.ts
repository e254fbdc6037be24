import { isMessage } from '@bufbuild/protobuf';
import type { AuthzExpression, AuthzMetadataTest, AuthzValueTest } from '@tulle/model';
import type { TypedExtensionConfig } from '@tulle/xds-proto/envoy/config/core/v3/extension';
import {
  MetadataSource,
  type Permission,
  type Policy,
  type Principal,
  type SourcedMetadata,
} from '@tulle/xds-proto/envoy/config/rbac/v3/rbac';
import { UriTemplateMatchConfigSchema } from '@tulle/xds-proto/envoy/extensions/path/match/uri_template/v3/uri_template_match';
import type { MetadataMatcher } from '@tulle/xds-proto/envoy/type/matcher/v3/metadata';
import type { PathMatcher } from '@tulle/xds-proto/envoy/type/matcher/v3/path';
import type { ValueMatcher } from '@tulle/xds-proto/envoy/type/matcher/v3/value';
import { decodeCidr } from '../address.ts';
import type { DecodeContext } from '../context.ts';
import { decodeHeaderMatch, decodeStringMatch } from '../matchers.ts';
import { decodeFilterStateMatch } from '../filter-state-match.ts';
import { decodeCondition } from './condition.ts';
import { uriTemplatePattern } from './uri-template.ts';

const NOBODY: AuthzExpression = { not: { any: true } };

/** Filters that write what a `metadata` matcher reads: a condition on others could never hold. */
export const METADATA_WRITERS: readonly string[] = [
  'envoy.filters.http.jwt_authn',
  'envoy.filters.http.ext_authz',
  'envoy.filters.http.rbac',
  'envoy.filters.http.fault',
];

/** Filters whose metadata conditions may be about; `anybody`: whoever says something of connections. */
type Writers = readonly string[] | 'anybody';

/**
 * A policy as it stands: one of its permissions and one of its principals, and its condition.
 * @param writers default those that write metadata of requests
 */
export function decodePolicyExpression(
  context: DecodeContext,
  policy: Policy,
  path: string,
  writers: Writers = METADATA_WRITERS,
): AuthzExpression {
  const { permissions, principals } = policy;
  const to = permissions.map((one, index) =>
    permission(context, one, `${path}.permissions[${index}]`, writers),
  );
  const from = principals.map((one, index) =>
    principal(context, one, `${path}.principals[${index}]`, writers),
  );
  if (to.length === 0) context.refuse(`${path}.permissions`, 'is empty');
  if (from.length === 0) context.refuse(`${path}.principals`, 'is empty');
  const condition = decodeCondition(context, policy, path);
  return { allOf: [oneOf(to), oneOf(from), ...(condition === undefined ? [] : [condition])] };
}

function oneOf(parts: readonly AuthzExpression[]): AuthzExpression {
  const [only, ...more] = parts;
  if (!only) return NOBODY;
  return more.length === 0 ? only : { anyOf: parts };
}

function permission(
  context: DecodeContext,
  { rule }: Permission,
  path: string,
  writers: Writers,
): AuthzExpression {
  switch (rule.case) {
    case 'andRules':
      return { allOf: set(context, rule.value.rules, permission, `${path}.and_rules.rules`, writers) };
    case 'orRules':
      return { anyOf: set(context, rule.value.rules, permission, `${path}.or_rules.rules`, writers) };
    case 'notRule':
      return { not: permission(context, rule.value, `${path}.not_rule`, writers) };
    case 'any':
      return anybody(context, rule.value, path);
    case 'header':
      return { header: decodeHeaderMatch(context, rule.value, `${path}.header`) };
    case 'urlPath':
      return { path: pathOf(context, rule.value, `${path}.url_path`) };
    case 'uriTemplate':
      return templateOf(context, rule.value, `${path}.uri_template`);
    case 'destinationIp':
      return { destination: decodeCidr(rule.value) };
    case 'destinationPort':
      return { ports: { first: rule.value, last: rule.value } };
    case 'destinationPortRange':
      // The end is not within (`type.v3.Int32Range`).
      if (rule.value.start < 0 || rule.value.end > 65_536 || rule.value.end <= rule.value.start)
        context.refuse(`${path}.destination_port_range`, 'must be 0 to 65536, its end above its start');
      return { ports: { first: Math.max(rule.value.start, 0), last: Math.min(rule.value.end - 1, 65_535) } };
    case 'metadata':
      return metadata(context, rule.value, `${path}.metadata`, writers);
    case 'sourcedMetadata':
      return sourced(context, rule.value, `${path}.sourced_metadata`, writers);
    case 'requestedServerName':
      return { serverName: decodeStringMatch(context, rule.value, `${path}.requested_server_name`) };
    default: // matcher is reported by the field walk
      if (rule.case === undefined) context.refuse(path, 'says nothing');
      return NOBODY;
  }
}

function principal(
  context: DecodeContext,
  { identifier }: Principal,
  path: string,
  writers: Writers,
): AuthzExpression {
  switch (identifier.case) {
    case 'andIds':
      return { allOf: set(context, identifier.value.ids, principal, `${path}.and_ids.ids`, writers) };
    case 'orIds':
      return { anyOf: set(context, identifier.value.ids, principal, `${path}.or_ids.ids`, writers) };
    case 'notId':
      return { not: principal(context, identifier.value, `${path}.not_id`, writers) };
    case 'any':
      return anybody(context, identifier.value, path);
    case 'authenticated': {
      const { principalName } = identifier.value;
      const here = `${path}.authenticated.principal_name`;
      if (!principalName) return { identity: { kind: 'present' } };
      const identity = decodeStringMatch(context, principalName, here);
      // A DENY of another name would never hold.
      if ((identity.kind === 'exact' || identity.kind === 'prefix') && !mayBeSpiffe(identity))
        context.refuse(
          here,
          'must be a SPIFFE id: of other names in certificates this proxy knows nothing here',
        );
      return { identity };
    }
    case 'sourceIp':
      return { source: decodeCidr(identifier.value) };
    case 'directRemoteIp':
      return { peer: decodeCidr(identifier.value) };
    case 'remoteIp':
      return { client: decodeCidr(identifier.value) };
    case 'header':
      return { header: decodeHeaderMatch(context, identifier.value, `${path}.header`) };
    case 'urlPath':
      return { path: pathOf(context, identifier.value, `${path}.url_path`) };
    case 'metadata':
      return metadata(context, identifier.value, `${path}.metadata`, writers);
    case 'sourcedMetadata':
      return sourced(context, identifier.value, `${path}.sourced_metadata`, writers);
    case 'filterState':
      return { filterState: decodeFilterStateMatch(context, identifier.value, `${path}.filter_state`) };
    default:
      if (identifier.case === undefined) context.refuse(path, 'says nothing');
      return NOBODY;
  }
}

function set<T>(
  context: DecodeContext,
  parts: readonly T[],
  decode: (context: DecodeContext, part: T, path: string, writers: Writers) => AuthzExpression,
  path: string,
  writers: Writers,
): AuthzExpression[] {
  if (parts.length === 0) context.refuse(path, 'is empty');
  return parts.map((one, index) => decode(context, one, `${path}[${index}]`, writers));
}

function anybody(context: DecodeContext, value: boolean, path: string): AuthzExpression {
  if (!value) context.refuse(`${path}.any`, 'must be true');
  return { any: true };
}

function pathOf(
  context: DecodeContext,
  { rule }: PathMatcher,
  path: string,
): ReturnType<typeof decodeStringMatch> {
  return decodeStringMatch(context, rule.case === 'path' ? rule.value : undefined, `${path}.path`);
}

function templateOf(
  context: DecodeContext,
  { typedConfig }: TypedExtensionConfig,
  path: string,
): AuthzExpression {
  const message = context.open(typedConfig, `${path}.typed_config`);
  if (!message) return NOBODY;
  const here = `${path}.typed_config.path_template`;
  if (!isMessage(message, UriTemplateMatchConfigSchema)) {
    context.refuse(`${path}.typed_config`, `${message.$typeName} is no URI template`);
    return NOBODY;
  }
  const pattern = uriTemplatePattern(message.pathTemplate);
  if (pattern === undefined) {
    context.refuse(
      here,
      `must be a path of texts, *, {name} and, at its end, **, but is ${JSON.stringify(message.pathTemplate)}`,
    );
    return NOBODY;
  }
  return { path: { kind: 'regex', value: pattern } };
}

function sourced(
  context: DecodeContext,
  { metadataMatcher, metadataSource }: SourcedMetadata,
  path: string,
  writers: Writers,
): AuthzExpression {
  if (metadataSource !== MetadataSource.DYNAMIC)
    context.refuse(`${path}.metadata_source`, 'must be DYNAMIC: of routes no metadata is looked at');
  if (metadataMatcher) return metadata(context, metadataMatcher, `${path}.metadata_matcher`, writers);
  context.refuse(`${path}.metadata_matcher`, 'is missing');
  return NOBODY;
}

function metadata(
  context: DecodeContext,
  matcher: MetadataMatcher,
  path: string,
  writers: Writers,
): AuthzExpression {
  return {
    metadata: decodeMetadataMatch(context, matcher, path, writers === 'anybody' ? undefined : writers),
  };
}

/** @param writers filters whose metadata it may be about; absent: anybody's */
export function decodeMetadataMatch(
  context: DecodeContext,
  matcher: MetadataMatcher,
  path: string,
  writers?: readonly string[],
): AuthzMetadataTest {
  const keys = matcher.path.map(({ segment }) => (segment.case === 'key' ? segment.value : ''));
  if (writers !== undefined && !writers.includes(matcher.filter))
    context.refuse(
      `${path}.filter`,
      `must be one of ${writers.join(', ')}, since no other filter here writes metadata, but is ${JSON.stringify(matcher.filter)}`,
    );
  if (keys.length === 0 || keys.includes('')) context.refuse(`${path}.path`, 'must name keys');
  return {
    namespace: matcher.filter,
    path: keys,
    value: decodeValueTest(context, matcher.value, `${path}.value`),
    ...(matcher.invert && { invert: true }),
  };
}

/** What a value must be. */
export function decodeValueTest(
  context: DecodeContext,
  matcher: ValueMatcher | undefined,
  path: string,
): AuthzValueTest {
  const pattern = matcher?.matchPattern;
  switch (pattern?.case) {
    case 'nullMatch':
      return { nothing: true };
    case 'doubleMatch': {
      const { matchPattern } = pattern.value;
      if (matchPattern.case === 'exact') return { number: { exact: matchPattern.value } };
      if (matchPattern.case === 'range')
        return { number: { first: matchPattern.value.start, last: matchPattern.value.end } };
      break;
    }
    case 'stringMatch':
      return { text: decodeStringMatch(context, pattern.value, `${path}.string_match`) };
    case 'boolMatch':
      return { truth: pattern.value };
    case 'presentMatch':
      if (!pattern.value)
        context.refuse(
          `${path}.present_match`,
          'is false, which matches nothing in Envoy, be it there or not; to ask that nothing is there say true, and invert',
        );
      return { present: true };
    case 'listMatch': {
      const { matchPattern } = pattern.value;
      if (matchPattern.case === 'oneOf')
        return { element: decodeValueTest(context, matchPattern.value, `${path}.list_match.one_of`) };
      break;
    }
    case 'orMatch':
      return {
        anyOf: pattern.value.valueMatchers.map((one, index) =>
          decodeValueTest(context, one, `${path}.or_match.value_matchers[${index}]`),
        ),
      };
    default:
  }
  context.refuse(path, 'says nothing');
  return { nothing: true };
}

/** Whether a SPIFFE id may begin so, or be so. */
export function mayBeSpiffe({ kind, value }: { readonly kind: string; readonly value: string }): boolean {
  const scheme = 'spiffe://';
  return value.startsWith(scheme) || (kind === 'prefix' && scheme.startsWith(value));
}
