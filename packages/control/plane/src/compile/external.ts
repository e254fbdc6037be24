import {
  formatWireName,
  type Cluster,
  type Rewrite,
  type SubjectAltNameMatch,
  type UpstreamTls,
} from '@tulle/model';
import {
  backendTlsPolicyFor,
  caCertificatesOf,
  isExternal,
  isUdpPort,
  portProtocol,
  SYSTEM_CERTIFICATES,
  type BackendTLSPolicy,
  type Service,
  type ServicePort,
} from '@tulle/resources';
import type { World } from '../world.ts';
import type { Backend, MeshSettings } from './clusters.ts';
import { datagramTraffic } from './datagrams.ts';
import { clusterTraffic, type Traffic } from './traffic.ts';

/** How callers reach a name outside the mesh: resolved where they are, in clear unless a BackendTLSPolicy is for it. */
export function externalCluster(
  world: World,
  service: Service & { readonly spec: { readonly externalName: string } },
  port: ServicePort,
  mesh: MeshSettings,
  traffic: Traffic,
): Cluster {
  const { namespace, name } = service.metadata;
  const { externalName } = service.spec;
  const policy = backendTlsPolicyFor(world.in('BackendTLSPolicy', namespace), service, port);
  return {
    name: formatWireName({
      direction: 'outbound',
      port: port.port,
      ...(isUdpPort(port) ? { transport: 'udp' as const } : {}),
      subset: '',
      host: `${name}.${namespace}.${mesh.suffix}`,
    }),
    discovery: {
      kind: 'dns',
      use: 'all',
      endpoints: [{ address: { host: externalName, port: portOf(port) } }],
    },
    ...(policy === undefined ? {} : { tls: tlsOf(world, policy) }),
    labels: { service: name, namespace },
    ...(isUdpPort(port) ? datagramTraffic(traffic) : clusterTraffic(traffic, portProtocol(port))),
  };
}

/** Numbers lead to the outside, names mean nothing there. */
function portOf(port: ServicePort): number {
  return typeof port.targetPort === 'number' ? port.targetPort : port.port;
}

/** TLS 1.2 is taken too: who is outside is not ours to choose. */
function tlsOf(world: World, policy: BackendTLSPolicy): UpstreamTls {
  const { hostname, wellKnownCACertificates, subjectAltNames = [] } = policy.spec.validation;
  const names = subjectAltNames.map(({ type, hostname: dns, uri }): SubjectAltNameMatch => ({
    type: type === 'URI' ? 'uri' : 'dns',
    match: { kind: 'exact', value: (type === 'URI' ? uri : dns) ?? '' },
  }));
  const common = {
    serverName: hostname,
    minVersion: 'TLSv1.2',
    ...(names.length === 0 ? {} : { subjectAltNames: names }),
  } as const;
  if (wellKnownCACertificates === SYSTEM_CERTIFICATES) return { trust: { kind: 'system' }, ...common };
  const { caPem } = caCertificatesOf(policy, (name) =>
    world.get('ConfigMap', policy.metadata.namespace, name),
  );
  // Without any of its CAs nobody is believed: calls fail, and are never sent in clear (GEP-1897).
  if (caPem === '')
    return { trust: { kind: 'mesh' }, allowedIds: [], serverName: hostname, minVersion: 'TLSv1.2' };
  return { trust: { kind: 'inline', caPem }, ...common };
}

/**
 * What is sent to a name outside the mesh asks for that name: callers inside know another one, or none, since the port decides.
 * Nothing where backends differ.
 */
export function externalHost(backends: readonly Backend[]): { rewrite?: Rewrite } {
  const hosts = new Set(
    backends.map(({ service, port }) => {
      if (!isExternal(service)) return undefined;
      const number = portOf(port);
      return number === 80 || number === 443
        ? service.spec.externalName
        : `${service.spec.externalName}:${number}`;
    }),
  );
  const [host] = hosts;
  return host === undefined || hosts.size > 1 ? {} : { rewrite: { host } };
}
