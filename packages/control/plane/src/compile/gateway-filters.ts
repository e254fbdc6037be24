import type { FilterConfigs } from '@tulle/model';
import {
  gatewayParents,
  type FilterPolicy,
  type Gateway,
  type GatewayListener,
  type RequestRoute,
  type RouteRule,
} from '@tulle/resources';
import type { ProxyNode } from '../node.ts';
import { gatewayKey, type World } from '../world.ts';
import type { MeshSettings } from './clusters.ts';
import { chainOf, localRepliesOf, slotOf, type ChainFilters } from './filters.ts';

/** FilterPolicies of a Gateway, of its listeners and of the routes that come in there. */
export class GatewayFilters {
  readonly #gateway: Gateway;
  readonly #policies: readonly FilterPolicy[];
  readonly #node: ProxyNode;
  readonly #mesh: MeshSettings;

  constructor(
    world: World,
    gateway: Gateway,
    routes: readonly RequestRoute[],
    node: ProxyNode,
    mesh: MeshSettings,
  ) {
    const namespaces = new Set([gateway.metadata.namespace, ...routes.map((r) => r.metadata.namespace)]);
    this.#gateway = gateway;
    this.#node = node;
    this.#mesh = mesh;
    this.#policies = [...namespaces]
      .flatMap((namespace) => [...world.in('FilterPolicy', namespace)])
      .filter(
        (policy) =>
          gateway.spec.listeners.some((listener) => this.#ofListener(policy, listener)) ||
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
      lacking: here
        .filter((p) => p.spec.mandatory === true && !this.#node.filters.has(p.spec.filter))
        .map(slotOf),
    };
  }

  #ofListener({ metadata, spec }: FilterPolicy, listener: GatewayListener): boolean {
    const { namespace, name } = this.#gateway.metadata;
    return (
      metadata.namespace === namespace &&
      (spec.targetRefs ?? []).some(
        (t) =>
          t.kind === 'Gateway' &&
          t.name === name &&
          (t.sectionName === undefined || t.sectionName === listener.name),
      )
    );
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
  const routes = routesOfGateway(world.routesOf(gatewayKey(at)), gateway);
  return new GatewayFilters(world, gateway, routes, node, mesh).chain(gateway.spec.listeners, routes);
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

/** Routes that name a Gateway, in a stable order. */
export function routesOfGateway(routes: Iterable<RequestRoute>, gateway: Gateway): readonly RequestRoute[] {
  const key = ({ metadata }: RequestRoute): string => `${metadata.namespace}/${metadata.name}`;
  return [...routes]
    .filter((route) => gatewayParents(route, gateway).length > 0)
    .toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
}
