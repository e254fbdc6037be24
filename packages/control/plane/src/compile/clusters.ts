import { formatWireName, HBONE_PORT, type Cluster, type Endpoint, type EndpointSet } from '@tulle/model';
import {
  isExternal,
  isUdpPort,
  matchesLabels,
  portProtocol,
  refOf,
  resourceKey,
  targetPort,
  type Service,
  type ServicePort,
  type EndpointSlice,
  type SliceEndpoint,
  type SlicePort,
  type TrafficSubset,
  type Workload,
} from '@tulle/resources';
import { isJoined } from '../owners.ts';
import type { World } from '../world.ts';
import { datagramEndpoint, datagramTraffic } from './datagrams.ts';
import { externalCluster } from './external.ts';
import { clusterTraffic, trafficFor, type CallProtocol, type Traffic } from './traffic.ts';

/** What holds in the whole mesh. */
export interface MeshSettings {
  readonly trustDomain: string;
  /** DNS suffix of Services. */
  readonly suffix: string;
  readonly rootNamespace: string;
  /** What happens where no ALLOW policy exists (decision D20). */
  readonly defaultAction: 'allow' | 'deny';
  /** 32 hex digits by which proxies know the tokens of sessions as theirs. */
  readonly sessionSecret: string;
  /** Between its proxies: `auto` HTTP/2 where the called one takes it, `http1` HTTP/1.1. */
  readonly protocol: 'auto' | 'http1';
}

/** `reviews.default.svc.mesh.local` */
export function hostOfService(service: Service, mesh: MeshSettings): string {
  return `${service.metadata.name}.${service.metadata.namespace}.${mesh.suffix}`;
}

/** Name of the cluster and route configuration of a Service port (decision D15). @param subset `''` for all of it */
export function outboundName(
  service: Service,
  port: Pick<ServicePort, 'port' | 'protocol'>,
  mesh: MeshSettings,
  subset = '',
): string {
  return formatWireName({
    direction: 'outbound',
    port: port.port,
    ...(isUdpPort(port) ? { transport: 'udp' as const } : {}),
    subset,
    host: hostOfService(service, mesh),
  });
}

/** Something that callers reach: a port of a Service, or of a subset of it. */
export interface Backend {
  readonly service: Service;
  readonly port: ServicePort;
  /** Absent: all of the Service. */
  readonly subset?: TrafficSubset;
}

/** How callers reach a Service port. */
export function clusterOf(world: World, { service, port, subset }: Backend, mesh: MeshSettings): Cluster {
  const { namespace, name } = service.metadata;
  const traffic = trafficFor(world, namespace, 'Service', name, port.name);
  if (isExternal(service)) return externalCluster(world, service, port, mesh, traffic);
  if (isUdpPort(port))
    return {
      name: outboundName(service, port, mesh, subset?.name),
      discovery: { kind: 'eds' },
      labels: { service: name, namespace },
      ...datagramTraffic(traffic),
    };
  return {
    name: outboundName(service, port, mesh, subset?.name),
    discovery: { kind: 'eds' },
    tls: {
      certificate: { kind: 'workload' },
      trust: { kind: 'mesh' },
      ...(traffic.connectionPool?.sessionResumption === false ? { sessionResumption: false } : {}),
    },
    labels: { service: name, namespace },
    ...clusterTraffic(traffic, protocolTo(port, traffic, mesh)),
  };
}

/**
 * What callers speak. Sidecars take HTTP/2 over mutual TLS whatever their application speaks (`auto`, by ALPN); who has none
 * is called as its port says.
 */
export function protocolTo(port: ServicePort, { connectionPool }: Traffic, mesh: MeshSettings): CallProtocol {
  const protocol = portProtocol(port);
  if (protocol !== 'http1') return protocol;
  const between = connectionPool?.meshProtocol ?? (mesh.protocol === 'auto' ? 'Auto' : 'HTTP1');
  return between === 'Auto' ? 'auto' : 'http1';
}

