import type {
  JwtFilterConfig,
  JwtLocation,
  JwtMetadata,
  JwtProvider as ModelProvider,
  JwtRequirement as ModelRequirement,
  JwtRouteConfig,
  JwtRule,
} from '@tulle/model';
import type {
  JwtAuthentication,
  JwtProvider,
  JwtRequirement,
  PerRouteConfig,
  RequirementRule,
} from '@tulle/xds-proto/envoy/extensions/filters/http/jwt_authn/v3/config';
import type { DecodeContext } from './context.ts';
import { decodeFilterMatch, decodeStringMatch } from './matchers.ts';
import { absoluteUri } from './http-uri.ts';
import { filled, isObject, milliseconds, ownValue, present } from './values.ts';

export function decodeJwt(context: DecodeContext, message: JwtAuthentication, path: string): JwtFilterConfig {
  const providers = Object.entries(message.providers)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, provider]) =>
      decodeProvider(context, name, provider, `${path}.providers[${JSON.stringify(name)}]`),
    );
  if (providers.length === 0) context.refuse(`${path}.providers`, 'is empty');
  const rules = message.rules.map((rule, index) =>
    decodeRule(context, rule, message, `${path}.rules[${index}]`),
  );
  const requirements = Object.entries(message.requirementMap).map(
    ([name, requirement]) => [name, decodeRequirement(requirement)] as const,
  );
  // Where no rule matches Envoy asks for nothing.
  const last = rules.at(-1);
  const isForAll = last !== undefined && Object.keys(last.match).length === 0;
  const requires = isForAll ? last.requires : IGNORE;
  if (isForAll) rules.pop();
  return present({
    providers,
    requires,
    rules: filled(rules),
    requirements: requirements.length === 0 ? undefined : Object.fromEntries(requirements),
    bypassPreflight: message.bypassCorsPreflight ? true : undefined,
    silentRefusals: message.stripFailureResponse ? true : undefined,
  });
}

const IGNORE: ModelRequirement = { ignore: true };

export function decodeJwtRoute(
  context: DecodeContext,
  { requirementSpecifier: specifier }: PerRouteConfig,
  path: string,
): JwtRouteConfig {
  if (specifier.case === 'disabled') {
    if (!specifier.value) context.refuse(`${path}.disabled`, 'must be true');
    // Nothing is asked for; what a caller says in the place of claims is removed all the same.
    return { requires: IGNORE };
  }
  if (specifier.case === 'requirementName') return { requirement: specifier.value };
  context.refuse(path, 'says nothing: give disabled or requirement_name');
  return { requires: IGNORE };
}

function decodeRule(
  context: DecodeContext,
  { match, requirementType }: RequirementRule,
  { requirementMap }: JwtAuthentication,
  path: string,
): JwtRule {
  const { path: under, method, headers, query, ...more } = decodeFilterMatch(context, match, `${path}.match`);
  for (const other of Object.keys(more)) context.refuse(`${path}.match`, `${other} is not looked at here`);
  const { kind, value } = under;
  const named = requirementType.case === 'requirementName' ? requirementType.value : undefined;
  const requirement = named === undefined ? requirementType.value : ownValue(requirementMap, named);
  if (named !== undefined && !requirement)
    context.refuse(
      `${path}.requirement_name`,
      `no requirement of requirement_map is named ${JSON.stringify(named)}`,
    );
  return {
    match: present({
      path: kind === 'prefix' && value === '/' ? undefined : under,
      method,
      headers,
      query,
    }),
    // Without a requirement nothing is looked for.
    requires:
      requirement === undefined || typeof requirement === 'string' ? IGNORE : decodeRequirement(requirement),
  };
}

function decodeRequirement({ requiresType: type }: JwtRequirement): ModelRequirement {
  switch (type.case) {
    case 'providerName':
      return { provider: type.value };
    case 'providerAndAudiences':
      return present({ provider: type.value.providerName, audiences: filled(type.value.audiences) });
    case 'requiresAny':
      return {
        any: type.value.requirements.map(decodeRequirement),
      };
    case 'requiresAll':
      return {
        all: type.value.requirements.map(decodeRequirement),
      };
    case 'allowMissing':
      return { allowMissing: true };
    case 'allowMissingOrFailed':
      return { allowFailed: true };
    case 'extractOnlyWithoutValidation': // reported by the field walk
    case undefined: // as without a requirement
      return IGNORE;
  }
}

