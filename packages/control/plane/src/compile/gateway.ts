import {
  formatWireName,
  type Cluster,
  type EndpointSet,
  type Listener,
  type RouteConfig,
} from '@tulle/model';
import {
  connectionShares,
  displacedRoutes,
  isExternal,
  isForMesh,
  isServedGateway,
  listenerLabel,
  type ConnectionShare,
  type RequestRoute,
  type DisplacedRoutes,
  type GatewayListener,
  type MergedGateway,
} from '@tulle/resources';
import type { NodeGateway, ProxyNode } from '../node.ts';
import { gatewayKey } from '../parents.ts';
import { outboundName, type Backend } from './clusters.ts';
import { corsEntry } from './cors.ts';
import { authEntries, withAuth } from './external-auth.ts';
import { GatewayFilters, routesOfGateway } from './gateway-filters.ts';
import { attachmentsIn, gatewayEntries } from './gateway-entries.ts';
import { datagramsOf, inOrder, tcpChains, tlsChains, type NamedChain } from './gateway-connections.ts';
import { gatewayHosts } from './gateway-hosts.ts';
import { boundAt, gatewayFault, listenerFault, listenerNameOf } from './gateway-listeners.ts';
import { listenerTls, withClientCertificate } from './gateway-tls.ts';
import { retryEntry } from './retries.ts';
import { backendsOf, type Reach } from './backends.ts';
import type { SharedResources } from './shared.ts';

/** Streams of one connection at an edge: the least that RFC 9113 §6.5.2 recommends. */
const EDGE_STREAMS = 100;

/** What the process of a Gateway needs. */
export interface CompiledGateway {
  readonly listeners: readonly Listener[];
  readonly routes: readonly RouteConfig[];
  readonly clusters: readonly Cluster[];
  readonly endpoints: readonly EndpointSet[];
  /** Keys of what it depends on. */
  readonly services: readonly string[];
}

/**
 * A Gateway for a process that serves it: a socket a port; with TLS chains by server name. Listeners with a fault are
 * left out; ports that have no other are not listened on.
 */
export function compileGateway(
  shared: SharedResources,
  node: ProxyNode,
  serving: NodeGateway,
): CompiledGateway {
  const { world } = shared;
  const at = { namespace: node.namespace, name: node.serviceAccount };
  const key = gatewayKey(at);
  const gateway = world.get('Gateway', at.namespace, at.name);
  const nothing = { listeners: [], routes: [], clusters: [], endpoints: [], services: [key] };
  if (gateway === undefined || !isServedGateway(gateway) || gatewayFault(world, gateway) !== undefined)
    return nothing;
  const merged = world.merged(gateway);
  const routes = routesOfGateway(world, merged);
  const reached = new Map<string, Backend>();
  const reach: Reach = (backend) => {
    const name = outboundName(backend.service, backend.port, shared.mesh, backend.subset?.name);
    reached.set(name, backend);
    return name;
  };
  const connectionRoutes = world.connectionRoutesAt(merged);
  const shares = connectionShares(merged, connectionRoutes);
  const displaced = displacedRoutes(merged, routes);
  const filters = new GatewayFilters(world, merged, routes, node, shared.mesh);
  const compiled = [...new Set(merged.listeners.map((l) => l.port))].flatMap((port) => {
    const listeners = merged.listeners.filter(
      (l) => l.port === port && listenerFault(world, merged, l, serving) === undefined,
    );
    const work = { shared, merged, node, serving, routes, displaced, shares, filters, reach };
    const ofConnections = listeners.filter(({ protocol }) => protocol !== 'UDP');
    return [
      ...(ofConnections.length === 0 ? [] : [compilePort(work, port, ofConnections)]),
      ...listeners
        .filter(({ protocol }) => protocol === 'UDP')
        .map((listener) => ({ listeners: compileDatagrams(work, listener), routes: [] })),
    ];
  });
  return {
    listeners: compiled.flatMap(({ listeners }) => listeners),
    routes: compiled.flatMap((one) => one.routes),
    clusters: [...reached.values()].map((to) =>
      withClientCertificate(world, gateway, serving, shared.cluster(to)),
    ),
    endpoints: [...reached.values()]
      .filter(({ service }) => !isExternal(service))
      .map((to) => shared.endpoints(to, node.locality)),
    services: [...new Set([key, ...[...routes, ...connectionRoutes].flatMap(backendsOf)])].sort(),
  };
}

interface Work {
  readonly shared: SharedResources;
  readonly merged: MergedGateway;
  readonly node: ProxyNode;
  readonly serving: NodeGateway;
  readonly routes: readonly RequestRoute[];
  readonly displaced: DisplacedRoutes;
  readonly shares: readonly ConnectionShare[];
  readonly filters: GatewayFilters;
  readonly reach: Reach;
}