/**
 * The endpoints of a Service port, in a stable order. What is no Workload has no labels, so is in no subset.
 *
 * A sidecar that is lost may be cut off from the control plane alone, and go on serving. So where a set has no other endpoint
 * to be used, those whose sidecars are lost are: a set is never emptied because a source went away, and callers find out by
 * themselves who does not answer.
 */
export function endpointsOf(
  world: World,
  { service, port, subset }: Backend,
  mesh: MeshSettings,
): EndpointSet {
  const inSubset = (workload: Workload): boolean =>
    subset === undefined || matchesLabels(subset.labels, workload.metadata.labels);
  const found = new Map<string, Endpoint>();
  const lost = new Set<Endpoint>();
  const add = (endpoint: Endpoint | undefined, workload: Workload | undefined): void => {
    if (endpoint === undefined) return;
    const key = JSON.stringify(endpoint.address);
    if (found.has(key)) return;
    found.set(key, endpoint);
    if (workload !== undefined && isLost(world, workload)) lost.add(endpoint);
  };
  for (const workload of world.workloadsOf(service).filter(inSubset))
    add(endpointOf(world, workload, port, mesh), workload);
  for (const slice of world.slicesOf(service)) {
    const slicePort = slicePortOf(slice, port);
    // What a slice lists are all of its ports.
    if (slicePort === undefined && isUdpPort(port) && slice.ports !== undefined) continue;
    for (const endpoint of slice.endpoints) {
      const workload = workloadOf(world, endpoint, service);
      if (workload === undefined ? subset === undefined : inSubset(workload))
        add(sliceEndpoint(world, workload, endpoint, slicePort, service, port, mesh), workload);
    }
  }
  return {
    name: outboundName(service, port, mesh, subset?.name),
    endpoints: neverEmptied([...found.values()], lost),
  };
}

/** @param lost those of which nothing is known but that their proxies' streams were lost: used where nobody else serves */
export function neverEmptied(
  endpoints: readonly Endpoint[],
  lost: ReadonlySet<Endpoint>,
): readonly Endpoint[] {
  const someServe = endpoints.some(({ health = 'healthy' }) => health === 'healthy');
  return someServe ? endpoints : endpoints.map((one) => (lost.has(one) ? believed(one) : one));
}

/** Whether its sidecar's stream was lost: of a Workload that joined, nobody else calls it unhealthy. */
export function isLost(world: World, workload: Workload): boolean {
  return (
    workload.spec.health === 'unhealthy' && isJoined(world.held(resourceKey(refOf(workload)))?.owner ?? '')
  );
}

function believed(endpoint: Endpoint): Endpoint {
  return { ...endpoint, health: 'healthy' };
}

/** The Workload that an endpoint of a slice stands for. */
export function workloadOf(
  world: World,
  { targetRef: ref }: SliceEndpoint,
  service: Service,
): Workload | undefined {
  if (ref?.kind !== 'Workload' || ref.name === undefined) return undefined;
  return world.get('Workload', ref.namespace ?? service.metadata.namespace, ref.name);
}

/** The workloads to which a backend leads. */
export function workloadsBehind(world: World, { service, subset }: Backend): Workload[] {
  const bySlice = world
    .slicesOf(service)
    .flatMap(({ endpoints }) => endpoints.flatMap((one) => workloadOf(world, one, service) ?? []));
  return [...new Set([...world.workloadsOf(service), ...bySlice])].filter(
    ({ metadata }) => subset === undefined || matchesLabels(subset.labels, metadata.labels),
  );
}

/** Whether some Service port has no endpoint but this Workload. */
export function isLastEndpoint(world: World, workload: Workload, mesh: MeshSettings): boolean {
  const { name, namespace } = workload.metadata;
  return world.servicesWith(workload).some((service) =>
    service.spec.ports.some((port) => {
      const { endpoints } = endpointsOf(world, { service, port }, mesh);
      return (
        endpoints.length > 0 &&
        endpoints.every(({ labels }) => labels?.['workload'] === name && labels['namespace'] === namespace)
      );
    }),
  );
}

