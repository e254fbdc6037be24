import type { Cluster, EndpointSet, FilterChain, Listener, TcpHandler } from '@tulle/model';
import { connectionPorts, isExternal, type Service, type Workload } from '@tulle/resources';
import { isIP, isIPv6 } from 'node:net';
import { VIRTUAL_NETWORK } from '../virtual-addresses.ts';
import { EVERY_SERVICE, EVERY_WORKLOAD } from '../touched.ts';
import type { NodeHbone } from '../node-hbone.ts';
import type { ProxyNode } from '../node.ts';
import { outboundName, workloadEndpoint, type Backend } from './clusters.ts';
import { BLACKHOLE, PASSTHROUGH } from './elsewhere.ts';
import { authorizationFor } from './authorization.ts';
import { connectionAuthz } from './layer4-policy.ts';
import { plainChains, REFUSE } from './mtls.ts';
import type { SharedResources } from './shared.ts';
import { onlyFrom, waypointsBefore } from './waypoint-guard.ts';

/** What a node proxy needs for one of its workloads. */
export interface CompiledNodeProxy {
  readonly listeners: readonly Listener[];
  readonly clusters: readonly Cluster[];
  readonly endpoints: readonly EndpointSet[];
  /** Keys of what it depends on. */
  readonly services: readonly string[];
}

/** What came for the workload goes on to it. */
const WORKLOAD = 'workload';

/** Layer 4 for a workload: what it calls, what calls it by tunnels, and what does so otherwise. */
export function compileNodeProxy(
  shared: SharedResources,
  node: ProxyNode,
  hbone: NodeHbone,
): CompiledNodeProxy {
  const { world, mesh } = shared;
  const all = [...world.services()].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  // Of all, so that every proxy is told the same ones.
  const addresses = shared.virtualAddresses.assign(all.map(keyOf));
  const backends = all
    .filter((service) => hbone.reachable.has(service))
    .flatMap((service) => connectionPorts(service).map((port): Backend => ({ service, port })));
  const direct = [...world.workloads()]
    .filter((workload) => workload.spec.inbound.mode !== 'none' && isReachable(shared, hbone, workload))
    .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  const own = world
    .servicesSelecting(node.namespace, node.labels)
    .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  const policies = authorizationFor(world, node, own, mesh);
  return {
    listeners: [
      ...outbound(shared, hbone, backends, addresses, direct),
      ...inbound(shared, node, hbone, policies),
    ],
    clusters: [
      PASSTHROUGH,
      BLACKHOLE,
      { name: WORKLOAD, discovery: { kind: 'original-dst' } },
      ...backends.map((to) => layer4(shared.cluster(to))),
      ...direct.flatMap((workload) =>
        workload.spec.ports.map((port) => workloadCluster(shared, workload, port)),
      ),
    ],
    endpoints: backends
      .filter(({ service }) => !isExternal(service))
      .map((to) => shared.endpoints(to, node.locality)),
    services: [EVERY_SERVICE, EVERY_WORKLOAD, ...new Set(backends.map(({ service }) => keyOf(service)))],
  };
}

/** A chain for each port of each Service that has an address, for each port of each workload, and for the rest. */
function outbound(
  { mesh }: SharedResources,
  hbone: NodeHbone,
  backends: readonly Backend[],
  addresses: ReadonlyMap<string, string>,
  direct: readonly Workload[],
): Listener[] {
  const chain = (name: string, cluster: string, match?: FilterChain['match']): FilterChain => ({
    name,
    ...(match && { match }),
    handler: { kind: 'tcp', clusters: [{ name: cluster }] },
  });
  const services = backends.flatMap(({ service, port }) => {
    const { clusterIP = '' } = service.spec;
    const at = [addresses.get(keyOf(service)) ?? '', clusterIP].filter((address) => isIP(address) !== 0);
    const name = outboundName(service, port, mesh);
    return [chain(name, name, { destinationPort: port.port, destinationCidrs: at.map(cidrOf) })];
  });
  const workloads = direct.flatMap((workload) =>
    workload.spec.ports.map(({ port }) => {
      const name = workloadClusterName(workload, port);
      return chain(name, name, { destinationPort: port, destinationCidrs: [cidrOf(workload.spec.address)] });
    }),
  );
  const known = [
    ...services,
    ...workloads,
    chain('virtual', BLACKHOLE.name, { destinationCidrs: [VIRTUAL_NETWORK] }),
  ];
  const other = chain('other', (hbone.egress === 'passthrough' ? PASSTHROUGH : BLACKHOLE).name);
  const at = (name: string, host: '127.0.0.1' | '::1'): Listener => ({
    name,
    address: { host, port: hbone.outboundPort },
    direction: 'outbound',
    originalDestination: true,
    filterChains: [...known.flatMap((one) => ofFamily(one, isIPv6(host)) ?? []), other],
  });
  return [at('outbound', '127.0.0.1'), ...(hbone.ipv6 ? [at('outbound6', '::1')] : [])];
}