/** @param listeners those of the port, at least one; none in conflict with another */
function compilePort(
  work: Work,
  port: number,
  listeners: readonly GatewayListener[],
): { listeners: Listener[]; routes: RouteConfig[] } {
  const { filters, serving } = work;
  const { connection, lacking } = filters.port(listeners);
  // Clear text is told apart by Host, TLS by server name: there each listener has chains of its own, the most specific
  // first. Callers of the mesh give no server name.
  const http = listeners.filter(({ protocol }) => protocol === 'HTTP');
  const ofMesh = listeners.filter(isForMesh);
  const byName = listeners.filter((listener) => listener.protocol === 'HTTPS' && !isForMesh(listener));
  const groups = [http, ...byName.map((listener) => [listener]), ofMesh].filter(({ length }) => length > 0);
  const compiled = groups.map((group) => compileChain(work, port, group, listeners));
  // Bytes pass no filter that could answer for one that is lacking.
  const bytes =
    lacking.length > 0
      ? []
      : listeners.flatMap((one) => (filters.lackingAt(one).length > 0 ? [] : bytesChains(work, one)));
  const filterChains = inOrder([...compiled.map(({ named }) => named), ...bytes]);
  return {
    listeners: boundAt(work.merged.gateway, serving, port).map((address) => ({
      name: listenerNameOf(address),
      address,
      direction: 'outbound', // the gateway calls services, on behalf of callers that are none
      ...(connection.length === 0 ? {} : { connectionFilters: connection }),
      filterChains,
    })),
    routes: compiled.map((one) => one.routes),
  };
}

/** A listener of datagrams. These pass no filter: where one is insisted on that this process lacks, or may decide who comes, none are taken. */
function compileDatagrams(work: Work, listener: GatewayListener): Listener[] {
  const { shared, merged, reach, shares, filters, serving } = work;
  const { connection, lacking } = filters.port([listener]);
  const closed = connection.length > 0 || lacking.length > 0 || filters.lackingAt(listener).length > 0;
  const input = { world: shared.world, mesh: shared.mesh, reach };
  const udp = datagramsOf(input, listener, closed ? [] : shares);
  return boundAt(merged.gateway, serving, listener.port).map((address) => ({
    name: listenerNameOf(address, 'UDP'),
    address,
    direction: 'outbound',
    filterChains: [],
    udp,
  }));
}

function bytesChains(work: Work, listener: GatewayListener): NamedChain[] {
  const { shared, reach, shares } = work;
  const input = {
    world: shared.world,
    mesh: shared.mesh,
    reach,
    tlsOf: (of: GatewayListener) => listenerTls(shared.world, work.merged, work.serving, of),
    label: listenerLabel(work.merged, listener),
  };
  if (listener.protocol === 'TCP') return tcpChains(input, listener, shares);
  return listener.protocol === 'TLS' ? tlsChains(input, listener, shares) : [];
}

function compileChain(
  work: Work,
  port: number,
  group: readonly GatewayListener[],
  onPort: readonly GatewayListener[],
): { named: NamedChain; routes: RouteConfig } {
  const { merged, filters, shared } = work;
  const { namespace, name } = merged.gateway.metadata;
  const [first] = group as readonly [GatewayListener];
  const label = listenerLabel(merged, first);
  const attached = work.routes.flatMap((route) => attachmentsIn(merged, route, group, work.displaced));
  const chain = filters.chain(group, [...new Set(attached.map(({ route }) => route))]);
  const entries = attached.flatMap(({ route, listener, hostnames }) =>
    gatewayEntries(
      {
        world: shared.world,
        mesh: shared.mesh,
        reach: work.reach,
        known: work.node.filters,
        route,
        listener,
        hostnames,
      },
      (rule) => filters.at(chain, listener, route, rule),
    ),
  );
  const configName = formatWireName({
    direction: 'inbound',
    port,
    subset: first.protocol === 'HTTPS' ? label : '',
    host: `${name}.${namespace}.gateway`,
  });
  const routes: RouteConfig = {
    name: configName,
    virtualHosts: gatewayHosts({
      entries,
      group,
      onPort,
      unmatched: (listener) => filters.at(chain, listener).overrides,
    }),
  };
  return {
    routes,
    named: {
      hostname: first.protocol === 'HTTPS' ? (first.hostname ?? '*') : '*',
      chain: {
        name: first.protocol === 'HTTPS' ? label : 'http',
        ...(first.protocol === 'HTTPS' && !isForMesh(first) && first.hostname !== undefined
          ? { match: { serverNames: [first.hostname] } }
          : {}),
        ...listenerTls(shared.world, merged, work.serving, first),
        handler: {
          kind: 'http',
          identityHeaders: 'strip',
          // Of strangers each may hold less at a time than proxies, which share connections.
          ...(isForMesh(first) ? {} : { http2: { maxConcurrentStreams: EDGE_STREAMS } }),
          routes: { routeConfigName: configName },
          ...(chain.localReplies && { localReplies: chain.localReplies }),
          filters: [
            ...corsEntry(routes),
            ...withAuth(chain.http, authEntries(entries)),
            ...retryEntry(work.node, routes),
          ],
        },
      },
    },
  };
}
