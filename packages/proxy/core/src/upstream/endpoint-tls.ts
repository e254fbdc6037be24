import type { Endpoint } from '@tulle/model';
import type { ClientTls } from '../ports.ts';

/** TLS for endpoints with certain labels. */
export interface TlsForLabels {
  readonly labels: readonly (readonly [name: string, value: string])[];
  /** `undefined`: plain text. */
  readonly tls: ClientTls | undefined;
}

/** TLS of a cluster. */
export interface ClusterTls {
  readonly tls: ClientTls | undefined;
  readonly tlsMatches: readonly TlsForLabels[];
}

/** Whether its connections may turn out to be shared: TLS agrees on it, where TLS is spoken to the endpoint itself. */
export function mayAgreeOnHttp2(cluster: ClusterTls, endpoint: Endpoint): boolean {
  return endpoint.mode !== 'hbone' && tlsOf(cluster, endpoint) !== undefined;
}

/** TLS that is spoken to this endpoint (model `Endpoint.mode`, `Cluster.tlsMatches`); `undefined`: plain text. */
export function tlsOf({ tls, tlsMatches }: ClusterTls, endpoint: Endpoint): ClientTls | undefined {
  if (endpoint.mode === 'none') return undefined;
  if (tlsMatches.length === 0) return tls;
  const own = endpoint.tlsLabels ?? {};
  const match = tlsMatches.find(({ labels }) =>
    labels.every(([name, value]) => Object.hasOwn(own, name) && own[name] === value),
  );
  return match === undefined ? tls : match.tls;
}
