import type { Listener, ProxyConfig, RouteConfig } from '@tulle/model';

/** A cluster that a route written into a listener names and that is not there. */
export interface MissingCluster {
  /** Index of the listener. */
  readonly listener: number;
  readonly routeConfig: string;
  readonly virtualHost: string;
  readonly cluster: string;
}

/**
 * Envoy refuses routes that are written into a listener and name a cluster that it does not have (`validate_clusters`, default true
 * there).
 */
export function missingClusters({
  listeners,
  clusters,
}: Pick<ProxyConfig, 'listeners' | 'clusters'>): MissingCluster[] {
  const known = new Set(clusters.map(({ name }) => name));
  return listeners.flatMap((listener, index) =>
    inlineRoutes(listener).flatMap((routes) =>
      routes.virtualHosts.flatMap((host) =>
        host.routes.flatMap(({ action }) => {
          const named = action.kind === 'forward' ? action.clusters.flatMap(({ name }) => name ?? []) : [];
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
