import type { Cluster, Listener, RouteConfig } from '@tulle/model';
import type { NamedKind } from '../wire.ts';
import { type Held, secretsOf, type Store } from './store.ts';

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

/** What has to be asked for by name: route configurations of listeners, endpoint sets of clusters, secrets of both. */
export type Needed = { readonly [Kind in NamedKind]: ReadonlySet<string> };

export function neededBy(listeners: Iterable<Held<Listener>>, clusters: Iterable<Held<Cluster>>): Needed {
  const route = new Set<string>();
  const endpoint = new Set<string>();
  const secret = new Set<string>();
  for (const held of listeners) {
    for (const name of routesOf(held.resource)) route.add(name);
    for (const name of secretsOf(held)) secret.add(name);
  }
  for (const held of clusters) {
    const name = endpointsOf(held.resource);
    if (name !== undefined) endpoint.add(name);
    for (const one of secretsOf(held)) secret.add(one);
  }
  return { route, endpoint, secret };
}

export function neededByStore(store: Pick<Store, 'listener' | 'cluster'>): Needed {
  return neededBy(store.listener.values(), store.cluster.values());
}
