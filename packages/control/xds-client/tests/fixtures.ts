import type { Cluster, EndpointSet, Listener, ProxyConfig, RouteConfig } from '@tulle/model';

/** Small models with the references that matter: listener → routes → cluster → endpoints. */

export function listenerTo(
  routeConfigName: string,
  name: string = `listener-${routeConfigName}`,
  port: number = 8080,
): Listener {
  return {
    name,
    address: { host: '127.0.0.1', port },
    filterChains: [
      {
        name: 'http',
        handler: { kind: 'http', routes: { routeConfigName }, filters: [], allowUpgrades: ['websocket'] },
      },
    ],
  };
}

export function routesTo(name: string, ...clusters: readonly string[]): RouteConfig {
  return {
    name,
    virtualHosts: [
      {
        name: 'all',
        domains: ['*'],
        routes: [
          {
            name: 'r',
            match: { path: { kind: 'prefix', value: '/' } },
            action: { kind: 'forward', clusters: clusters.map((cluster) => ({ name: cluster })) },
          },
        ],
      },
    ],
  };
}

export function edsCluster(name: string, connectTimeoutMs: number = 1000): Cluster {
  return { name, discovery: { kind: 'eds' }, connectTimeoutMs };
}

export function endpointsAt(name: string, ...ports: readonly number[]): EndpointSet {
  return { name, endpoints: ports.map((port) => ({ address: { host: '10.0.0.1', port } })) };
}

export function config(parts: Partial<ProxyConfig>): ProxyConfig {
  return { version: '', listeners: [], routes: [], clusters: [], endpoints: [], ...parts };
}

/** A service with everything it needs. */
export function service(name: string, port: number = 9000): ProxyConfig {
  return config({
    listeners: [listenerTo(name)],
    routes: [routesTo(name, name)],
    clusters: [edsCluster(name)],
    endpoints: [endpointsAt(name, port)],
  });
}

/** All parts of several configurations. */
export function together(...configs: readonly ProxyConfig[]): ProxyConfig {
  return config({
    listeners: configs.flatMap(({ listeners }) => listeners),
    routes: configs.flatMap(({ routes }) => routes),
    clusters: configs.flatMap(({ clusters }) => clusters),
    endpoints: configs.flatMap(({ endpoints }) => endpoints),
  });
}
