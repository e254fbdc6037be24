import { create } from '@bufbuild/protobuf';
import type { CorsFilterConfig, CorsOverride, StringMatch } from '@tulle/model';
import {
  type CorsPolicy,
  CorsPolicySchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/cors/v3/cors';
import { encodeStringMatch } from './matchers.ts';
import { hasOnly, isFilledList, isInteger, isObject, isText } from './shape.ts';

/** Envoy has no policy for a whole chain, only for routes. @returns whether a chain's config is none */
export function isEmptyCors(config: unknown): boolean {
  return (
    isObject(config) &&
    hasOnly(config, ['allowOrigins']) &&
    Array.isArray(config['allowOrigins']) &&
    config['allowOrigins'].length === 0
  );
}

/**
 * Envoy takes what a policy does not say from the one around it.
 * @param own for Tulle's data plane, which has another form for a policy that takes nothing from others
 * @returns `undefined` where Envoy's type would not say exactly the same
 */
export function encodeCors(given: unknown, own: boolean): CorsPolicy | undefined {
  const { inherits = false, ...config } = (isObject(given) ? given : {}) as unknown as CorsOverride;
  if (!isCors(config) || (own && !inherits)) return undefined;
  const origins = config.allowOrigins.map(originMatch);
  if (!origins.every((one) => one !== undefined)) return undefined;
  const list = (names: readonly string[] | undefined): string => (names ?? []).join(', ');
  return create(CorsPolicySchema, {
    allowOriginStringMatch: origins.map(encodeStringMatch),
    allowMethods: list(config.allowMethods),
    allowHeaders: list(config.allowHeaders),
    exposeHeaders: list(config.exposeHeaders),
    maxAge: config.maxAgeSeconds === undefined && inherits ? '' : String(config.maxAgeSeconds ?? 5),
    ...(config.allowCredentials !== undefined && { allowCredentials: config.allowCredentials }),
    ...(config.allowPrivateNetwork !== undefined && {
      allowPrivateNetworkAccess: config.allowPrivateNetwork,
    }),
    // Of origins that are listed Tulle answers every preflight itself.
    ...((config.forwardUnlisted !== undefined || !inherits) && {
      forwardNotMatchingPreflights: config.forwardUnlisted === true,
    }),
  });
}

const ORIGIN = /^(https?):\/\/(\*|(?:\*\.)?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)(:[1-9][0-9]{0,4})?$/;
const OWN_PORTS: Readonly<Record<string, string>> = { http: ':80', https: ':443' };

type TextMatch = Exclude<StringMatch, { readonly kind: 'present' }>;

/** Origins have no case. A star stands for one label or more, as `[a-z0-9._-]+`. */
function originMatch(origin: string): TextMatch | undefined {
  if (origin === '*') return { kind: 'exact', value: '*' };
  const [, scheme = '', host, port = ''] = ORIGIN.exec(origin) ?? [];
  // Written with and without its own port, an origin is the same to Tulle, and not to Envoy.
  if (host === undefined || OWN_PORTS[scheme] === port) return undefined;
  if (!host.startsWith('*')) return { kind: 'exact', value: origin, ignoreCase: true };
  return {
    kind: 'regex',
    ignoreCase: true,
    value: `\\Q${scheme}://\\E[a-z0-9._-]+\\Q${host.slice(1)}${port}\\E`,
  };
}

function isCors(config: unknown): config is CorsFilterConfig {
  if (
    !isObject(config) ||
    !hasOnly(config, [
      'allowOrigins',
      'allowMethods',
      'allowHeaders',
      'exposeHeaders',
      'allowCredentials',
      'maxAgeSeconds',
      'allowPrivateNetwork',
      'forwardUnlisted',
    ])
  )
    return false;
  const { allowOrigins, allowMethods, allowHeaders, exposeHeaders, allowCredentials, maxAgeSeconds } = config;
  const lists = [allowMethods, allowHeaders, exposeHeaders];
  return (
    isFilledList(allowOrigins, isText) &&
    lists.every((list) => list === undefined || isFilledList(list, isToken)) &&
    (allowCredentials === undefined || typeof allowCredentials === 'boolean') &&
    // With credentials Tulle names what a star stands for; to Envoy it is a star, which browsers take for a name.
    !(allowCredentials === true && lists.some((list) => Array.isArray(list) && list.includes('*'))) &&
    (maxAgeSeconds === undefined || isInteger(maxAgeSeconds, 0, 2_147_483_647)) &&
    [config['allowPrivateNetwork'], config['forwardUnlisted']].every(
      (flag) => flag === undefined || typeof flag === 'boolean',
    )
  );
}

function isToken(value: unknown): value is string {
  return isText(value) && /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(value);
}