function decodeProvider(
  context: DecodeContext,
  name: string,
  provider: JwtProvider,
  path: string,
): ModelProvider {
  if (provider.issuer === '') context.refuse(`${path}.issuer`, 'is missing');
  const from: JwtLocation[] = [
    ...provider.fromHeaders.map(({ name: header, valuePrefix }): JwtLocation => {
      const usual = header.toLowerCase() === 'authorization' ? 'Bearer ' : '';
      return valuePrefix === usual ? { header } : { header, prefix: valuePrefix };
    }),
    ...provider.fromParams.map((query) => ({ query })),
    ...provider.fromCookies.map((cookie) => ({ cookie })),
  ];
  return present({
    name,
    issuer: provider.issuer,
    audiences: filled(provider.audiences),
    subjects: provider.subjects && decodeStringMatch(context, provider.subjects, `${path}.subjects`),
    maxLifetimeMs: milliseconds(provider.maxLifetime),
    jwks: decodeKeys(context, provider, path),
    // What Envoy looks at where nothing is said.
    from: filled(from) ?? [{ header: 'authorization' }, { query: 'access_token' }],
    clockSkewMs: provider.clockSkewSeconds === 0 ? undefined : provider.clockSkewSeconds * 1000,
    requireExpiration: provider.requireExpiration,
    forward: provider.forward ? true : undefined,
    claimsToHeaders: filled(
      provider.claimToHeaders.map(({ headerName, claimName }) => {
        // A dot goes into an object.
        const way = claimName.split('.');
        return { claim: way.length === 1 ? claimName : way, header: headerName };
      }),
    ),
    payloadHeader: provider.forwardPayloadHeader === '' ? undefined : provider.forwardPayloadHeader,
    payloadHeaderPadded: provider.padForwardPayloadHeader ? true : undefined,
    metadata: decodeMetadata(provider),
    rematch: provider.clearRouteCache ? true : undefined,
    maxCachedTokens: provider.jwtCacheConfig?.jwtCacheSize || undefined,
  });
}

function decodeMetadata(provider: JwtProvider): JwtMetadata | undefined {
  const names = present({
    payload: provider.payloadInMetadata || undefined,
    wordLists: filled(provider.normalizePayloadInMetadata?.spaceDelimitedClaims ?? []),
    header: provider.headerInMetadata || undefined,
    failure: provider.failedStatusInMetadata || undefined,
  });
  return Object.keys(names).length === 0 ? undefined : names;
}

function decodeKeys(
  context: DecodeContext,
  { jwksSourceSpecifier: source }: JwtProvider,
  path: string,
): ModelProvider['jwks'] {
  if (source.case === 'remoteJwks') {
    const { httpUri, cacheDuration } = source.value;
    if (httpUri?.httpUpstreamType.case !== 'cluster')
      context.refuse(`${path}.remote_jwks.http_uri.cluster`, 'is missing');
    return present({
      url: absoluteUri(httpUri?.uri ?? ''),
      cluster: httpUri?.httpUpstreamType.case === 'cluster' ? httpUri.httpUpstreamType.value : '',
      refreshMs: milliseconds(cacheDuration),
      timeoutMs: milliseconds(httpUri?.timeout),
    });
  }
  const local = source.case === 'localJwks' ? source.value.specifier : undefined;
  if (local?.case === 'filename') return { file: local.value };
  const text =
    local?.case === 'inlineString'
      ? local.value
      : local?.case === 'inlineBytes'
        ? Buffer.from(local.value).toString('utf8')
        : undefined;
  if (text === undefined) {
    context.refuse(path, 'has no keys: give local_jwks inline or as filename, or remote_jwks');
    return { keys: [] };
  }
  try {
    const set: unknown = JSON.parse(text);
    if (isObject(set) && Array.isArray(set['keys']) && set['keys'].every(isObject))
      return { keys: set['keys'] };
  } catch {
    // reported below: the parser's own words may hold what is secret
  }
  context.refuse(`${path}.local_jwks`, 'is no JWK Set: {"keys": […]}');
  return { keys: [] };
}
