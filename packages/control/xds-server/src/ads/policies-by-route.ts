import {
  AUTHZ_FILTER,
  type AuthzFilterConfig,
  CORS_FILTER,
  type FilterChain,
  type FilterEntry,
  type HttpHandler,
  JWT_FILTER,
  type Listener,
  type ProxyConfig,
  type RouteConfig,
} from '@tulle/model';
import type { Snapshot } from '../provider.ts';

/** Gives snapshots in which inbound policies stand with the routes. */
export type PoliciesByRoute = (snapshot: Snapshot) => Snapshot;

/** Of a request that has no route, of which there are none but malformed ones. */
const CLOSED: AuthzFilterConfig = { policies: [], defaultAction: 'deny' };
/** No policy: whom the connection let in may call. */
const OPEN: AuthzFilterConfig = { policies: [], defaultAction: 'allow' };

/** Filters that run before authorization where both are there (decision D7). */
const BEFORE: ReadonlySet<string> = new Set([CORS_FILTER, JWT_FILTER]);

/**
 * Tulle's data plane judges every request by the newest policy. Envoy keeps the filters of a listener for the connections
 * that came under it, until it has drained them: ten minutes, if nobody says otherwise. Routes it takes anew for every
 * request. So for clients that are not Tulle's the policy of an inbound chain is an override of its route configuration,
 * which comes by RDS; the listener has the authorization filter always, closed, and does not change with a policy.
 */
export function createPoliciesByRoute(): PoliciesByRoute {
  // Weak, by what they were made of: what did not change stays the same object, and is neither encoded nor sent again.
  const listeners = new WeakMap<Listener, Split>();
  const snapshots = new WeakMap<ProxyConfig, Snapshot>();

  function split(listener: Listener): Split {
    const known = listeners.get(listener);
    if (known) return known;
    const routes = new Map<string, RouteConfig>();
    const filterChains = listener.filterChains.map((chain) => splitChain(chain, routes));
    const made: Split =
      listener.direction === 'inbound' && routes.size > 0
        ? { listener: { ...listener, filterChains }, routes: [...routes.values()] }
        : { listener, routes: [] };
    listeners.set(listener, made);
    return made;
  }

  return (snapshot) => {
    const known = snapshots.get(snapshot.config);
    if (known?.changeId === snapshot.changeId) return known;
    const parts = snapshot.config.listeners.map(split);
    const routes = parts.flatMap((part) => part.routes);
    const made: Snapshot =
      routes.length === 0
        ? snapshot
        : {
            ...snapshot,
            config: {
              ...snapshot.config,
              listeners: parts.map(({ listener }) => listener),
              routes: [...snapshot.config.routes, ...routes],
            },
          };
    snapshots.set(snapshot.config, made);
    return made;
  };
}

interface Split {
  readonly listener: Listener;
  readonly routes: readonly RouteConfig[];
}

/** @param routes takes the route configuration; chains may share one */
function splitChain(chain: FilterChain, routes: Map<string, RouteConfig>): FilterChain {
  const { handler } = chain;
  if (handler.kind !== 'http' || !('virtualHosts' in handler.routes)) return chain;
  const at = handler.filters.findIndex(
    ({ name, filter }) => name === AUTHZ_FILTER && filter === AUTHZ_FILTER,
  );
  const own = handler.filters[at];
  const inline = handler.routes;
  const route: RouteConfig = {
    ...inline,
    filterConfigs: { ...inline.filterConfigs, [AUTHZ_FILTER]: own?.config ?? OPEN },
  };
  const known = routes.get(inline.name);
  // Two chains whose policies differ have routes of their own.
  const name =
    known === undefined || JSON.stringify(known) === JSON.stringify(route)
      ? inline.name
      : `${inline.name}~${chain.name ?? routes.size}`;
  routes.set(name, { ...route, name });
  const closed: FilterEntry = { name: AUTHZ_FILTER, filter: AUTHZ_FILTER, config: CLOSED };
  const rest = handler.filters.filter((_, i) => i !== at);
  const place = at >= 0 ? at : rest.findLastIndex(({ filter }) => BEFORE.has(filter)) + 1;
  const moved: HttpHandler = {
    ...handler,
    filters: rest.toSpliced(place, 0, closed),
    routes: { routeConfigName: name },
  };
  return { ...chain, handler: moved };
}
