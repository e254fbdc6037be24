import type { FilterChain, Listener, Route, RouteConfig } from '@tulle/model';
import {
  connectionPorts,
  FILTER_PHASES,
  isAttachedTo,
  isDeclaredPort,
  isExternal,
  isHttpPort,
  serviceSelects,
  waypointProblem,
  type Gateway,
  type Service,
  type ServicePort,
  type Workload,
} from '@tulle/resources';
import type { NodeGateway, ProxyNode } from '../node.ts';
import { gatewayKey } from '../parents.ts';
import { workloadsIn } from '../slices.ts';
import type { Touched } from '../touched.ts';
import { backendsOf } from './backends.ts';
import { hostOfService, outboundName, workloadsBehind, type Backend } from './clusters.ts';
import { corsEntry } from './cors.ts';
import { withAuth } from './external-auth.ts';
import type { CompiledGateway } from './gateway.ts';
import { withoutCallers } from './gateway-entries.ts';
import { boundAt, listenerNameOf } from './gateway-listeners.ts';
import { trustedForwarders } from './inbound.ts';
import { asksOfRequests } from './layer4-policy.ts';
import { REFUSE } from './mtls.ts';
import { retryEntry } from './retries.ts';
import type { SharedResources } from './shared.ts';
import { refuseAll } from './upstream.ts';
import { waypointFilters } from './waypoint-filters.ts';
import { connectionEntries, policySets, requestPolicies, type PolicySets } from './waypoint-policies.ts';

/** A port of a Service at its waypoint. */
interface CompiledPort {
  readonly chain: FilterChain;
  readonly routes?: RouteConfig;
  readonly backends: readonly Backend[];
  /** Services (`ns/name`) that it depends on. */
  readonly services: readonly string[];
  /** {@link World.stamp} of the services when it was made. */
  readonly stamp: number;
  /** Namespaces whose policies it asks. */
  readonly namespaces: readonly string[];
  /** Those that it leads to: what policies say of their Services is asked. */
  readonly workloads: readonly Workload[];
}

/**
 * A waypoint for a process that serves it: one listener for tunnels, with a chain for each port of each Service that asks for
 * it, by the authority of the tunnel. What policies and routes say of the Service happens there, to whoever calls it. Made
 * again are only the ports that may have become others since.
 */
export class WaypointCompiler {
  readonly #shared: SharedResources;
  readonly #node: ProxyNode;
  readonly #serving: NodeGateway;
  /** By name. */
  #ports = new Map<string, CompiledPort>();

  constructor(shared: SharedResources, node: ProxyNode, serving: NodeGateway) {
    this.#shared = shared;
    this.#node = node;
    this.#serving = serving;
  }

