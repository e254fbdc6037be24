import type { FilterConfigs } from '@tulle/model';
import {
  isPolicyAt,
  type FilterPolicy,
  type GatewayListener,
  type MergedGateway,
  type RequestRoute,
  type RouteRule,
} from '@tulle/resources';
import type { ProxyNode } from '../node.ts';
import type { World } from '../world.ts';
import type { MeshSettings } from './clusters.ts';
import { chainOf, localRepliesOf, slotOf, type ChainFilters } from './filters.ts';

/** FilterPolicies of a Gateway, of its listeners and of the routes that come in there. */
export class GatewayFilters {
  readonly #merged: MergedGateway;
  readonly #policies: readonly FilterPolicy[];
  readonly #node: ProxyNode;
  readonly #mesh: MeshSettings;

  constructor(
    world: World,
    merged: MergedGateway,
    routes: readonly RequestRoute[],
    node: ProxyNode,
    mesh: MeshSettings,
  ) {
    const namespaces = new Set(
      [merged.gateway, ...merged.sets, ...routes].map(({ metadata }) => metadata.namespace),
    );
    this.#merged = merged;
    this.#node = node;
    this.#mesh = mesh;
    this.#policies = [...namespaces]
      .flatMap((namespace) => [...world.in('FilterPolicy', namespace)])
      .filter(
        (policy) =>
          merged.listeners.some((listener) => this.#ofListener(policy, listener)) ||
          routes.some((route) => ofRoute(policy, route)),
      );
  }

  /** The chain for connections of `listeners`, which share a port. What is not for all that comes in there is no chain's to insist on. */
  chain(listeners: readonly GatewayListener[], routes: readonly RequestRoute[]): ChainFilters {
    const here = this.#policies.filter(
      (policy) =>
        listeners.some((listener) => this.#ofListener(policy, listener)) ||
        routes.some((route) => ofRoute(policy, route)),
    );
    const chain = chainOf(here, this.#node, this.#mesh);
    const everywhere = new Set(
      here
        .filter((policy) => listeners.every((listener) => this.#ofListener(policy, listener)))
        .map((policy) => slotOf(policy)),
    );
    return {
      ...chain,
      localReplies: localRepliesOf(
        here.filter((policy) => everywhere.has(slotOf(policy))),
        this.#mesh,
      ),
      http: chain.http.map(({ phase, entry }) => {
        if (everywhere.has(entry.name)) return { phase, entry };
        const { mandatory: _, ...rest } = entry;
        return { phase, entry: rest };
      }),
    };
  }

  /**
   * Filters for whoever connects to a port, before it is known which of its listeners that is for: by policies for all of these,
   * or for the Gateway or a listener of its own. A ListenerSet has no say over the connections of others.
   * @param listeners those of the port
   */
  port(listeners: readonly GatewayListener[]): Pick<ChainFilters, 'connection' | 'lacking'> {
    const { gateway } = this.#merged;
    const own = listeners.filter((listener) => this.#merged.ownerOf(listener) === gateway);
    const here = this.#policies.filter(
      (policy) =>
        own.some((listener) => this.#ofListener(policy, listener)) ||
        listeners.every((listener) => this.#ofListener(policy, listener)),
    );
    return chainOf(here, this.#node, this.#mesh);
  }

  /**
   * Overrides of what comes in at `listener`, by `rule` of `route` or, without one, by no route: filters that are for others
   * are removed. `lacking`: mandatory filters for it that the proxy does not have.
   */
  at(
    chain: ChainFilters,
    listener: GatewayListener,
    route?: RequestRoute,
    rule?: RouteRule,
  ): { readonly overrides: FilterConfigs; readonly lacking: readonly string[] } {
    const here = this.#policies.filter(
      (policy) => this.#ofListener(policy, listener) || (route !== undefined && ofRoute(policy, route, rule)),
    );
    const slots = new Set(here.map(slotOf));
    const removed = chain.http.filter(({ entry }) => !slots.has(entry.name));
    return {
      overrides: Object.fromEntries(removed.map(({ entry }) => [entry.name, null])),
      lacking: this.#lacking(here),
    };
  }

  /** Mandatory filters for `listener` that the proxy does not have. */
  lackingAt(listener: GatewayListener): readonly string[] {
    return this.#lacking(this.#policies.filter((policy) => this.#ofListener(policy, listener)));
  }

  #lacking(policies: readonly FilterPolicy[]): readonly string[] {
    return policies
      .filter(({ spec }) => spec.mandatory === true && !this.#node.filters.has(spec.filter))
      .map(slotOf);
  }

  #ofListener(policy: FilterPolicy, listener: GatewayListener): boolean {
    return isPolicyAt(policy, this.#merged, listener);
  }
}

/** Every filter that the process of a Gateway is to have somewhere. */
export function filtersOfGateway(
  world: World,
  node: ProxyNode,
  mesh: MeshSettings,
): ChainFilters | undefined {
  const at = { namespace: node.namespace, name: node.serviceAccount };
  const gateway = world.get('Gateway', at.namespace, at.name);
  if (node.gateway === undefined || gateway === undefined) return undefined;
  const merged = world.merged(gateway);
  const routes = routesOfGateway(world, merged);
  return new GatewayFilters(world, merged, routes, node, mesh).chain(merged.listeners, routes);
}

/** Whether a policy is for a route, or for this rule of it. */
function ofRoute({ metadata, spec }: FilterPolicy, route: RequestRoute, rule?: RouteRule): boolean {
  return (
    metadata.namespace === route.metadata.namespace &&
    (spec.targetRefs ?? []).some(
      (t) =>
        t.kind === route.kind &&
        t.name === route.metadata.name &&
        (t.sectionName === undefined || rule === undefined || t.sectionName === rule.name),
    )
  );
}

/** Routes that name a Gateway or a ListenerSet of it, in a stable order. */
export function routesOfGateway(world: World, merged: MergedGateway): readonly RequestRoute[] {
  const key = ({ metadata }: RequestRoute): string => `${metadata.namespace}/${metadata.name}`;
  return world.routesAt(merged).toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
}
