import type { FilterChain, Listener, RouteConfig, RouteScope, VirtualHost } from '@tulle/model';
import type { ResourceKind } from '../wire.ts';
import type { ResourceModel, VirtualHostModel } from './resource.ts';

/**
 * Gives filter chains, routes and the route configuration of a listener a name where they have none: Envoy's may go without, and dumps,
 * records and explanations here say everything by name. The name is the place.
 */
export function fillNames(kind: ResourceKind, resource: ResourceModel): ResourceModel {
  if (kind === 'listener') return namedListener(resource as Listener);
  if (kind === 'route') return namedRoutes(resource as RouteConfig, '');
  if (kind === 'scoped-route') return namedScope(resource as RouteScope);
  if (kind !== 'virtual-host') return resource;
  const { name, virtualHost } = resource as VirtualHostModel;
  return { name, virtualHost: namedHost(virtualHost) };
}

function namedListener(listener: Listener): Listener {
  if (listener.name === '') return listener;
  return {
    ...listener,
    filterChains: listener.filterChains.map((chain, index): FilterChain => {
      const { handler } = chain;
      const routes = handler.kind === 'http' && 'virtualHosts' in handler.routes ? handler.routes : undefined;
      return {
        ...chain,
        name: chain.name === '' ? `chain-${index}` : chain.name,
        handler:
          handler.kind === 'http' && routes !== undefined
            ? {
                ...handler,
                routes: namedRoutes(routes, listener.name),
                ...(handler.scopes && {
                  scopes: { ...handler.scopes, scopes: handler.scopes.scopes.map(namedScope) },
                }),
              }
            : handler,
      };
    }),
  };
}

function namedScope(scope: RouteScope): RouteScope {
  return 'virtualHosts' in scope.routes ? { ...scope, routes: namedRoutes(scope.routes, scope.name) } : scope;
}

function namedRoutes(config: RouteConfig, fallback: string): RouteConfig {
  return {
    ...config,
    name: config.name === '' ? fallback : config.name,
    virtualHosts: config.virtualHosts.map(namedHost),
  };
}

function namedHost(host: VirtualHost): VirtualHost {
  return {
    ...host,
    routes: host.routes.map((route, index) =>
      route.name === '' ? { ...route, name: `${host.name}/${index}` } : route,
    ),
  };
}