/** Whom the proxy of a Workload proves to be. */
export function identityOf({ metadata, spec }: Workload, mesh: MeshSettings): string {
  return (
    spec.identity ??
    `spiffe://${mesh.trustDomain}/ns/${metadata.namespace}/sa/${spec.serviceAccount ?? 'default'}`
  );
}

/** As callers reach it; `undefined`: it has no such port, or takes nothing there. */
function endpointOf(
  world: World,
  workload: Workload,
  port: ServicePort,
  mesh: MeshSettings,
): Endpoint | undefined {
  return isUdpPort(port)
    ? datagramEndpoint(world, workload, port, mesh.rootNamespace, standingOf(workload))
    : workloadEndpoint(workload, port, mesh);
}

export function workloadEndpoint(
  workload: Workload,
  port: ServicePort,
  mesh: MeshSettings,
): Endpoint | undefined {
  const { spec } = workload;
  const target = targetPort(port, spec);
  if (target === undefined) return undefined;
  const { mode } = spec.inbound;
  const direct = mode === 'none' || mode === 'hbone';
  const reached = direct ? target.port : (target.inboundPort ?? spec.inbound.port);
  if (reached === undefined) return undefined;
  const { port: tunnelPort = HBONE_PORT } = spec.inbound;
  return {
    address: { host: spec.address, port: reached },
    mode,
    ...(mode === 'hbone' && tunnelPort !== HBONE_PORT
      ? { tunnel: { address: { host: spec.address, port: tunnelPort } } }
      : {}),
    ...(mode === 'none' ? {} : { identity: identityOf(workload, mesh) }),
    ...standingOf(workload),
  };
}

/** What holds of a Workload's endpoints, however they are reached. */
function standingOf({
  spec,
  metadata,
}: Workload): Pick<Endpoint, 'health' | 'weight' | 'locality' | 'labels'> {
  const version = metadata.labels?.['version'] ?? metadata.labels?.['app.kubernetes.io/version'];
  return {
    ...(spec.health === undefined || spec.health === 'healthy' ? {} : { health: spec.health }),
    ...(spec.weight === undefined ? {} : { weight: spec.weight }),
    ...(spec.locality === undefined ? {} : { locality: spec.locality }),
    labels: {
      workload: metadata.name,
      namespace: metadata.namespace,
      ...(version === undefined ? {} : { version }),
    },
  };
}

/** What a slice says of a port of its Service: the port of that name, or the only one. */
export function slicePortOf({ ports = [] }: EndpointSlice, port: ServicePort): SlicePort | undefined {
  const alike = ports.filter((one) => isUdpPort(one) === isUdpPort(port));
  return (
    alike.find((one) => (one.name ?? '') === (port.name ?? '')) ?? (ports.length === 1 ? alike[0] : undefined)
  );
}

/** The number at which a Service port is had at what is no Workload: as its slice says, or as it says itself. */
export function addressedPort(slicePort: SlicePort | undefined, { port, targetPort }: ServicePort): number {
  return slicePort?.port ?? (typeof targetPort === 'number' ? targetPort : port);
}

function sliceEndpoint(
  world: World,
  workload: Workload | undefined,
  endpoint: SliceEndpoint,
  slicePort: SlicePort | undefined,
  service: Service,
  servicePort: ServicePort,
  mesh: MeshSettings,
): Endpoint | undefined {
  if (workload !== undefined) return endpointOf(world, workload, servicePort, mesh);
  const host = endpoint.addresses[0];
  if (host === undefined) return undefined;
  const number = addressedPort(slicePort, servicePort);
  const { ready = true, serving = ready, terminating = false } = endpoint.conditions ?? {};
  if (!ready && !(terminating && serving)) return undefined;
  return {
    address: { host, port: number },
    mode: 'none',
    ...(terminating ? { health: 'draining' as const } : {}),
    ...(endpoint.zone === undefined ? {} : { locality: { region: '', zone: endpoint.zone } }),
    labels: { namespace: service.metadata.namespace },
  };
}
