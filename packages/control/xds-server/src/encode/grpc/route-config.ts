import { create } from '@bufbuild/protobuf';
import {
  type FilterConfigs,
  type RouteConfig,
  RETRY_FILTER,
  type Route as ModelRoute,
  type VirtualHost,
} from '@tulle/model';
import {
  type RouteConfiguration,
  RouteConfigurationSchema,
} from '@tulle/xds-proto/envoy/config/route/v3/route';
import {
  NonForwardingActionSchema,
  type Route,
  RouteSchema,
  type VirtualHost as WireHost,
  VirtualHostSchema,
} from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import { versionOf } from '../wire-resource.ts';
import { encodeGrpcOverrides } from './filters.ts';
import { encodeGrpcForward } from './forward.ts';
import { encodeGrpcMatch } from './match.ts';
import { refuse, refuseFields } from './refuse.ts';
import { encodeGrpcRetry } from './retry.ts';

const NO_EDITS = {
  requestHeaders: 'gRPC clients change no metadata of calls',
  responseHeaders: 'gRPC clients change no metadata of answers',
} as const;

/** Routes of a gRPC channel (gRFC A28, A31, A44). What only a proxy could do is refused by path. */
export function encodeGrpcRoutes(config: RouteConfig): RouteConfiguration {
  refuseFields('', config, {
    ...NO_EDITS,
    hostHeader: 'gRPC clients find virtual hosts by what they call',
  });
  return create(RouteConfigurationSchema, {
    name: config.name,
    virtualHosts: config.virtualHosts.map((host, i) =>
      encodeHost(host, config.filterConfigs, `/virtualHosts/${i}`),
    ),
  });
}

/** @param all overrides for every host, which gRPC reads of hosts only */
function encodeHost(host: VirtualHost, all: FilterConfigs | undefined, path: string): WireHost {
  refuseFields(path, host, {
    ...NO_EDITS,
    rateLimits: 'gRPC has no rate limits',
    requireTls: 'gRPC has no redirects',
    attemptCount: 'gRPC tells nobody of its attempts',
  });
  const overrides = { ...all, ...host.filterConfigs };
  const retryPolicy = encodeGrpcRetry(host.filterConfigs?.[RETRY_FILTER]);
  return create(VirtualHostSchema, {
    name: named(host.name, overrides),
    domains: [...host.domains],
    routes: host.routes.flatMap((route, i) => encodeRoute(route, `${path}/routes/${i}`)),
    ...(retryPolicy && { retryPolicy }),
    typedPerFilterConfig: encodeGrpcOverrides(overrides, path),
  });
}

/** Nothing for a route that no call can match: calls are POSTs without a query. */
function encodeRoute(route: ModelRoute, path: string): Route[] {
  const match = encodeGrpcMatch(route.match, `${path}/match`);
  if (match === undefined) return [];
  refuseFields(path, route, NO_EDITS);
  return [
    create(RouteSchema, {
      name: named(route.name, route.filterConfigs),
      match,
      action: encodeAction(route, path),
      typedPerFilterConfig: encodeGrpcOverrides(route.filterConfigs, path),
    }),
  ];
}

/**
 * A name that is another one with other overrides: grpc-js (1.14) takes two resources for equal that differ by an entry more in a
 * map, and names mean nothing to it.
 */
function named(name: string, overrides: FilterConfigs | undefined): string {
  const text = JSON.stringify(Object.entries(overrides ?? {}).filter(([slot]) => slot !== RETRY_FILTER));
  return text === '[]' ? name : `${name} ${versionOf(Buffer.from(text))}`;
}

function encodeAction({ action, filterConfigs }: ModelRoute, path: string): Route['action'] {
  switch (action.kind) {
    case 'forward':
      return { case: 'route', value: encodeGrpcForward(action, filterConfigs, `${path}/action`) };
    case 'direct':
      // A client fails calls of such a route, with UNAVAILABLE (gRFC A36).
      if (action.status < 400) return refuse(`${path}/action`, 'gRPC clients do not answer themselves');
      return { case: 'nonForwardingAction', value: create(NonForwardingActionSchema) };
    case 'redirect':
      return refuse(`${path}/action`, 'gRPC follows no redirects');
  }
}
