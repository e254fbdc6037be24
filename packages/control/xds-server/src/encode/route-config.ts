import { create, type MessageInitShape } from '@bufbuild/protobuf';
import {
  parseWireName,
  RETRY_FILTER,
  type Route as ModelRoute,
  type RouteConfig,
  type SessionPersistence,
  type VirtualHost as ModelVirtualHost,
} from '@tulle/model';
import {
  type RouteConfiguration,
  RouteConfigurationSchema,
} from '@tulle/xds-proto/envoy/config/route/v3/route';
import {
  type Route,
  RouteSchema,
  type VirtualHost,
  VirtualHost_TlsRequirementType as TlsRequirement,
  VirtualHostSchema,
} from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import { encodeOverrides } from './filters.ts';
import type { EncodeForm } from './form.ts';
import { encodeEditsOf } from './header-edits.ts';
import { encodeRouteMatch, invertedHeaders, invertedQuery } from './matchers.ts';
import { encodeRateLimits } from './rate-limit-actions.ts';
import {
  encodeDirectResponse,
  encodeForward,
  encodeRedirect,
  isBoundTwice,
  overrideInRetryPolicy,
} from './route-action.ts';
import { routesByMethod } from './retry-by-method.ts';
import { refuseNotSent, refuseNotSentOfRoute } from './not-sent.ts';
import { retryBackoffMin, retryReasons } from './retry.ts';
import { tulleMetadata } from './values.ts';

export function encodeRouteConfig(config: RouteConfig, form: EncodeForm): RouteConfiguration {
  const isOutbound = parseWireName(config.name)?.direction === 'outbound';
  const retries = form.retries === 'default' && isOutbound;
  refuseNotSent(config);
  return create(RouteConfigurationSchema, {
    name: config.name,
    virtualHosts: config.virtualHosts.map((host) => encodeVirtualHost(host, form, retries)),
    ...encodeEditsOf(config, form.release),
    internalOnlyHeaders: [...(config.internalOnlyHeaders ?? [])],
    // A client of the release before does so without being told.
    mostSpecificHeaderMutationsWins: config.headerOrder !== 'specific-first' && form.release === 'this',
    typedPerFilterConfig: encodeOverrides(config.filterConfigs, form),
    ...maxBodyBytes(config, form),
    ...encodePorts(config, form),
  });
}

/** A domain without port fits any port. Where some domain has one, Envoy's switch would hide it from the match. */
function encodePorts(
  { comparesPorts = false, virtualHosts }: RouteConfig,
  { release, workloadCertificate }: EncodeForm,
): Pick<MessageInitShape<typeof RouteConfigurationSchema>, 'ignorePortInHostMatching' | 'metadata'> {
  if (comparesPorts) return { ignorePortInHostMatching: false };
  const somePort = virtualHosts.some(({ domains }) => domains.some(hasPort));
  // Tulle's data plane is told that the others fit any port still; that of the release before knows it no other way.
  const isTold = somePort && release === 'this' && workloadCertificate.kind === 'own';
  const metadata = isTold ? tulleMetadata({ anyPort: true }) : undefined;
  return { ignorePortInHostMatching: !somePort, ...(metadata && { metadata }) };
}

/** Envoy refuses longer direct responses than 4 KiB unless it is told of them. */
const ENVOY_MAX_BODY_BYTES = 4_096;

function maxBodyBytes(
  { virtualHosts }: RouteConfig,
  { release }: EncodeForm,
): { maxDirectResponseBodySizeBytes?: number } {
  let most = 0;
  for (const { routes } of virtualHosts)
    for (const { action } of routes)
      if (action.kind === 'direct') most = Math.max(most, Buffer.byteLength(action.body ?? ''));
  return most > ENVOY_MAX_BODY_BYTES && release === 'this' ? { maxDirectResponseBodySizeBytes: most } : {};
}

const TLS_FOR = { all: TlsRequirement.ALL, external: TlsRequirement.EXTERNAL_ONLY } as const;

