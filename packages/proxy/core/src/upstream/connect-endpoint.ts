import type { Cluster, Endpoint, PoolOptions } from '@tulle/model';
import type { Engine } from '../engine.ts';
import type { TunnellingCluster } from '../hbone/tunnel-carriers.ts';
import type { ForwardedFor } from '../hbone/forwarded.ts';
import type { ConnectOptions, Socket } from '../ports.ts';
import { tlsOf, type ClusterTls } from './endpoint-tls.ts';
import type { OnDemandEndpoints } from './on-demand.ts';

/** What connecting to an endpoint depends on of its cluster. */
export interface ConnectingCluster extends ClusterTls, TunnellingCluster {
  readonly engine: Engine;
  readonly connectOptions: Pick<ConnectOptions, 'keepalive' | 'sourceAddress' | 'network'>;
  readonly onDemand: OnDemandEndpoints | undefined;
  readonly serverNames: Cluster['serverNameFrom'];
}

/**
 * Begins to connect, as everything does that talks to an endpoint: the same TLS, the same proof of identity.
 * @param name server name that a request said; `''`: none
 * @param from where what goes through it came from, for endpoints that are told; default: from here
 * @param alpn protocols to offer where the cluster's TLS names none
 */
export function connectEndpoint(
  cluster: ConnectingCluster,
  endpoint: Endpoint,
  name = '',
  from?: ForwardedFor,
  alpn?: readonly string[],
): Socket {
  const { engine, connectOptions, onDemand } = cluster;
  if (endpoint.mode === 'hbone') return engine.hbone.connect(cluster, endpoint, from);
  const tls = tlsOf(cluster, endpoint);
  const address = onDemand?.addressOf(endpoint) ?? endpoint.address;
  if (tls === undefined) return engine.transport.connect(address, connectOptions);
  const serverName = name || (onDemand?.serverNameOf(endpoint) ?? '');
  return engine.transport.connect(address, {
    ...connectOptions,
    tls,
    expectedIdentity: endpoint.identity,
    ...(serverName === '' ? {} : { serverName }),
    ...(alpn === undefined ? {} : { alpn }),
    ...(name !== '' && cluster.serverNames?.verified === true ? { verifyServerName: true } : {}),
  });
}

/** What the kernel is told about connections of a pool. */
export function connectOptionsOf({
  tcpKeepalive: keepalive,
  sourceAddress,
  network,
}: PoolOptions): ConnectingCluster['connectOptions'] {
  return {
    ...(keepalive === undefined ? {} : { keepalive }),
    ...(sourceAddress === undefined ? {} : { sourceAddress }),
    ...(network === undefined ? {} : { network }),
  };
}
