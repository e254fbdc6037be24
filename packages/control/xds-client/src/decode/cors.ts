import type { CorsOverride, FilterConfigs, StringMatch } from '@tulle/model';
import type { CorsPolicy as OlderPolicy } from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import type { CorsPolicy } from '@tulle/xds-proto/envoy/extensions/filters/http/cors/v3/cors';
import type { DecodeContext } from './context.ts';
import { decodeStringMatch } from './matchers.ts';
import { percentOf } from './percent.ts';
import { filled, present } from './values.ts';

/** Name by which routes override the filter where they say so in fields of their own (`RouteAction.cors`, `VirtualHost.cors`). */
const CORS_SLOT = 'envoy.filters.http.cors';

/** A policy in the older of its two places, which the newer one goes before. @returns `undefined` for none */
export function decodeOlderCors(
  context: DecodeContext,
  policy: OlderPolicy | undefined,
  path: string,
): FilterConfigs | undefined {
  return policy && { [CORS_SLOT]: decodeCors(context, policy, path) };
}

export function decodeCors(
  context: DecodeContext,
  policy: CorsPolicy | OlderPolicy,
  path: string,
): CorsOverride {
  const enabled = 'enabledSpecifier' in policy ? policy.enabledSpecifier.value : policy.filterEnabled;
  const allowOrigins: string[] = [];
  const allowOriginMatches: StringMatch[] = [];
  for (const [index, matcher] of policy.allowOriginStringMatch.entries()) {
    const read = decodeStringMatch(context, matcher, `${path}.allow_origin_string_match[${index}]`);
    const match = isAny(read) ? ANY_ORIGIN : read;
    const origin = match.kind === 'present' ? undefined : originOf(match);
    if (origin === undefined) allowOriginMatches.push(match);
    else allowOrigins.push(origin);
  }
  return present({
    allowOrigins,
    allowOriginMatches: filled(allowOriginMatches),
    allowMethods: listOf(policy.allowMethods),
    allowHeaders: listOf(policy.allowHeaders),
    exposeHeaders: listOf(policy.exposeHeaders),
    allowCredentials: policy.allowCredentials,
    maxAgeSeconds: decodeMaxAge(context, policy.maxAge, `${path}.max_age`),
    allowPrivateNetwork: policy.allowPrivateNetworkAccess,
    forwardUnlisted: policy.forwardNotMatchingPreflights,
    percent: enabled && percentOf(enabled.defaultValue),
    inherits: true,
  });
}

/** One that Tulle reads as an origin. */
const ORIGIN = /^(?:\*|[a-z][a-z0-9+.-]*:\/\/[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*(?::[0-9]{1,5})?)$/;
const WILDCARD = /^\\Q(https?:\/\/)\\E\[a-z0-9\._-\]\+\\Q([A-Za-z0-9._:-]*)\\E$/;

const ANY_ORIGIN: StringMatch = { kind: 'regex', value: '.*' };

/** Envoy takes every origin where a matcher matches the text `*` (CorsFilter::isOriginAllowed); these are how people write it. */
function isAny(match: StringMatch): boolean {
  if (match.kind === 'regex') return match.value === '\\*';
  return (
    (match.kind === 'prefix' || match.kind === 'suffix' || match.kind === 'contains') && match.value === '*'
  );
}

/** As Tulle's control plane writes them; origins have no case, whether a matcher says so or not. */
function originOf(match: { readonly kind: string; readonly value: string }): string | undefined {
  if (match.kind === 'exact' && ORIGIN.test(match.value)) return match.value;
  const [, scheme, rest] = match.kind === 'regex' ? (WILDCARD.exec(match.value) ?? []) : [];
  return scheme === undefined ? undefined : `${scheme}*${rest ?? ''}`;
}

function listOf(text: string): readonly string[] | undefined {
  const names = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  return names.length === 0 ? undefined : names;
}

function decodeMaxAge(context: DecodeContext, text: string, path: string): number | undefined {
  if (text === '') return undefined;
  if (/^\d{1,10}$/.test(text) && Number(text) <= 2_147_483_647) return Number(text);
  context.refuse(path, `must be seconds, but is "${text}"`);
  return undefined;
}
