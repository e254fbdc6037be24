import type {
  JwtFilterConfig,
  JwtLocation,
  JwtProvider as ModelProvider,
  JwtRequirement as ModelRequirement,
  JwtRule,
} from '@tulle/model';
import type {
  JwtAuthentication,
  JwtProvider,
  JwtRequirement,
  RequirementRule,
} from '@tulle/xds-proto/envoy/extensions/filters/http/jwt_authn/v3/config';
import type { DecodeContext } from './context.ts';
import { decodeRouteMatch } from './matchers.ts';
import { filled, isObject, milliseconds, ownValue, present } from './values.ts';

export function decodeJwt(context: DecodeContext, message: JwtAuthentication, path: string): JwtFilterConfig {
  const providers = Object.entries(message.providers)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, provider]) =>
      decodeProvider(context, name, provider, `${path}.providers[${JSON.stringify(name)}]`),
    );
  const rules = message.rules.map((rule, index) =>
    decodeRule(context, rule, message, `${path}.rules[${index}]`),
  );
  const last = rules.pop();
  const { path: under, method, headers } = last?.match ?? {};
  // Where no rule matches Envoy asks for nothing, and this proxy for a token.
  if (!last || under !== undefined || method !== undefined || headers !== undefined)
    context.refuse(`${path}.rules`, 'must end with one for every request: match prefix /');
  return present({ providers, requires: last?.requires, rules: filled(rules) });
}

function decodeRule(
  context: DecodeContext,
  { match, requirementType }: RequirementRule,
  { requirementMap }: JwtAuthentication,
  path: string,
): JwtRule {
  const matched = decodeRouteMatch(context, match, [], `${path}.match`);
  if (matched.query) context.refuse(`${path}.match.query_parameters`, 'is not looked at here');
  const { kind, value } = matched.path;
  const requirement =
    requirementType.case === 'requirementName'
      ? ownValue(requirementMap, requirementType.value)
      : requirementType.value;
  if (!requirement || typeof requirement === 'string') {
    context.refuse(
      path,
      'requires nothing: give requires, or the requirement_name of one in requirement_map',
    );
    return { match: {}, requires: { allowMissing: true } };
  }
  return {
    match: present({
      path: kind === 'prefix' && value === '/' ? undefined : matched.path,
      method: matched.method,
      headers: matched.headers,
    }),
    requires: decodeRequirement(context, requirement, `${path}.requires`),
  };
}

function decodeRequirement(
  context: DecodeContext,
  { requiresType: type }: JwtRequirement,
  path: string,
): ModelRequirement {
  switch (type.case) {
    case 'providerName':
      return { provider: type.value };
    case 'providerAndAudiences':
      return present({ provider: type.value.providerName, audiences: filled(type.value.audiences) });
    case 'requiresAny':
      return {
        any: type.value.requirements.map((one, index) =>
          decodeRequirement(context, one, `${path}.requires_any.requirements[${index}]`),
        ),
      };
    case 'requiresAll':
      return {
        all: type.value.requirements.map((one, index) =>
          decodeRequirement(context, one, `${path}.requires_all.requirements[${index}]`),
        ),
      };
    case 'allowMissing':
      return { allowMissing: true };
    default: // allow_missing_or_failed is reported by the field walk
      if (type.case === undefined) context.refuse(path, 'says nothing');
      return { allowMissing: true };
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
    jwks: decodeKeys(context, provider, path),
    // What Envoy looks at where nothing is said.
    from: filled(from) ?? [{ header: 'authorization' }, { query: 'access_token' }],
    clockSkewMs: provider.clockSkewSeconds === 0 ? undefined : provider.clockSkewSeconds * 1000,
    requireExpiration: provider.requireExpiration,
    forward: provider.forward ? true : undefined,
    payloadHeader: provider.forwardPayloadHeader === '' ? undefined : provider.forwardPayloadHeader,
  });
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
      url: httpUri?.uri ?? '',
      cluster: httpUri?.httpUpstreamType.case === 'cluster' ? httpUri.httpUpstreamType.value : '',
      refreshMs: milliseconds(cacheDuration),
      timeoutMs: milliseconds(httpUri?.timeout),
    });
  }
  const text =
    source.case === 'localJwks' && source.value.specifier.case === 'inlineString'
      ? source.value.specifier.value
      : undefined;
  if (text === undefined) {
    context.refuse(path, 'has no keys: give local_jwks as inline_string, or remote_jwks');
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