function hasPort(domain: string): boolean {
  return /:\d+$/.test(domain) && (domain.startsWith('[') || domain.indexOf(':') === domain.lastIndexOf(':'));
}

/** @param retries whether routes without a policy are retried as Tulle's chains retry by default */
function encodeVirtualHost(host: ModelVirtualHost, form: EncodeForm, retries: boolean): VirtualHost {
  refuseNotSent(host);
  return create(VirtualHostSchema, {
    name: host.name,
    domains: [...host.domains],
    routes: host.routes.flatMap((route) => {
      const encoded = encodeRoute(route, form);
      return form.workloadCertificate.kind === 'own' ? [encoded] : routesByMethod(encoded, retries);
    }),
    rateLimits: encodeRateLimits(host.rateLimits),
    ...encodeEditsOf(host, form.release),
    ...(host.requireTls && { requireTls: TLS_FOR[host.requireTls] }),
    includeRequestAttemptCount: host.attemptCount?.request ?? false,
    includeAttemptCountInResponse: host.attemptCount?.response ?? false,
    typedPerFilterConfig: encodeOverrides(host.filterConfigs, form),
  });
}

function encodeRoute(route: ModelRoute, form: EncodeForm): Route {
  const { action } = route;
  refuseNotSentOfRoute(route);
  const extra = tulleMetadata({
    invertedQuery: invertedQuery(route.match),
    invertedHeaders: form.release === 'this' ? invertedHeaders(route.match) : undefined,
    code: action.kind === 'direct' ? action.code : undefined,
    // Envoy keeps the port that was asked for; the release before knows no other way than Tulle's.
    retryOn:
      action.kind === 'forward' && form.release === 'this'
        ? retryReasons(route.filterConfigs?.[RETRY_FILTER])
        : undefined,
    retryBackoffMinMs:
      action.kind === 'forward' && form.release === 'this'
        ? retryBackoffMin(route.filterConfigs?.[RETRY_FILTER])
        : undefined,
    requestTimeoutHolds:
      action.kind === 'forward' && form.release === 'this' && isBoundTwice(action) ? true : undefined,
    redirectPort:
      action.kind === 'redirect' && action.port === undefined && form.release === 'this'
        ? 'derived'
        : undefined,
    // A client of the release before sheds no load, and would refuse what it does not know.
    priority: form.release === 'this' ? route.priority : undefined,
    trustIdempotencyKey: action.kind === 'forward' ? action.trustIdempotencyKey : undefined,
    persistence: persistenceOf(route, form),
  });
  return create(RouteSchema, {
    name: route.name,
    match: encodeRouteMatch(route.match, form.release),
    action: encodeAction(route, form),
    ...(extra && { metadata: extra }),
    ...encodeEditsOf(route, form.release),
    ...(action.kind === 'forward' &&
      action.maxReplayBytes !== undefined && { perRequestBufferLimitBytes: action.maxReplayBytes }),
    typedPerFilterConfig: encodeOverrides(route.filterConfigs, form, overrideInRetryPolicy(route)),
  });
}

/** Envoy has a filter for it that shows addresses and goes by weights first: it is not told, and the route's status says so. */
function persistenceOf({ action }: ModelRoute, form: EncodeForm): SessionPersistence | undefined {
  const isOwn = form.release === 'this' && form.workloadCertificate.kind === 'own';
  return action.kind === 'forward' && isOwn ? action.persistence : undefined;
}

function encodeAction({ match, action, filterConfigs }: ModelRoute, form: EncodeForm): Route['action'] {
  switch (action.kind) {
    case 'forward':
      return { case: 'route', value: encodeForward(action, match.path, filterConfigs, form) };
    case 'redirect':
      return { case: 'redirect', value: encodeRedirect(action, match.path) };
    case 'direct':
      return { case: 'directResponse', value: encodeDirectResponse(action) };
  }
}