/** A chain as far as connections of that family can match it; `undefined`: none can. */
function ofFamily(chain: FilterChain, ipv6: boolean): FilterChain | undefined {
  const cidrs = chain.match?.destinationCidrs?.filter((cidr) => cidr.includes(':') === ipv6) ?? [];
  return cidrs.length === 0 ? undefined : { ...chain, match: { ...chain.match, destinationCidrs: cidrs } };
}

function inbound(
  { world, mesh }: SharedResources,
  node: ProxyNode,
  hbone: NodeHbone,
  policies: ReturnType<typeof authorizationFor>,
): Listener[] {
  const mine = [cidrOf(node.address)];
  const handlerFor = (asked: ReturnType<typeof authorizationFor>): TcpHandler => {
    const authz = connectionAuthz(asked, mesh);
    return {
      kind: 'tcp',
      clusters: [{ name: WORKLOAD }],
      ...(authz.length === 0 ? {} : { filters: authz }),
    };
  };
  const guarded = node.ports.flatMap(({ port }) => {
    const waypoints = waypointsBefore(world, node, port, mesh);
    return waypoints === undefined ? [] : [{ port, waypoints }];
  });
  // A waypoint says from where came what it sends on.
  const trustedForwarders = [...new Set(guarded.flatMap(({ waypoints }) => waypoints))].toSorted();
  const handler = handlerFor(policies);
  return [
    {
      name: 'inbound_hbone',
      address: { host: node.address, port: hbone.port },
      direction: 'inbound',
      hbone: {
        tls: { certificate: { kind: 'workload' }, trust: { kind: 'mesh' }, clientCertificate: 'require' },
        ...(trustedForwarders.length > 0 && { trustedForwarders }),
      },
      filterChains: [
        ...guarded.map(({ port, waypoints }) => ({
          name: `waypoint_${port}`,
          match: { destinationCidrs: mine, destinationPort: port },
          handler: handlerFor(onlyFrom(waypoints)),
        })),
        { name: 'workload', match: { destinationCidrs: mine }, handler },
      ],
    },
    {
      name: 'inbound_plain',
      // The kernel leads connections to the address of whatever interface they came by, whichever of the workload's they were for.
      address: { host: hbone.ipv6 ? '::' : '0.0.0.0', port: hbone.inboundPort },
      direction: 'inbound',
      originalDestination: true,
      // Who comes without a tunnel proves nothing: policy sees nobody, and only permissive ports take it.
      filterChains: [
        ...guarded.map(({ port }) => ({
          name: `waypoint_${port}`,
          match: { destinationPort: port },
          handler: REFUSE,
        })),
        ...plainChains(
          world,
          node,
          mesh,
          node.ports.map(({ port }) => port),
          handler,
        ),
      ],
    },
  ];
}

const layer4Of = new WeakMap<Cluster, Cluster>();

/** Nobody who passes bytes on may agree with an endpoint on what they mean: a sidecar finds out by the first ones. */
function layer4(cluster: Cluster): Cluster {
  let made = layer4Of.get(cluster);
  if (made === undefined) {
    const { protocol: _agreed, http2: _options, ...pool } = cluster.pool ?? {};
    const { pool: _pool, ...rest } = cluster;
    made = Object.keys(pool).length === 0 ? rest : { ...rest, pool };
    layer4Of.set(cluster, made);
  }
  return made;
}

function workloadClusterName({ metadata }: Workload, port: number): string {
  return `workload|${port}||${metadata.name}.${metadata.namespace}`;
}

function workloadCluster(
  { mesh }: SharedResources,
  workload: Workload,
  port: Workload['spec']['ports'][number],
): Cluster {
  const endpoint = workloadEndpoint(workload, { port: port.port, targetPort: port.port }, mesh);
  return {
    name: workloadClusterName(workload, port.port),
    discovery: { kind: 'static', endpoints: endpoint === undefined ? [] : [endpoint] },
    tls: { certificate: { kind: 'workload' }, trust: { kind: 'mesh' } },
    labels: { workload: workload.metadata.name, namespace: workload.metadata.namespace },
  };
}

/** By its own address too where a Service that picks it is reached. */
function isReachable({ world }: SharedResources, { reachable }: NodeHbone, workload: Workload): boolean {
  const { namespace, labels = {} } = workload.metadata;
  return (
    reachable.has(workload) || world.servicesSelecting(namespace, labels).some((one) => reachable.has(one))
  );
}

const cidrOf = (address: string): string => `${address}/${address.includes(':') ? 128 : 32}`;
const keyOf = ({ metadata }: Service | Workload): string => `${metadata.namespace}/${metadata.name}`;
