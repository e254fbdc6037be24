import { create } from '@bufbuild/protobuf';
import type { GlobalRateLimitFilterConfig, GlobalRateLimitRouteConfig } from '@tulle/model';
import { ApiVersion } from '@tulle/xds-proto/envoy/config/core/v3/config_source';
import {
  type RateLimit,
  type RateLimitPerRoute,
  RateLimitPerRoute_VhRateLimitsOptions as Host,
  RateLimitPerRouteSchema,
  RateLimit_XRateLimitHeadersRFCVersion as RateHeaders,
  RateLimitSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/ratelimit/v3/rate_limit';
import type { StatusCode } from '@tulle/xds-proto/envoy/type/v3/http_status';
import { hasOnly, isInteger, isObject, isText } from './shape.ts';
import { duration } from './values.ts';

const KEYS = [
  'domain',
  'cluster',
  'authority',
  'timeoutMs',
  'failureMode',
  'statusOnError',
  'stage',
  'status',
  'resourceExhausted',
  'mark',
  'rateHeaders',
] as const;

/** @returns `undefined` where Envoy's type would not say exactly the same */
export function encodeGlobalRateLimit(config: unknown): RateLimit | undefined {
  if (!isGlobal(config)) return undefined;
  const { domain, cluster, authority, timeoutMs, status, statusOnError } = config;
  return create(RateLimitSchema, {
    domain,
    stage: config.stage ?? 0,
    ...(timeoutMs !== undefined && { timeout: duration(timeoutMs) }),
    failureModeDeny: config.failureMode === 'deny',
    rateLimitedAsResourceExhausted: config.resourceExhausted === true,
    rateLimitService: {
      grpcService: {
        targetSpecifier: { case: 'envoyGrpc', value: { clusterName: cluster, authority: authority ?? '' } },
      },
      transportApiVersion: ApiVersion.V3,
    },
    enableXRatelimitHeaders: config.rateHeaders === true ? RateHeaders.DRAFT_VERSION_03 : RateHeaders.OFF,
    disableXEnvoyRatelimitedHeader: config.mark === false,
    ...(status !== undefined && { rateLimitedStatus: { code: status as StatusCode } }),
    ...(statusOnError !== undefined && { statusOnError: { code: statusOnError as StatusCode } }),
  });
}

const HOST: Readonly<Record<string, Host>> = {
  override: Host.OVERRIDE,
  include: Host.INCLUDE,
  ignore: Host.IGNORE,
};

/** A route's own actions have fewer kinds there. @returns `undefined` where Envoy's type would not say exactly the same */
export function encodeGlobalRateLimitRoute(config: unknown): RateLimitPerRoute | undefined {
  if (!isObject(config) || !hasOnly(config, ['domain', 'host'])) return undefined;
  const { domain, host } = config as GlobalRateLimitRouteConfig;
  const vhRateLimits = isText(host) ? HOST[host] : undefined;
  // What is not said there is override.
  if (vhRateLimits === undefined || !(domain === undefined || (isText(domain) && domain !== '')))
    return undefined;
  return create(RateLimitPerRouteSchema, { domain: domain ?? '', vhRateLimits });
}

function isGlobal(config: unknown): config is GlobalRateLimitFilterConfig {
  if (!isObject(config) || !hasOnly(config, KEYS)) return false;
  const { domain, cluster, authority, timeoutMs, failureMode, statusOnError, stage, status } = config;
  const { resourceExhausted, mark, rateHeaders } = config;
  const isStatus = (one: unknown): boolean => one === undefined || isInteger(one, 400, 599);
  return (
    isText(domain) &&
    domain !== '' &&
    isText(cluster) &&
    cluster !== '' &&
    (authority === undefined || (isText(authority) && authority !== '')) &&
    (timeoutMs === undefined || isInteger(timeoutMs, 1, 60_000)) &&
    [undefined, 'allow', 'deny'].includes(failureMode as string | undefined) &&
    isStatus(statusOnError) &&
    isStatus(status) &&
    (stage === undefined || isInteger(stage, 0, 10)) &&
    [resourceExhausted, mark, rateHeaders].every((one) => one === undefined || typeof one === 'boolean')
  );
}
