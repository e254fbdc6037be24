import {
  formatWireName,
  type AuthzPolicy,
  type Cluster,
  type FilterChain,
  type Listener,
} from '@tulle/model';
import {
  FILTER_PHASES,
  isDeclaredPort,
  isServedGateway,
  isWaypoint,
  portProtocol,
  targetPort,
  type Service,
} from '@tulle/resources';
import type { NodePort, ProxyNode } from '../node.ts';
import type { World } from '../world.ts';
import { authorizationFor, authzEntry } from './authorization.ts';
import type { MeshSettings } from './clusters.ts';
import { BLACKHOLE, INBOUND_PASSTHROUGH } from './elsewhere.ts';
import { inboundFilters, NO_FILTERS } from './filters.ts';
import { asksOfRequests, connectionAuthz } from './layer4-policy.ts';
import { mtlsOfPort, plainChains } from './mtls.ts';
import { onlyFrom, waypointsBefore } from './waypoint-guard.ts';

/** What a proxy needs to take calls for its application. */
export function compileInbound(
  world: World,
  node: ProxyNode,
  mesh: MeshSettings,
): { listeners: Listener[]; clusters: Cluster[] } {
  const services = world
    .servicesSelecting(node.namespace, node.labels)
    .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  const listeners: Listener[] = [];
  const clusters: Cluster[] = [];
  for (const port of node.ports) {
    const cluster = formatWireName({
      direction: 'inbound',
      port: port.port,
      subset: '',
      host: `${node.workload}.${node.namespace}.${mesh.suffix}`,
    });
    const declared = declaringPort(port, node, services);
    const protocol = portProtocol(declared);
    const http = protocol !== 'tcp';
    clusters.push({
      name: cluster,
      discovery: {
        kind: 'static',
        endpoints: [{ address: { host: '127.0.0.1', port: port.port }, mode: 'none' }],
      },
      balance: { policy: 'round-robin' },
      ...(protocol === 'http2' ? { pool: { protocol } } : {}),
      labels: { workload: node.workload, namespace: node.namespace },
    });
    listeners.push(
      inboundListener(world, node, port, cluster, http, isDeclaredPort(declared), services, mesh),
    );
  }
  if (node.capture?.inbound !== undefined) {
    listeners.push(restListener(world, node, node.capture.inbound, services, mesh));
    clusters.push(INBOUND_PASSTHROUGH, BLACKHOLE);
  }
  return { listeners, clusters };
}

/**
 * Takes what others begin at ports that the application does not name. Nobody of the mesh comes that way, so it is plain
 * text: it passes where a PeerAuthentication lets it, and no policy asks for more than a connection can show.
 */
function restListener(
  world: World,
  node: ProxyNode,
  { address: host, port }: { readonly address: string; readonly port: number },
  services: readonly Service[],
  mesh: MeshSettings,
): Listener {
  const { connection, lacking } = inboundFilters(world, node, services, mesh);
  const policies = authorizationFor(world, node, services, mesh);
  const closed = lacking.length > 0 || tcpCallers(policies, mesh).mustProve;
  return {
    name: 'virtualInbound',
    address: { host, port },
    direction: 'inbound',
    originalDestination: true,
    ...(connection.length === 0 ? {} : { connectionFilters: connection }),
    filterChains: closed
      ? []
      : plainChains(world, node, mesh, [], {
          kind: 'tcp',
          clusters: [{ name: INBOUND_PASSTHROUGH.name }],
        }),
  };
}

/** What says what the port speaks: itself, else a Service that leads to it. */
function declaringPort(
  port: NodePort,
  node: ProxyNode,
  services: readonly Service[],
): Pick<NodePort, 'appProtocol' | 'name'> {
  if (port.appProtocol !== undefined) return port;
  for (const service of services) {
    for (const servicePort of service.spec.ports) {
      if (targetPort(servicePort, { ports: node.ports, inbound: { mode: 'sidecar' } })?.port === port.port)
        return servicePort;
    }
  }
  return port;
}

