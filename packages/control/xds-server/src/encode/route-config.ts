import { create } from '@bufbuild/protobuf';
import type { Route as ModelRoute, RouteConfig, VirtualHost as ModelVirtualHost } from '@tulle/model';
import {
  type RouteConfiguration,
  RouteConfigurationSchema,
} from '@tulle/xds-proto/envoy/config/route/v3/route';
import {
  type Route,
  RouteSchema,
  type VirtualHost,
  VirtualHostSchema,
} from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import { encodeOverrides } from './filters.ts';
import type { EncodeForm } from './form.ts';
import { encodeToAdd } from './header-edits.ts';
import { encodeRouteMatch, invertedQuery } from './matchers.ts';
import { encodeRateLimits } from './rate-limit-actions.ts';
import {
  encodeDirectResponse,
  encodeForward,
  encodeRedirect,
  overrideInRetryPolicy,
} from './route-action.ts';
import { tulleMetadata } from './values.ts';

export function encodeRouteConfig(config: RouteConfig, form: EncodeForm): RouteConfiguration {
  return create(RouteConfigurationSchema, {
    name: config.name,
    virtualHosts: config.virtualHosts.map((host) => encodeVirtualHost(host, form)),
    // A domain without port matches any port. Where some domain has one, Envoy's switch would hide it from the match.
    ignorePortInHostMatching: !config.virtualHosts.some(({ domains }) => domains.some(hasPort)),
  });
}

function hasPort(domain: string): boolean {
  return /:\d+$/.test(domain) && (domain.startsWith('[') || domain.indexOf(':') === domain.lastIndexOf(':'));
}

function encodeVirtualHost(host: ModelVirtualHost, form: EncodeForm): VirtualHost {
  return create(VirtualHostSchema, {
    name: host.name,
    domains: [...host.domains],
    routes: host.routes.map((route) => encodeRoute(route, form)),
    rateLimits: encodeRateLimits(host.rateLimits),
    typedPerFilterConfig: encodeOverrides(host.filterConfigs, form),
  });
}

function encodeRoute(route: ModelRoute, form: EncodeForm): Route {
  const { action } = route;
  const extra = tulleMetadata({
    invertedQuery: invertedQuery(route.match),
    code: action.kind === 'direct' ? action.code : undefined,
    // A client of the release before sheds no load, and would refuse what it does not know.
    priority: form.release === 'this' ? route.priority : undefined,
    trustIdempotencyKey: action.kind === 'forward' ? action.trustIdempotencyKey : undefined,
  });
  return create(RouteSchema, {
    name: route.name,
    match: encodeRouteMatch(route.match),
    action: encodeAction(route, form),
    ...(extra && { metadata: extra }),
    requestHeadersToAdd: encodeToAdd(route.requestHeaders),
    requestHeadersToRemove: [...(route.requestHeaders?.remove ?? [])],
    responseHeadersToAdd: encodeToAdd(route.responseHeaders),
    responseHeadersToRemove: [...(route.responseHeaders?.remove ?? [])],
    typedPerFilterConfig: encodeOverrides(route.filterConfigs, form, overrideInRetryPolicy(route)),
  });
}

function encodeAction({ action, filterConfigs }: ModelRoute, form: EncodeForm): Route['action'] {
  switch (action.kind) {
    case 'forward':
      return { case: 'route', value: encodeForward(action, filterConfigs, form) };
    case 'redirect':
      return { case: 'redirect', value: encodeRedirect(action) };
    case 'direct':
      return { case: 'directResponse', value: encodeDirectResponse(action) };
  }
}
