import type { ChainMatch, FilterChain, TcpHandler, UdpProxy } from '@tulle/model';
import {
  backendProtocol,
  backendTarget,
  compareHostnames,
  findServicePort,
  isHttpPort,
  parseDurationMs,
  type ConnectionBackendRef,
  type ConnectionRoute,
  type ConnectionShare,
  type GatewayListener,
} from '@tulle/resources';
import type { World } from '../world.ts';
import type { MeshSettings } from './clusters.ts';
import { backendOf, nowhere, type Reach } from './backends.ts';
import { trafficFor, type Traffic } from './traffic.ts';

/** A chain with the server names that it is for, so that chains of a port can be put in order. */
export interface NamedChain {
  /** `*`: every connection that no other chain takes. */
  readonly hostname: string;
  readonly chain: FilterChain;
}

/** What chains of connections are made with. */
export interface ConnectionsInput {
  readonly world: World;
  readonly mesh: MeshSettings;
  readonly reach: Reach;
  readonly tlsOf: (listener: GatewayListener) => Pick<FilterChain, 'tls'>;
  /** What chains of the listener are called. */
  readonly label: string;
}

/** The chain of a listener of TCP; none where no route has its connections, so that they are closed. */
export function tcpChains(
  input: ConnectionsInput,
  listener: GatewayListener,
  shares: readonly ConnectionShare[],
): NamedChain[] {
  return shares
    .filter((share) => share.listener === listener)
    .map(({ route }) => ({
      hostname: '*',
      chain: { name: input.label, handler: handlerOf(input, listener, route) },
    }));
}

/**
 * The chains of a listener of TLS: one for the full names of each route, one for each wildcard. Names of the listener that
 * no route has are closed, rather than left to a less specific listener of the port.
 */
export function tlsChains(
  input: ConnectionsInput,
  listener: GatewayListener,
  shares: readonly ConnectionShare[],
): NamedChain[] {
  const chain = (hostnames: readonly [string, ...string[]], handler: TcpHandler, of: string): NamedChain => ({
    hostname: hostnames[0],
    chain: {
      name: `${input.label}/${of}`,
      match: { serverNames: [...hostnames] } satisfies ChainMatch,
      ...(listener.tls?.mode === 'Terminate' ? input.tlsOf(listener) : {}),
      handler,
    },
  });
  const own = shares.filter((share) => share.listener === listener);
  const served = own.flatMap(({ route, hostnames }) => {
    const handler = handlerOf(input, listener, route);
    const name = `${route.metadata.namespace}/${route.metadata.name}`;
    const [first, ...full] = hostnames.filter((one) => !one.startsWith('*')).toSorted(compareHostnames);
    return [
      ...(first === undefined ? [] : [chain([first, ...full], handler, name)]),
      ...hostnames
        .filter((one) => one.startsWith('*'))
        .map((wildcard) => chain([wildcard], handler, `${name}/${wildcard}`)),
    ];
  });
  const { hostname } = listener;
  if (hostname === undefined || own.some(({ hostnames }) => hostnames.includes(hostname))) return served;
  return [...served, chain([hostname], closed(listener), 'closed')];
}

/**
 * Where the datagrams of a listener go; to a cluster that is never there where no route has them, so that they are dropped and
 * counted.
 */
export function datagramsOf(
  input: Pick<ConnectionsInput, 'world' | 'mesh' | 'reach'>,
  listener: GatewayListener,
  shares: readonly ConnectionShare[],
): UdpProxy {
  const route = shares.find((share) => share.listener === listener)?.route;
  const clusters = route === undefined ? [] : clustersOf(input, route);
  if (route === undefined || clusters.every(({ weight }) => weight === 0))
    return { clusters: [{ name: `closed_${listener.port}` }] };
  const idleTimeoutMs = idleOfOnlyBackend(input.world, route);
  return {
    clusters,
    ...(idleTimeoutMs === undefined ? {} : { idleTimeoutMs }),
    ...(hashesCallers(input.world, route) ? { hash: 'source-ip' as const } : {}),
  };
}

/** Whether a backend is balanced by hashes: of a datagram nothing is known but where it comes from. */
function hashesCallers(world: World, route: ConnectionRoute): boolean {
  return route.spec.rules.some(({ backendRefs }) =>
    backendRefs.some((backend) => {
      const policy = trafficOf(world, route, backend).balancing?.policy;
      return policy === 'RingHash' || policy === 'Maglev';
    }),
  );
}

/** Chains in the order in which they are tried: the more specific names first. */
export function inOrder(chains: readonly NamedChain[]): FilterChain[] {
  return chains.toSorted((a, b) => compareHostnames(a.hostname, b.hostname)).map(({ chain }) => chain);
}

function handlerOf(
  { world, mesh, reach }: ConnectionsInput,
  listener: GatewayListener,
  route: ConnectionRoute,
): TcpHandler {
  const clusters = clustersOf({ world, mesh, reach }, route);
  if (clusters.every(({ weight }) => weight === 0)) return closed(listener);
  const idleTimeoutMs = idleOfOnlyBackend(world, route);
  return { kind: 'tcp', clusters, ...(idleTimeoutMs === undefined ? {} : { idleTimeoutMs }) };
}

/** The shares of a route's backends. */
function clustersOf(
  { world, mesh, reach }: Pick<ConnectionsInput, 'world' | 'mesh' | 'reach'>,
  route: ConnectionRoute,
): { name: string; weight: number }[] {
  return route.spec.rules
    .flatMap((rule) => rule.backendRefs)
    .map((backend) => {
      const reached = backendOf(world, route, backend);
      const takesBytes = reached !== undefined && !isHttpPort(reached.port);
      return {
        name: takesBytes ? reach(reached) : nowhere(route, backend, mesh),
        weight: backend.weight ?? 1,
      };
    });
}

/** A cluster that is never there: connections are accepted and closed at once. */
function closed({ port }: GatewayListener): TcpHandler {
  return { kind: 'tcp', clusters: [{ name: `closed_${port}` }] };
}

/** What policies say of the Service port that a backend is. */
function trafficOf(world: World, route: ConnectionRoute, backend: ConnectionBackendRef): Traffic {
  const namespace = backend.namespace ?? route.metadata.namespace;
  const { service } = backendTarget(backend);
  const found = world.get('Service', namespace, service);
  const port = found && findServicePort(found, { port: backend.port }, backendProtocol(route));
  return trafficFor(world, namespace, 'Service', service, port?.name);
}

/** How long connections, or sessions, to the only backend may rest. */
function idleOfOnlyBackend(world: World, route: ConnectionRoute): number | undefined {
  const [only, ...others] = route.spec.rules.flatMap((rule) => rule.backendRefs);
  if (only === undefined || others.length > 0) return undefined;
  const { timeouts } = trafficOf(world, route, only);
  return timeouts?.idle === undefined ? undefined : parseDurationMs(timeouts.idle);
}
