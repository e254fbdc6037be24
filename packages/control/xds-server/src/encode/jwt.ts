import { create } from '@bufbuild/protobuf';
import type { JwtRule, PathMatch } from '@tulle/model';
import {
  type JwtAuthentication,
  JwtAuthenticationSchema,
  type JwtProvider,
  JwtProviderSchema,
  type JwtRequirement,
  JwtRequirementSchema,
  type RequirementRule,
  RequirementRuleSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/jwt_authn/v3/config';
import { need, orInexpressible } from './inexpressible.ts';
import { encodeRouteMatch } from './matchers.ts';
import { hasOnly, isCondition, isFilledList, isInteger, isObject, isText } from './shape.ts';
import { canonicalJson, duration, sortedMap } from './values.ts';

/** @returns `undefined` where Envoy's type would not say the same */
export function encodeJwt(config: unknown): JwtAuthentication | undefined {
  return orInexpressible(() => {
    need(isObject(config) && hasOnly(config, ['providers', 'requires', 'rules']));
    const { providers, requires, rules = [] } = config;
    need(Array.isArray(providers) && providers.length > 0 && Array.isArray(rules));
    const entries = providers.map(encodeProvider);
    const names = entries.map(([name]) => name).sort();
    need(new Set(names).size === names.length);
    const each = names.map((provider) => ({ provider }));
    return create(JwtAuthenticationSchema, {
      providers: sortedMap(entries),
      rules: [
        ...rules.map((rule: unknown) => encodeRule(rule, names)),
        // Where no rule matches Envoy asks for nothing.
        encodeRule({ match: {}, requires: requires ?? (each.length === 1 ? each[0] : { any: each }) }, names),
      ],
    });
  });
}

function encodeRule(rule: unknown, providers: readonly string[]): RequirementRule {
  need(isObject(rule) && hasOnly(rule, ['match', 'requires']));
  const { match, requires } = rule;
  need(isObject(match) && hasOnly(match, ['path', 'method', 'headers', 'query']));
  const { path, method, headers, query } = match as JwtRule['match'];
  need(path === undefined || isPath(path));
  need(method === undefined || isText(method));
  need(headers === undefined || isFilledList(headers, isCondition));
  // Inverted ones have no field.
  need(query === undefined || isFilledList(query, isCondition));
  need(query?.every(({ invert }) => invert !== true) ?? true);
  return create(RequirementRuleSchema, {
    match: encodeRouteMatch(
      {
        path: path ?? { kind: 'prefix', value: '/' },
        ...(method !== undefined && { method }),
        ...(headers && { headers }),
        ...(query && { query }),
      },
      'before', // an absent field fits an inverted condition there, by the word of the filter
    ),
    requirementType: { case: 'requires', value: encodeRequirement(requires, providers, 0) },
  });
}

function isPath(path: unknown): path is PathMatch {
  return (
    isObject(path) &&
    hasOnly(path, ['kind', 'value']) &&
    ['exact', 'prefix', 'bytes-prefix', 'regex'].includes(String(path['kind'])) &&
    isText(path['value']) &&
    path['value'].startsWith('/')
  );
}

/** Deeper ones are refused by Envoy's parser sooner or later. */
const MAX_DEPTH = 20;

function encodeRequirement(given: unknown, providers: readonly string[], depth: number): JwtRequirement {
  need(isObject(given) && depth < MAX_DEPTH);
  const { provider, audiences, any, all, allowMissing } = given;
  const of = (requiresType: JwtRequirement['requiresType']): JwtRequirement =>
    create(JwtRequirementSchema, { requiresType });
  if (provider !== undefined) {
    need(hasOnly(given, ['provider', 'audiences']) && isText(provider) && providers.includes(provider));
    if (audiences === undefined) return of({ case: 'providerName', value: provider });
    need(isFilledList(audiences, isText));
    return create(JwtRequirementSchema, {
      requiresType: {
        case: 'providerAndAudiences',
        value: { providerName: provider, audiences: [...audiences] },
      },
    });
  }
  need(Object.keys(given).length === 1);
  if (allowMissing !== undefined) {
    need(allowMissing === true);
    return create(JwtRequirementSchema, { requiresType: { case: 'allowMissing', value: {} } });
  }
  const list = any ?? all;
  // Envoy refuses shorter lists.
  need(Array.isArray(list) && list.length >= 2);
  const requirements = list.map((one: unknown) => encodeRequirement(one, providers, depth + 1));
  return create(JwtRequirementSchema, {
    requiresType: { case: any === undefined ? 'requiresAll' : 'requiresAny', value: { requirements } },
  });
}

function encodeProvider(provider: unknown): readonly [string, JwtProvider] {
  // What a key may be used for, how long a token may be and which claims become headers are Tulle's own to say.
  need(
    isObject(provider) &&
      hasOnly(provider, [
        'name',
        'issuer',
        'audiences',
        'jwks',
        'from',
        'clockSkewMs',
        'requireExpiration',
        'forward',
        'payloadHeader',
      ]),
  );
  const { name, issuer, audiences, jwks, from, clockSkewMs, requireExpiration, forward, payloadHeader } =
    provider;
  need(isText(name) && name !== '' && isText(issuer) && issuer !== '');
  need(audiences === undefined || isFilledList(audiences, isText));
  need(payloadHeader === undefined || (isText(payloadHeader) && payloadHeader !== ''));
  const skew = clockSkewMs ?? 60_000;
  need(isInteger(skew, 1000, 3_600_000) && skew % 1000 === 0);
  for (const flag of [requireExpiration, forward]) need(flag === undefined || typeof flag === 'boolean');
  return [
    name,
    create(JwtProviderSchema, {
      issuer,
      audiences: [...(audiences ?? [])],
      jwksSourceSpecifier: encodeKeys(jwks),
      ...encodeLocations(from ?? [{ header: 'authorization' }]),
      clockSkewSeconds: skew / 1000,
      requireExpiration: (requireExpiration ?? true) === true,
      forward: forward === true,
      forwardPayloadHeader: payloadHeader ?? '',
    }),
  ];
}

function encodeKeys(jwks: unknown): JwtProvider['jwksSourceSpecifier'] {
  need(isObject(jwks));
  if (jwks['keys'] !== undefined) {
    const { keys } = jwks;
    need(hasOnly(jwks, ['keys']) && isFilledList(keys, isAsymmetric));
    const value = JSON.stringify({ keys: canonicalJson(keys) });
    return create(JwtProviderSchema, {
      jwksSourceSpecifier: { case: 'localJwks', value: { specifier: { case: 'inlineString', value } } },
    }).jwksSourceSpecifier;
  }
  need(hasOnly(jwks, ['url', 'cluster', 'refreshMs', 'timeoutMs']));
  const { url, cluster, refreshMs = 600_000, timeoutMs = 5000 } = jwks;
  need(isText(url) && /^https?:\/\/[^/?#]+/.test(url) && isText(cluster) && cluster !== '');
  need(isInteger(refreshMs, 1, 86_400_000) && isInteger(timeoutMs, 1, 60_000));
  return create(JwtProviderSchema, {
    jwksSourceSpecifier: {
      case: 'remoteJwks',
      value: {
        httpUri: {
          uri: url,
          httpUpstreamType: { case: 'cluster', value: cluster },
          timeout: duration(timeoutMs),
        },
        cacheDuration: duration(refreshMs),
        // Fetched before the first token comes, as Tulle does.
        asyncFetch: { fastListener: true },
      },
    },
  }).jwksSourceSpecifier;
}

/** A key that Tulle takes where no algorithms are named; Envoy takes any. */
function isAsymmetric(key: unknown): key is Readonly<Record<string, unknown>> {
  return isObject(key) && ['RSA', 'EC', 'OKP'].includes(String(key['kty'])) && key['crv'] !== 'P-521';
}

function encodeLocations(from: unknown): Pick<JwtProvider, 'fromHeaders' | 'fromParams' | 'fromCookies'> {
  need(Array.isArray(from) && from.length > 0);
  const fromHeaders: { name: string; valuePrefix: string }[] = [];
  const [fromParams, fromCookies]: [string[], string[]] = [[], []];
  for (const place of from as unknown[]) {
    need(isObject(place));
    const { header, prefix, query, cookie } = place;
    if (header !== undefined) {
      need(hasOnly(place, ['header', 'prefix']) && isText(header) && header !== '');
      need(prefix === undefined || isText(prefix));
      const usual = header.toLowerCase() === 'authorization' ? 'Bearer ' : '';
      fromHeaders.push({ name: header, valuePrefix: prefix ?? usual });
    } else if (query !== undefined) {
      need(hasOnly(place, ['query']) && isText(query) && query !== '');
      fromParams.push(query);
    } else {
      need(hasOnly(place, ['cookie']) && isText(cookie) && cookie !== '');
      fromCookies.push(cookie);
    }
  }
  const made = create(JwtProviderSchema, { fromHeaders, fromParams, fromCookies });
  return { fromHeaders: made.fromHeaders, fromParams: made.fromParams, fromCookies: made.fromCookies };
}
