import type { Cluster, Listener, RouteConfig } from '@tulle/model';
import type { Store } from './store.ts';

/** Route configurations that a listener names. */
export function routesOf({ filterChains }: Listener): string[] {
  return filterChains.flatMap(({ handler }) =>
    handler.kind === 'http' && 'routeConfigName' in handler.routes ? [handler.routes.routeConfigName] : [],
  );
}

/** Clusters that a listener names by itself: bytes, and routes written into it. */
export function clustersOfListener({ filterChains }: Listener): string[] {
  return filterChains.flatMap(({ handler }) => {
    if (handler.kind === 'tcp') return handler.clusters.map(({ name }) => name);
    return 'virtualHosts' in handler.routes ? clustersOfRoutes(handler.routes) : [];
  });
}

/** Clusters that a route configuration names. */
export function clustersOfRoutes({ virtualHosts }: RouteConfig): string[] {
  return virtualHosts.flatMap(({ routes }) =>
    routes.flatMap(({ action }) =>
      action.kind === 'forward' ? action.clusters.map(({ name }) => name) : [],
    ),
  );
}

/** The endpoint set that a cluster waits for; `undefined` when it has its endpoints in itself. */
export function endpointsOf({ name, discovery }: Cluster): string | undefined {
  return discovery.kind === 'eds' ? (discovery.serviceName ?? name) : undefined;
}

/** What has to be asked for by name: route configurations of listeners, endpoint sets of clusters. */
export interface Needed {
  readonly route: ReadonlySet<string>;
  readonly endpoint: ReadonlySet<string>;
}

export function neededBy(listeners: Iterable<Listener>, clusters: Iterable<Cluster>): Needed {
  const route = new Set<string>();
  const endpoint = new Set<string>();
  for (const listener of listeners) for (const name of routesOf(listener)) route.add(name);
  for (const cluster of clusters) {
    const name = endpointsOf(cluster);
    if (name !== undefined) endpoint.add(name);
  }
  return { route, endpoint };
}

export function neededByStore(store: Pick<Store, 'listener' | 'cluster'>): Needed {
  return neededBy(
    [...store.listener.values()].map(({ resource }) => resource),
    [...store.cluster.values()].map(({ resource }) => resource),
  );
}