  /** What policies say of callers of these workloads may have become something else. */
  forget({ inbound, selecting }: Touched): void {
    if (inbound.has('*')) return this.#ports.clear();
    const { world } = this.#shared;
    const selected = [...selecting].map((service) => ({
      service,
      sliced: new Set(world.slicesOf(service).flatMap(workloadsIn)),
    }));
    const isSelected = ({ metadata: { namespace, name, labels } }: Workload): boolean =>
      selected.some(
        ({ service, sliced }) =>
          service.metadata.namespace === namespace &&
          (serviceSelects(service, labels) || sliced.has(`${namespace}/${name}`)),
      );
    for (const [name, { namespaces, workloads }] of this.#ports)
      if (namespaces.some((one) => inbound.has(one)) || workloads.some(isSelected)) this.#ports.delete(name);
  }

  compile(gateway: Gateway): CompiledGateway {
    const { world, mesh } = this.#shared;
    const key = gatewayKey(gateway.metadata);
    const users = world.waypoints
      .usersOf(key)
      .filter((service) => !isExternal(service) && waypointProblem(gateway, service) === undefined);
    const ports = users.flatMap((service) =>
      connectionPorts(service).map((port) => this.#port(service, port, key)),
    );
    this.#ports = new Map(ports.map((port) => [port.chain.name, port]));
    const [listener] = gateway.spec.listeners;
    const reached = new Map<string, Backend>();
    for (const { backends } of ports)
      for (const to of backends) reached.set(outboundName(to.service, to.port, mesh, to.subset?.name), to);
    return {
      listeners: (listener === undefined ? [] : boundAt(gateway, this.#serving, listener.port)).map(
        (address): Listener => ({
          name: listenerNameOf(address),
          address,
          direction: 'outbound', // it calls workloads, on behalf of others
          hbone: {
            tls: { certificate: { kind: 'workload' }, trust: { kind: 'mesh' }, clientCertificate: 'require' },
          },
          filterChains: ports.map(({ chain }) => chain),
        }),
      ),
      routes: ports.flatMap((one) => one.routes ?? []),
      clusters: [...reached.values()].map((to) => this.#shared.cluster(to, key)),
      endpoints: [...reached.values()]
        .filter(({ service }) => !isExternal(service))
        .map((to) => this.#shared.endpoints(to, this.#node.locality, key)),
      services: [...new Set([key, ...ports.flatMap(({ services }) => services)])].toSorted(),
    };
  }

  #port(service: Service, port: ServicePort, at: string): CompiledPort {
    const known = this.#ports.get(outboundName(service, port, this.#shared.mesh));
    return known !== undefined && known.stamp === this.#shared.world.stamp(known.services)
      ? known
      : compilePort(this.#shared, this.#node, service, port, at);
  }
}

function compilePort(
  shared: SharedResources,
  node: ProxyNode,
  service: Service,
  port: ServicePort,
  at: string,
): CompiledPort {
  const { world, mesh } = shared;
  const self: Backend = { service, port };
  const name = outboundName(service, port, mesh);
  const match = { serverNames: [hostOfService(service, mesh)], destinationPort: port.port };
  const setsOf = (backends: readonly Backend[]): PolicySets => policySets(world, backends, mesh);
  const own = setsOf([self]);
  const key = `${service.metadata.namespace}/${service.metadata.name}`;
  // Routes of other namespaces are their callers' (GEP-1294), and apply there.
  const attached = [...world.routesOf(key)].filter(
    (route) => route.metadata.namespace === service.metadata.namespace,
  );
  const services = [...new Set([key, ...attached.flatMap(backendsOf)])].toSorted();
  const made = (
    backends: readonly Backend[],
  ): Pick<CompiledPort, 'backends' | 'services' | 'stamp' | 'namespaces' | 'workloads'> => {
    const workloads = [...new Set(backends.flatMap((to) => workloadsBehind(world, to)))];
    const all = [...backends.map((to) => to.service), ...workloads];
    return {
      backends,
      services,
      stamp: world.stamp(services),
      namespaces: [...new Set(all.map(({ metadata }) => metadata.namespace))],
      workloads,
    };
  };
  const chain = waypointFilters(world, node, service, attached, mesh);
  const bytes = {
    clusters: [{ name }],
    filters: [...chain.connection, ...connectionEntries(own, mesh)],
  };
  if (!isHttpPort(port))
    return {
      ...made([self]),
      // Bytes pass no filter that could answer for one that is lacking.
      chain: { name, match, handler: chain.lacking.length > 0 ? REFUSE : { kind: 'tcp', ...bytes } },
    };
  const compiled = shared.routes(service, port, node, services, at);
  const led = new Map(
    compiled.backends.map((to) => [outboundName(to.service, to.port, mesh, to.subset?.name), to]),
  );
  const backendsOfRoute = (route: Route): Backend[] => clustersOf(route).flatMap((to) => led.get(to) ?? []);
  const policies = requestPolicies(
    own,
    chain.lacking.length > 0 ? refuseAll(name, chain.lacking) : leaving(compiled.config, backendsOfRoute),
    (route) => {
      const backends = backendsOfRoute(route);
      return backends.length === 0 ? undefined : setsOf(backends);
    },
    mesh,
  );
  const phase = (first: boolean): typeof chain.http =>
    chain.http.filter((one) => FILTER_PHASES.indexOf(one.phase) < FILTER_PHASES.indexOf('authz') === first);
  // Nothing is said of requests, so that whatever the workload speaks may pass, as far as layer 4 lets it.
  const anything =
    !isDeclaredPort(port) &&
    chain.http.length === 0 &&
    chain.lacking.length === 0 &&
    chain.localReplies === undefined &&
    !own.some((set) => set.some(asksOfRequests)) &&
    !attached.some((route) => isAttachedTo(route, service, port));
  return {
    ...made([self, ...compiled.backends]),
    routes: policies.routes,
    chain: {
      name,
      match,
      handler: {
        kind: 'http',
        identityHeaders: 'strip',
        ...(anything && { otherwise: bytes }),
        ...trustedForwarders(world, mesh),
        ...(chain.localReplies && { localReplies: chain.localReplies }),
        routes: { routeConfigName: policies.routes.name },
        ...(chain.connection.length > 0 && { connectionFilters: chain.connection }),
        filters: [
          ...corsEntry(policies.routes),
          ...phase(true).map(({ entry }) => entry),
          ...policies.entries,
          ...withAuth(phase(false), chain.lacking.length > 0 ? [] : compiled.auth),
          ...retryEntry(node, policies.routes),
        ],
      },
    },
  };
}

/** Clusters that a route leads to, or sends copies to. */
function clustersOf({ action }: Route): string[] {
  if (action.kind !== 'forward') return [];
  return [
    ...action.clusters.flatMap(({ name }) => name ?? []),
    ...(action.mirrors ?? []).flatMap(({ cluster }) => cluster ?? []),
  ];
}

/** Who called within the mesh is nobody's business outside of it. */
function leaving(config: RouteConfig, backendsOf: (route: Route) => readonly Backend[]): RouteConfig {
  const virtualHosts = config.virtualHosts.map((host) => ({
    ...host,
    routes: host.routes.map((route) =>
      backendsOf(route).some(({ service }) => isExternal(service)) ? withoutCallers(route) : route,
    ),
  }));
  return { ...config, virtualHosts };
}
