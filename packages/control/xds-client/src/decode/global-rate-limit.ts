import type { GlobalRateLimitFilterConfig, GlobalRateLimitRouteConfig } from '@tulle/model';
import { ApiVersion } from '@tulle/xds-proto/envoy/config/core/v3/config_source';
import {
  type RateLimit,
  type RateLimitPerRoute,
  RateLimitPerRoute_VhRateLimitsOptions as Host,
  RateLimit_XRateLimitHeadersRFCVersion as RateHeaders,
} from '@tulle/xds-proto/envoy/extensions/filters/http/ratelimit/v3/rate_limit';
import type { DecodeContext } from './context.ts';
import { decodeGrpcCluster } from './grpc-cluster.ts';
import { decodeHeaderEdits } from './header-edits.ts';
import { percentOf } from './percent.ts';
import { decodeOwnRateLimits } from './rate-limit-actions.ts';
import { milliseconds, present } from './values.ts';

export function decodeGlobalRateLimit(
  context: DecodeContext,
  message: RateLimit,
  path: string,
): GlobalRateLimitFilterConfig {
  const { rateLimitService: service, requestType, stage } = message;
  if (message.domain === '') context.refuse(`${path}.domain`, 'is missing');
  if (service && service.transportApiVersion !== ApiVersion.V3)
    context.refuse(`${path}.rate_limit_service.transport_api_version`, 'must be V3');
  if (!['', 'both', 'internal', 'external'].includes(requestType))
    context.refuse(
      `${path}.request_type`,
      `must be internal, external or both, but is ${JSON.stringify(requestType)}`,
    );
  if (stage > 10) context.refuse(`${path}.stage`, `must be 0 to 10, but is ${stage}`);
  const here = `${path}.rate_limit_service.grpc_service`;
  const { cluster, authority } = decodeGrpcCluster(context, service?.grpcService, here);
  const status = message.rateLimitedStatus?.code ?? 0;
  const onError = message.statusOnError?.code ?? 0;
  return present({
    domain: message.domain,
    cluster,
    authority,
    // That of grpc_service means nothing there, in Envoy neither.
    timeoutMs: milliseconds(message.timeout) || undefined,
    failureMode: message.failureModeDeny ? ('deny' as const) : undefined,
    statusOnError: onError < 400 || onError === 500 ? undefined : onError,
    denyPercent:
      message.failureModeDenyPercent && (percentOf(message.failureModeDenyPercent.defaultValue) ?? 100),
    requests: requestType === 'internal' || requestType === 'external' ? requestType : undefined,
    // Unlike those of a local limit these are of everybody where nothing is said.
    percent: message.filterEnabled && percentOf(message.filterEnabled.defaultValue),
    enforcedPercent: message.filterEnforced && percentOf(message.filterEnforced.defaultValue),
    rateLimits: decodeOwnRateLimits(context, message.rateLimits, `${path}.rate_limits`),
    metadataNamespace: message.metadataNamespace || undefined,
    stage: stage || undefined,
    // Less than 400 means 429 there.
    status: status < 400 || status === 429 ? undefined : status,
    resourceExhausted: message.rateLimitedAsResourceExhausted ? true : undefined,
    responseHeaders: decodeHeaderEdits(
      context,
      message.responseHeadersToAdd,
      [],
      `${path}.response_headers_to_add`,
    ),
    mark: message.disableXEnvoyRatelimitedHeader ? false : undefined,
    rateHeaders: message.enableXRatelimitHeaders === RateHeaders.DRAFT_VERSION_03 ? true : undefined,
    retryAfter: message.enableRetryAfterHeader ? true : undefined,
  });
}

const HOST: ReadonlyMap<Host, GlobalRateLimitRouteConfig['host']> = new Map([
  [Host.OVERRIDE, 'override'],
  [Host.INCLUDE, 'include'],
  [Host.IGNORE, 'ignore'],
]);

export function decodeGlobalRateLimitRoute(
  context: DecodeContext,
  message: RateLimitPerRoute,
  path: string,
): GlobalRateLimitRouteConfig {
  return present({
    domain: message.domain || undefined,
    host: HOST.get(message.vhRateLimits),
    rateLimits: decodeOwnRateLimits(context, message.rateLimits, `${path}.rate_limits`),
  });
}
