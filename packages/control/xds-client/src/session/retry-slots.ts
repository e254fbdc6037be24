import {
  RETRY_FILTER,
  type Cluster,
  type FilterConfigs,
  type FilterEntry,
  type Listener,
  type RouteConfig,
} from '@tulle/model';

/** Slot for routes to switch on. */
const OFF: FilterEntry = { name: RETRY_FILTER, filter: RETRY_FILTER, config: { retries: 0 } };

/** Listeners with the slot, by those without: the same stays the same object, whose chain is not built anew. */
const withSlot = new WeakMap<Listener, Map<string, Listener>>();
const asking = new WeakMap<RouteConfig, boolean>();

/**
 * In Envoy the router retries where a route says so. Here a filter does, so a chain without one gets it at its end,
 * switched off, where its routes have something to say to it; a chain whose routes do not has no such filter. Of clusters that have
 * something to say each may be the one of any chain.
 * @param routes by name
 * @param clusters there are
 */
export function addRetrySlots(
  listener: Listener,
  routes: (name: string) => RouteConfig | undefined,
  clusters: readonly Cluster[],
): Listener {
  const everywhere = clusters.some(({ retry }) => retry !== undefined);
  const wanting = listener.filterChains.flatMap(({ handler }, index) => {
    if (handler.kind !== 'http' || handler.filters.some(({ name }) => name === RETRY_FILTER)) return [];
    if (everywhere) return [index];
    const used = [handler, ...(handler.scopes?.scopes ?? [])].map(({ routes: own }) =>
      'virtualHosts' in own ? own : routes(own.routeConfigName),
    );
    return used.some((one) => one !== undefined && asksForRetries(one)) ? [index] : [];
  });
  if (wanting.length === 0) return listener;
  const variants = withSlot.get(listener) ?? new Map<string, Listener>();
  withSlot.set(listener, variants);
  const key = wanting.join();
  const known = variants.get(key);
  if (known !== undefined) return known;
  const made: Listener = {
    ...listener,
    filterChains: listener.filterChains.map((chain, index) =>
      chain.handler.kind === 'http' && wanting.includes(index)
        ? { ...chain, handler: { ...chain.handler, filters: [...chain.handler.filters, OFF] } }
        : chain,
    ),
  };
  variants.set(key, made);
  return made;
}

function asksForRetries(config: RouteConfig): boolean {
  const known = asking.get(config);
  if (known !== undefined) return known;
  const asks = ({ filterConfigs }: { readonly filterConfigs?: FilterConfigs }): boolean =>
    filterConfigs !== undefined && Object.hasOwn(filterConfigs, RETRY_FILTER);
  const found = config.virtualHosts.some(
    (host) =>
      asks(host) ||
      host.routes.some(
        (route) => asks(route) || (route.action.kind === 'forward' && route.action.clusters.some(asks)),
      ),
  );
  asking.set(config, found);
  return found;
}
