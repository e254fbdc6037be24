import type { ChainMatch, FilterChain, TcpHandler } from '@tulle/model';
import {
  backendTarget,
  compareHostnames,
  isHttpPort,
  parseDurationMs,
  type ConnectionRoute,
  type ConnectionShare,
  type GatewayListener,
} from '@tulle/resources';
import type { World } from '../world.ts';
import type { MeshSettings } from './clusters.ts';
import { backendOf, nowhere, type Reach } from './backends.ts';
import { trafficFor } from './traffic.ts';

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

/** Chains in the order in which they are tried: the more specific names first. */
export function inOrder(chains: readonly NamedChain[]): FilterChain[] {
  return chains.toSorted((a, b) => compareHostnames(a.hostname, b.hostname)).map(({ chain }) => chain);
}

function handlerOf(
  { world, mesh, reach }: ConnectionsInput,
  listener: GatewayListener,
  route: ConnectionRoute,
): TcpHandler {
  const backends = route.spec.rules.flatMap((rule) => rule.backendRefs);
  const clusters = backends.map((backend) => {
    const reached = backendOf(world, route, backend);
    const takesBytes = reached !== undefined && !isHttpPort(reached.port);
    return {
      name: takesBytes ? reach(reached) : nowhere(route, backend, mesh),
      weight: backend.weight ?? 1,
    };
  });
  if (clusters.every(({ weight }) => weight === 0)) return closed(listener);
  const idleTimeoutMs = idleOfOnlyBackend(world, route);
  return { kind: 'tcp', clusters, ...(idleTimeoutMs === undefined ? {} : { idleTimeoutMs }) };
}

/** A cluster that is never there: connections are accepted and closed at once. */
function closed({ port }: GatewayListener): TcpHandler {
  return { kind: 'tcp', clusters: [{ name: `closed_${port}` }] };
}

/** How long connections to the only backend may rest. */
function idleOfOnlyBackend(world: World, route: ConnectionRoute): number | undefined {
  const [only, ...others] = route.spec.rules.flatMap((rule) => rule.backendRefs);
  if (only === undefined || others.length > 0) return undefined;
  const namespace = only.namespace ?? route.metadata.namespace;
  const { service } = backendTarget(only);
  const port = world.get('Service', namespace, service)?.spec.ports.find((p) => p.port === only.port);
  const { timeouts } = trafficFor(world, namespace, 'Service', service, port?.name);
  return timeouts?.idle === undefined ? undefined : parseDurationMs(timeouts.idle);
}
