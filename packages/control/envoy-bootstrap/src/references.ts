import type { Listener, ProxyConfig, RouteConfig } from '@tulle/model';
import type { Listener as EnvoyListener } from '@tulle/xds-proto/envoy/config/listener/v3/listener';
import type { RouteConfiguration } from '@tulle/xds-proto/envoy/config/route/v3/route';
import {
  type HttpConnectionManager,
  HttpConnectionManagerSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import { openAny } from './types.ts';

const MANAGER = HttpConnectionManagerSchema.typeName;

/** A cluster that a route written into a listener names and that is not there. */
export interface MissingCluster {
  /** Index of the listener. */
  readonly listener: number;
  readonly routeConfig: string;
  readonly virtualHost: string;
  readonly cluster: string;
}

/**
 * Envoy refuses routes that are written into a listener and name a cluster that it does not have, unless they say that it need not be
 * there yet (`validate_clusters`, default true there).
 * @param unchecked whether these routes of a listener say so
 */
export function missingClusters(
  { listeners, clusters }: Pick<ProxyConfig, 'listeners' | 'clusters'>,
  unchecked: (listener: number, routeConfig: string) => boolean,
): MissingCluster[] {
  const known = new Set(clusters.map(({ name }) => name));
  return listeners.flatMap((listener, index) =>
    inlineRoutes(listener).flatMap((routes) =>
      unchecked(index, routes.name)
        ? []
        : routes.virtualHosts.flatMap((host) =>
            host.routes.flatMap(({ action }) => {
              const named =
                action.kind === 'forward' ? action.clusters.flatMap(({ name }) => name ?? []) : [];
              return named
                .filter((cluster) => cluster !== '' && !known.has(cluster))
                .map((cluster) => ({
                  listener: index,
                  routeConfig: routes.name,
                  virtualHost: host.name,
                  cluster,
                }));
            }),
          ),
    ),
  );
}

function inlineRoutes({ filterChains }: Listener): RouteConfig[] {
  return filterChains.flatMap(({ handler }) =>
    handler.kind === 'http'
      ? [handler, ...(handler.scopes?.scopes ?? [])].flatMap(({ routes }) =>
          'virtualHosts' in routes ? [routes] : [],
        )
      : [],
  );
}

/** Whether routes that are written into a listener say `validate_clusters: false`, by their name; those without have that of the listener. */
export function uncheckedRoutes({
  name,
  filterChains,
  defaultFilterChain,
}: EnvoyListener): ReadonlySet<string> {
  const chains = defaultFilterChain === undefined ? filterChains : [...filterChains, defaultFilterChain];
  return new Set(
    chains.flatMap(({ filters }) =>
      filters.flatMap(({ configType }) => {
        const found = configType.case === 'typedConfig' ? openAny(configType.value) : undefined;
        if (found?.$typeName !== MANAGER) return [];
        return inlineOf(found as HttpConnectionManager).flatMap((routes) =>
          routes.validateClusters === false ? [routes.name || name] : [],
        );
      }),
    ),
  );
}

function inlineOf({ routeSpecifier }: HttpConnectionManager): readonly RouteConfiguration[] {
  if (routeSpecifier.case === 'routeConfig') return [routeSpecifier.value];
  const specifier = routeSpecifier.case === 'scopedRoutes' ? routeSpecifier.value.configSpecifier : undefined;
  return specifier?.case === 'scopedRouteConfigurationsList'
    ? specifier.value.scopedRouteConfigurations.flatMap(({ routeConfiguration }) => routeConfiguration ?? [])
    : [];
}
