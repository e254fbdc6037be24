import { create, type MessageInitShape } from '@bufbuild/protobuf';
import {
  type JwtProvider,
  JwtProviderSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/jwt_authn/v3/config';
import { need } from './inexpressible.ts';
import { encodeStringMatch } from './matchers.ts';
import { hasOnly, isCondition, isFilledList, isFlag, isInteger, isObject, isText } from './shape.ts';
import { canonicalJson, duration } from './values.ts';

/** A provider with its name. @throws Inexpressible */
export function encodeJwtProvider(provider: unknown): readonly [string, JwtProvider] {
  // What a key may be used for, how many bytes a token may have and which claims become headers are Tulle's own to say.
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
        'payloadHeaderPadded',
        'subjects',
        'maxLifetimeMs',
        'metadata',
        'rematch',
        'maxCachedTokens',
      ]),
  );
  const { name, issuer, audiences, jwks, from, clockSkewMs, requireExpiration, forward, payloadHeader } =
    provider;
  const { payloadHeaderPadded, subjects, maxLifetimeMs, rematch, maxCachedTokens } = provider;
  need(isText(name) && name !== '' && isText(issuer) && issuer !== '');
  need(audiences === undefined || isFilledList(audiences, isText));
  need(payloadHeader === undefined || (isText(payloadHeader) && payloadHeader !== ''));
  const skew = clockSkewMs ?? 60_000;
  need(isInteger(skew, 1000, 3_600_000) && skew % 1000 === 0);
  for (const flag of [requireExpiration, forward, payloadHeaderPadded, rematch]) need(isFlag(flag));
  need(subjects === undefined || isSubjects(subjects));
  need(maxLifetimeMs === undefined || isInteger(maxLifetimeMs, 1, 3_155_760_000_000));
  // None cannot be said: Envoy takes it for its own default.
  need(maxCachedTokens === undefined || isInteger(maxCachedTokens, 1, 1_000_000));
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
      padForwardPayloadHeader: payloadHeaderPadded === true,
      ...(subjects !== undefined && { subjects: encodeStringMatch(subjects) }),
      ...(maxLifetimeMs !== undefined && { maxLifetime: duration(maxLifetimeMs) }),
      ...encodeMetadata(provider['metadata']),
      clearRouteCache: rematch === true,
      ...(maxCachedTokens !== undefined && { jwtCacheConfig: { jwtCacheSize: maxCachedTokens } }),
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

/** A condition on `sub` that no token without one fulfils: Envoy takes that for `''`, Tulle for another subject. */
function isSubjects(match: unknown): match is Parameters<typeof encodeStringMatch>[0] {
  if (!isCondition({ name: 'sub', match }) || !isObject(match)) return false;
  const { kind, value } = match;
  return kind === 'regex' ? !fitsNothing(String(value)) : isText(value) && value !== '';
}

/** Whether a pattern may fit `''`; so does one that is not read here. */
function fitsNothing(pattern: string): boolean {
  try {
    return new RegExp(`^(?:${pattern})$`, 'u').test('');
  } catch {
    return true;
  }
}

type Metadata = Pick<
  MessageInitShape<typeof JwtProviderSchema>,
  'payloadInMetadata' | 'normalizePayloadInMetadata' | 'headerInMetadata' | 'failedStatusInMetadata'
>;

function encodeMetadata(metadata: unknown = {}): Metadata {
  need(isObject(metadata) && hasOnly(metadata, ['payload', 'wordLists', 'header', 'failure']));
  const { payload = '', wordLists, header = '', failure = '' } = metadata;
  need(isText(payload) && isText(header) && isText(failure));
  need(wordLists === undefined || isFilledList(wordLists, isText));
  return {
    payloadInMetadata: payload,
    headerInMetadata: header,
    failedStatusInMetadata: failure,
    ...(wordLists !== undefined && { normalizePayloadInMetadata: { spaceDelimitedClaims: [...wordLists] } }),
  };
}
