import {
  FAULT_FILTER,
  type FilterConfigs,
  type Listener,
  type ProxyConfig,
  type RouteConfig,
} from '@tulle/model';
import type { Snapshot } from '../provider.ts';

/** Gives snapshots in which the faults of a channel stand with its routes, too. */
export type FaultsByRoute = (snapshot: Snapshot) => Snapshot;

/**
 * grpc-js (1.14) looks at a listener that it has already only when the routes change that it leads to, so a fault that
 * comes or goes with the listener alone is not noticed. Written into the routes as well, as an override that says the same, it is.
 */
export function createFaultsByRoute(): FaultsByRoute {
  // Weak, by what they were made of: what did not change stays the same object, and is neither encoded nor sent again.
  const routes = new WeakMap<RouteConfig, { readonly key: string; readonly config: RouteConfig }>();
  const snapshots = new WeakMap<ProxyConfig, Snapshot>();

  function withFaults(config: RouteConfig, faults: FilterConfigs): RouteConfig {
    const key = JSON.stringify(faults);
    const known = routes.get(config);
    if (known?.key === key) return known.config;
    const made = { ...config, filterConfigs: { ...faults, ...config.filterConfigs } };
    routes.set(config, { key, config: made });
    return made;
  }

  function make({ changeId, config }: Snapshot): Snapshot {
    const faults = new Map(config.listeners.flatMap(faultsOf));
    if (faults.size === 0) return { changeId, config };
    const changed = config.routes.map((one) => {
      const own = faults.get(one.name);
      return own === undefined ? one : withFaults(one, own);
    });
    return { changeId, config: { ...config, routes: changed } };
  }

  return (snapshot) => {
    let made = snapshots.get(snapshot.config);
    if (made?.changeId !== snapshot.changeId) snapshots.set(snapshot.config, (made = make(snapshot)));
    return made;
  };
}

/** By the route configuration that a chain's calls go by. */
function faultsOf({ direction, filterChains }: Listener): (readonly [string, FilterConfigs])[] {
  if (direction !== 'outbound') return [];
  return filterChains.flatMap(({ handler }) => {
    if (handler.kind !== 'http' || !('routeConfigName' in handler.routes)) return [];
    const faults = handler.filters.filter(
      ({ filter, disabled }) => filter === FAULT_FILTER && disabled !== true,
    );
    return faults.length === 0
      ? []
      : [
          [
            handler.routes.routeConfigName,
            Object.fromEntries(faults.map(({ name, config }) => [name, config])),
          ],
        ];
  });
}
