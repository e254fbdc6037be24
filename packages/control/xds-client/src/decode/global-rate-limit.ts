import type { GlobalRateLimitFilterConfig, GlobalRateLimitRouteConfig, RateLimitActions } from '@tulle/model';
import { ApiVersion } from '@tulle/xds-proto/envoy/config/core/v3/config_source';
import {
  type RateLimit,
  type RateLimitConfig,
  RateLimitConfig_Action_MetaData_Source as Source,
  type RateLimitConfig_Action as Action,
  type RateLimitPerRoute,
  RateLimitPerRoute_OverrideOptions as Options,
  RateLimitPerRoute_VhRateLimitsOptions as Host,
  RateLimit_XRateLimitHeadersRFCVersion as RateHeaders,
} from '@tulle/xds-proto/envoy/extensions/filters/http/ratelimit/v3/rate_limit';
import type { DecodeContext } from './context.ts';
import { decodeGrpcCluster } from './grpc-cluster.ts';
import { decodeHeaderEdits } from './header-edits.ts';
import { decodeHeaderMatch } from './matchers.ts';
import { filled, milliseconds, present } from './values.ts';

export function decodeGlobalRateLimit(
  context: DecodeContext,
  message: RateLimit,
  path: string,
): GlobalRateLimitFilterConfig {
  const { rateLimitService: service, requestType, stage } = message;
  if (message.domain === '') context.refuse(`${path}.domain`, 'is missing');
  if (service && service.transportApiVersion !== ApiVersion.V3)
    context.refuse(`${path}.rate_limit_service.transport_api_version`, 'must be V3');
  if (requestType !== '' && requestType !== 'both')
    context.refuse(
      `${path}.request_type`,
      'must be both; this proxy knows no internal requests by where they come from',
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
    timeoutMs: milliseconds(message.timeout) || undefined,
    failureMode: message.failureModeDeny ? ('deny' as const) : undefined,
    statusOnError: onError < 400 || onError === 500 ? undefined : onError,
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
  if (message.overrideOption !== Options.DEFAULT)
    context.refuse(`${path}.override_option`, 'must be DEFAULT');
  return present({
    domain: message.domain || undefined,
    host: HOST.get(message.vhRateLimits),
    rateLimits: filled(
      message.rateLimits.map((limit, index) =>
        decodeActions(context, limit, `${path}.rate_limits[${index}]`),
      ),
    ),
  });
}

function decodeActions(context: DecodeContext, limit: RateLimitConfig, path: string): RateLimitActions {
  if (limit.actions.length === 0) context.refuse(`${path}.actions`, 'is empty');
  return present({
    stage: limit.stage || undefined,
    actions: limit.actions.map((action, index) => decodeAction(context, action, `${path}.actions[${index}]`)),
  });
}

/** The same actions as on routes, as messages of their own. */
function decodeAction(
  context: DecodeContext,
  { actionSpecifier: action }: Action,
  path: string,
): RateLimitActions['actions'][number] {
  switch (action.case) {
    case 'sourceCluster':
      return { kind: 'source-cluster' };
    case 'destinationCluster':
      return { kind: 'destination-cluster' };
    case 'remoteAddress':
      return { kind: 'remote-address' };
    case 'requestHeaders': {
      const { headerName: name, descriptorKey: key, skipIfAbsent } = action.value;
      return present({ kind: 'header' as const, name, key, optional: skipIfAbsent ? true : undefined });
    }
    case 'genericKey': {
      const { descriptorValue: value, descriptorKey } = action.value;
      return present({ kind: 'generic' as const, value, key: descriptorKey || undefined });
    }
    case 'headerValueMatch': {
      const { descriptorValue: value, expectMatch, headers } = action.value;
      return present({
        kind: 'header-match' as const,
        value,
        expect: expectMatch ? undefined : false,
        headers: headers.map((one, index) =>
          decodeHeaderMatch(context, one, `${path}.header_value_match.headers[${index}]`),
        ),
      });
    }
    case 'metadata': {
      const { descriptorKey: key, metadataKey, defaultValue, source, skipIfAbsent } = action.value;
      if (source !== Source.DYNAMIC) context.refuse(`${path}.metadata.source`, 'must be DYNAMIC');
      return present({
        kind: 'metadata' as const,
        key,
        namespace: metadataKey?.key ?? '',
        path: (metadataKey?.path ?? []).map(({ segment }) => (segment.case === 'key' ? segment.value : '')),
        fallback: defaultValue || undefined,
        optional: skipIfAbsent ? true : undefined,
      });
    }
    default: // extension is reported by the field walk
      if (action.case === undefined) context.refuse(path, 'says nothing');
      return { kind: 'generic', value: '' };
  }
}
