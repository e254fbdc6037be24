import type { Endpoint, Passthrough } from '@tulle/model';
import type { ClientTls } from '../ports.ts';
import type { SaidHeader } from './proxy-header.ts';

/** How endpoints with certain labels are spoken to. */
export interface TlsForLabels {
  readonly labels: readonly (readonly [name: string, value: string])[];
  /** `undefined`: plain text. */
  readonly tls: ClientTls | undefined;
  /** Connections begin with who called. */
  readonly proxyProtocol: SaidHeader | undefined;
  /** What listeners of this process are told; `undefined`: nothing. */
  readonly passthrough: Passthrough | undefined;
}

/** TLS of a cluster. */
export interface ClusterTls {
  readonly tls: ClientTls | undefined;
  readonly proxyProtocol: SaidHeader | undefined;
  readonly passthrough: Passthrough | undefined;
  readonly tlsMatches: readonly TlsForLabels[];
}

/** Whether its connections may turn out to be shared: TLS agrees on it, where TLS is spoken to the endpoint itself. */
export function mayAgreeOnHttp2(cluster: ClusterTls, endpoint: Endpoint): boolean {
  return endpoint.mode !== 'hbone' && tlsOf(cluster, endpoint) !== undefined;
}

/** TLS that is spoken to this endpoint (model `Endpoint.mode`, `Cluster.tlsMatches`); `undefined`: plain text. */
export function tlsOf(cluster: ClusterTls, endpoint: Endpoint): ClientTls | undefined {
  return endpoint.mode === 'none' ? undefined : partFor(cluster, endpoint).tls;
}

/** Likewise the header of the PROXY protocol by which connections to it begin; `undefined`: none. */
export function proxyProtocolOf(cluster: ClusterTls, endpoint: Endpoint): SaidHeader | undefined {
  return endpoint.mode === 'none' || endpoint.mode === 'hbone'
    ? undefined
    : partFor(cluster, endpoint).proxyProtocol;
}

/** Likewise what it is told where it is a listener of this process; `undefined`: nothing. */
export function passthroughOf(cluster: ClusterTls, endpoint: Endpoint): Passthrough | undefined {
  return endpoint.mode === 'none' || endpoint.mode === 'hbone'
    ? undefined
    : partFor(cluster, endpoint).passthrough;
}

function partFor(
  cluster: ClusterTls,
  endpoint: Endpoint,
): Pick<ClusterTls, 'tls' | 'proxyProtocol' | 'passthrough'> {
  const { tlsMatches } = cluster;
  if (tlsMatches.length === 0) return cluster;
  const own = endpoint.tlsLabels ?? {};
  return (
    tlsMatches.find(({ labels }) =>
      labels.every(([name, value]) => Object.hasOwn(own, name) && own[name] === value),
    ) ?? cluster
  );
}