function inboundListener(
  world: World,
  node: ProxyNode,
  port: ProxyNode['ports'][number],
  cluster: string,
  http: boolean,
  declared: boolean,
  services: readonly Service[],
  mesh: MeshSettings,
): Listener {
  const waypoints = waypointsBefore(world, node, port.port, mesh);
  const policies =
    waypoints === undefined
      ? authorizationFor(world, node, services, mesh, [port.port])
      : onlyFrom(waypoints);
  // A waypoint has run the filters, too.
  const chain = waypoints === undefined ? inboundFilters(world, node, services, mesh) : NO_FILTERS;
  const name = `inbound_${node.address}_${port.inboundPort}`;
  const tls = {
    certificate: { kind: 'workload' },
    trust: { kind: 'mesh' },
    clientCertificate: 'require',
  } as const;
  const refused = chain.lacking.length > 0;
  const authz = authzEntry(policies, mesh);
  const http_ = chain.http;
  const before = http_
    .filter((f) => FILTER_PHASES.indexOf(f.phase) < FILTER_PHASES.indexOf('authz'))
    .map((f) => f.entry);
  const after = http_
    .filter((f) => FILTER_PHASES.indexOf(f.phase) >= FILTER_PHASES.indexOf('authz'))
    .map((f) => f.entry);
  // Nothing is enforced of requests, so that whatever the application speaks may come, as far as layer 4 lets it.
  const anything =
    !declared &&
    http_.length === 0 &&
    chain.localReplies === undefined &&
    !refused &&
    !policies.some(asksOfRequests);
  const layer4 = connectionAuthz(policies, mesh);
  const callers: TcpCallers = http ? { mustProve: false } : tcpCallers(policies, mesh);
  const handler: FilterChain['handler'] = http
    ? {
        kind: 'http',
        identityHeaders: 'strip',
        ...(anything && {
          otherwise: { clusters: [{ name: cluster }], ...(layer4.length > 0 && { filters: layer4 }) },
        }),
        ...trustedForwarders(world, mesh),
        ...(chain.localReplies && { localReplies: chain.localReplies }),
        filters: [...before, ...authz, ...after],
        routes: {
          name: cluster,
          virtualHosts: [
            {
              name: cluster,
              domains: ['*'],
              routes: [
                {
                  name: 'app',
                  match: { path: { kind: 'prefix', value: '/' } },
                  // The caller's proxy has the time limits; here they would only race with it.
                  action: refused
                    ? {
                        kind: 'direct',
                        status: 503,
                        code: 'TULLE_FILTER_UNKNOWN',
                        body: `this workload lacks a mandatory filter of ${chain.lacking.join(', ')}`,
                      }
                    : { kind: 'forward', clusters: [{ name: cluster }], requestTimeoutMs: 0 },
                },
              ],
            },
          ],
        },
      }
    : { kind: 'tcp', clusters: [{ name: cluster }] };
  const proven: FilterChain = {
    name: 'mesh',
    tls: callers.ids === undefined ? tls : { ...tls, allowedIds: callers.ids },
    handler,
  };
  // Who proves nothing is none of those whom a policy names, so that such a port stays closed to plain text.
  const plain = mtlsOfPort(world, node, port.port, mesh).mode === 'PERMISSIVE' && !callers.mustProve;
  return {
    name,
    address: { host: node.address, port: port.inboundPort },
    direction: 'inbound',
    ...(chain.connection.length === 0 ? {} : { connectionFilters: chain.connection }),
    filterChains:
      refused && !http
        ? []
        : plain
          ? [
              { ...proven, match: { transport: 'tls' } },
              { name: 'plain', match: { transport: 'plain' }, handler },
            ]
          : [proven],
  };
}

/**
 * Gateways say from where what came in at the edge came. Believed is whom a proxy of role gateway has proven to be and no
 * sidecar is: an application whose account has the name of a Gateway speaks for itself only.
 */
export function trustedForwarders(
  world: World,
  mesh: MeshSettings,
): { readonly trustedForwarders?: readonly string[] } {
  const ids = [...world.gateways()]
    .filter((gateway) => isServedGateway(gateway) || isWaypoint(gateway))
    .filter(({ metadata: { namespace, name } }) => world.forwarders.believes(`${namespace}/${name}`))
    .map(({ metadata: { namespace, name } }) => `spiffe://${mesh.trustDomain}/ns/${namespace}/sa/${name}`)
    .toSorted();
  return ids.length === 0 ? {} : { trustedForwarders: ids };
}

/** Who may call a TCP port. */
interface TcpCallers {
  /** They must prove to be somebody, whoever that is. */
  readonly mustProve: boolean;
  /** Absent: anybody of the mesh. */
  readonly ids?: readonly string[];
}

/**
 * What TLS can enforce on a TCP port: ALLOW by identity. Anything else that a policy asks closes the port (an empty
 * list of ids admits nobody): never opener than what was asked.
 */
function tcpCallers(policies: readonly AuthzPolicy[], mesh: MeshSettings): TcpCallers {
  const nobody: TcpCallers = { mustProve: true, ids: [] };
  const active = policies.filter((p) => p.shadow !== true);
  if (active.some((p) => p.action === 'DENY' && p.rules.length > 0)) return nobody;
  const allow = active.filter((p) => p.action === 'ALLOW');
  if (allow.length === 0) return mesh.defaultAction === 'deny' ? nobody : { mustProve: false };
  const ids: string[] = [];
  let anyProven = false;
  for (const { from, to, when } of allow.flatMap((p) => p.rules)) {
    const { identities, ...others } = from ?? {};
    if (to !== undefined || when !== undefined || Object.keys(others).length > 0) continue;
    if (identities === undefined) return { mustProve: false };
    if (identities.includes('*')) anyProven = true;
    for (const id of identities) if (!id.endsWith('*') || id.endsWith('/*')) ids.push(id);
  }
  return anyProven ? { mustProve: true } : { mustProve: true, ids };
}
