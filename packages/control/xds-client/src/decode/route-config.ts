import { RETRY_FILTER } from '@tulle/model';
import type {
  FilterConfigs,
  Route as ModelRoute,
  RouteConfig,
  RoutePriority,
  VirtualHost as ModelVirtualHost,
} from '@tulle/model';
import type { RouteConfiguration } from '@tulle/xds-proto/envoy/config/route/v3/route';
import type { Route, VirtualHost } from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import type { DecodeContext } from './context.ts';
import { readExtras, type Extras } from './extras.ts';
import { decodeOverrides } from './filters.ts';
import { decodeHeaderEdits } from './header-edits.ts';
import { decodeRouteMatch } from './matchers.ts';
import { decodeRateLimits } from './rate-limit-actions.ts';
import { decodeRetry } from './retry.ts';
import { decodeDirectResponse, decodeForward, decodeRedirect } from './route-action.ts';
import { present } from './values.ts';

/** @param path of the message, `''` when it is a resource of its own */
export function decodeRouteConfig(
  context: DecodeContext,
  config: RouteConfiguration,
  path: string,
): RouteConfig {
  const base = path === '' ? '' : `${path}.`;
  if (config.validateClusters === true)
    context.refuse(`${base}validate_clusters`, 'must be false; a route to an unknown cluster answers 503');
  if (config.ignorePortInHostMatching) {
    for (const [index, { domains }] of config.virtualHosts.entries()) {
      const withPort = domains.find((domain) => /^[^:]*:\d+$|\]:\d+$/.test(domain));
      if (withPort !== undefined)
        context.refuse(
          `${base}virtual_hosts[${index}].domains`,
          `"${withPort}" has a port, and ignore_port_in_host_matching is set`,
        );
    }
  }
  checkUnique(
    context,
    config.virtualHosts.map(({ name }) => name),
    `${base}virtual_hosts`,
    'virtual host',
  );
  return {
    name: config.name,
    virtualHosts: config.virtualHosts.map((host, index) =>
      decodeVirtualHost(context, host, `${base}virtual_hosts[${index}]`),
    ),
  };
}

function checkUnique(context: DecodeContext, names: readonly string[], path: string, what: string): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (name !== '' && seen.has(name)) context.refuse(path, `holds two ${what}s named "${name}"`);
    seen.add(name);
  }
}

function decodeVirtualHost(context: DecodeContext, host: VirtualHost, path: string): ModelVirtualHost {
  const retry = decodeRetry(context, host.retryPolicy, `${path}.retry_policy`);
  if (host.retryPolicy?.perTryTimeout)
    context.refuse(`${path}.retry_policy.per_try_timeout`, 'can only be set on a route');
  return present({
    name: host.name,
    domains: host.domains,
    rateLimits: decodeRateLimits(context, host.rateLimits, `${path}.rate_limits`),
    routes: host.routes.map((route, index) => decodeRoute(context, route, `${path}.routes[${index}]`)),
    filterConfigs: merged(
      retry && { [RETRY_FILTER]: retry },
      decodeOverrides(context, host.typedPerFilterConfig, `${path}.typed_per_filter_config`),
    ),
  });
}

/** What the policy fields say, and above it what the filter configs say. */
function merged(
  implied: FilterConfigs | undefined,
  given: FilterConfigs | undefined,
): FilterConfigs | undefined {
  return implied || given ? { ...implied, ...given } : undefined;
}

function decodeRoute(context: DecodeContext, route: Route, path: string): ModelRoute {
  const extras = readExtras(context, route.metadata, path);
  const match = decodeRouteMatch(context, route.match, extras.list('invertedQuery') ?? [], `${path}.match`);
  const { action, overrides } = decodeAction(context, route, extras, path);
  const priority = decodePriority(context, extras.text('priority'), path);
  extras.end();
  return present({
    name: route.name,
    match,
    action,
    priority,

    requestHeaders: decodeHeaderEdits(
      context,
      route.requestHeadersToAdd,
      route.requestHeadersToRemove,
      `${path}.request_headers_to_add`,
    ),
    responseHeaders: decodeHeaderEdits(
      context,
      route.responseHeadersToAdd,
      route.responseHeadersToRemove,
      `${path}.response_headers_to_add`,
    ),
    filterConfigs: merged(
      overrides,
      decodeOverrides(context, route.typedPerFilterConfig, `${path}.typed_per_filter_config`),
    ),
  });
}

function decodePriority(
  context: DecodeContext,
  said: string | undefined,
  path: string,
): RoutePriority | undefined {
  const priority = PRIORITIES.find((one) => one === said);
  if (said !== undefined && priority === undefined)
    context.refuse(path, `priority must be ${PRIORITIES.join(', ')}, but is ${JSON.stringify(said)}`);
  return priority;
}

const PRIORITIES: readonly RoutePriority[] = ['low', 'default', 'high', 'critical'];

function decodeAction(
  context: DecodeContext,
  { action }: Route,
  extras: Extras,
  path: string,
): { action: ModelRoute['action']; overrides?: FilterConfigs } {
  // Each is asked for whatever the action is, so that it is known, and heeded where it means something.
  const code = extras.text('code');
  const trustIdempotencyKey = extras.flag('trustIdempotencyKey');
  switch (action.case) {
    case 'route': {
      const decoded = decodeForward(context, action.value, `${path}.route`);
      const forward = { ...decoded, action: present({ ...decoded.action, trustIdempotencyKey }) };
      return Object.keys(forward.overrides).length > 0 ? forward : { action: forward.action };
    }
    case 'redirect':
      return { action: decodeRedirect(context, action.value, `${path}.redirect`) };
    case 'directResponse':
      return { action: decodeDirectResponse(context, action.value, code, `${path}.direct_response`) };
    default: // filter_action and non_forwarding_action are reported by the field walk
      if (action.case === undefined)
        context.refuse(path, 'names no action: give route, redirect or direct_response');
      return { action: { kind: 'direct', status: 500 } };
  }
}
