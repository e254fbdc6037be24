import type { Cluster, Listener, RouteConfig, RouteScope, VirtualHost } from '@tulle/model';
import type { NamedKind } from '../wire.ts';
import { ALL_SCOPES, discoversScopes } from './scopes.ts';
import { type Held, partsOf, type Store } from './store.ts';
import { discoversHosts } from './virtual-hosts.ts';

/** Route configurations that a listener names by itself, with those of scopes that are written into it. */
export function routesOf({ filterChains }: Listener): string[] {
  return filterChains.flatMap(({ handler }) =>
    handler.kind === 'http' ? [handler, ...(handler.scopes?.scopes ?? [])].flatMap(routesOfScope) : [],
  );
}

/** The route configuration that a scope names, where it names one. */
export function routesOfScope({ routes }: Pick<RouteScope, 'routes'>): string[] {
  return 'routeConfigName' in routes ? [routes.routeConfigName] : [];
}

/** Clusters that the routes written into a scope name. */
export function clustersOfScope({ routes }: Pick<RouteScope, 'routes'>): string[] {
  return 'virtualHosts' in routes ? clustersOfRoutes(routes) : [];
}

/** Clusters that a listener names by itself: bytes, and routes written into it. */
export function clustersOfListener({ filterChains, udp }: Listener): string[] {
  const ofDatagrams = (udp?.clusters ?? []).map(({ name }) => name);
  const ofConnections = filterChains.flatMap(({ handler }) => {
    if (handler.kind === 'tcp') return handler.clusters.map(({ name }) => name);
    const bytes = (handler.otherwise?.clusters ?? []).map(({ name }) => name);
    return [...bytes, ...[handler, ...(handler.scopes?.scopes ?? [])].flatMap(clustersOfScope)];
  });
  return [...ofDatagrams, ...ofConnections];
}

/** Clusters that a route configuration names. */
export function clustersOfRoutes({ virtualHosts }: RouteConfig): string[] {
  return clustersOfHosts(virtualHosts);
}

export function clustersOfHosts(virtualHosts: readonly VirtualHost[]): string[] {
  return virtualHosts.flatMap(({ routes }) =>
    routes.flatMap(({ action }) =>
      action.kind === 'forward' ? action.clusters.flatMap(({ name }) => name ?? []) : [],
    ),
  );
}

/** The endpoint set that a cluster waits for; `undefined` when it has its endpoints in itself. */
export function endpointsOf({ name, discovery }: Cluster): string | undefined {
  return discovery.kind === 'eds' ? (discovery.serviceName ?? name) : undefined;
}

/** What has to be asked for by name: route configurations of listeners, virtual hosts of those, endpoint sets of clusters, parts of all. */
export type Needed = { readonly [Kind in NamedKind]: ReadonlySet<string> };

/** Resources that name others. */
interface Naming {
  readonly listeners: Iterable<Held<Listener>>;
  readonly scopes: Iterable<Held<RouteScope>>;
  readonly routes: Iterable<readonly [name: string, Held<RouteConfig>]>;
  readonly clusters: Iterable<Held<Cluster>>;
}

/** @param hosts names of virtual hosts that requests asked for, by their route configuration */
export function neededBy(
  { listeners, scopes, routes, clusters }: Naming,
  hosts: (routes: string) => Iterable<string> = () => [],
): Needed {
  const needed = {
    route: new Set<string>(),
    'virtual-host': new Set<string>(),
    'scoped-route': new Set<string>(),
    endpoint: new Set<string>(),
    secret: new Set<string>(),
    extension: new Set<string>(),
  };
  for (const held of listeners) {
    for (const name of routesOf(held.resource)) needed.route.add(name);
    for (const { kind, name } of partsOf(held)) needed[kind].add(name);
    if (discoversScopes(held)) needed['scoped-route'].add(ALL_SCOPES);
  }
  if (needed['scoped-route'].size > 0)
    for (const { resource } of scopes) for (const name of routesOfScope(resource)) needed.route.add(name);
  for (const [name, held] of routes) {
    if (!needed.route.has(name) || !discoversHosts(held)) continue;
    needed['virtual-host'].add(name);
    for (const host of hosts(name)) needed['virtual-host'].add(host);
  }
  for (const held of clusters) {
    const name = endpointsOf(held.resource);
    if (name !== undefined) needed.endpoint.add(name);
    for (const part of partsOf(held)) needed[part.kind].add(part.name);
  }
  return needed;
}

export function neededByStore(store: Pick<Store, 'listener' | 'scoped-route' | 'route' | 'cluster'>): Needed {
  return neededBy({
    listeners: store.listener.values(),
    scopes: store['scoped-route'].values(),
    routes: store.route,
    clusters: store.cluster.values(),
  });
}

/** A listener whose routes did not come in time answers 404 to everything rather than not at all. */
export function withEmptyRoutes(store: Store): Store {
  const missing = [...neededByStore(store).route].filter((name) => !store.route.has(name));
  if (missing.length === 0) return store;
  return {
    ...store,
    route: new Map([
      ...store.route,
      ...missing.map((name): [string, Held<RouteConfig>] => [
        name,
        { version: '', resource: { name, virtualHosts: [] } },
      ]),
    ]),
  };
}
