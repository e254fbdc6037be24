import type { Endpoint, PoolOptions } from '@tulle/model';
import type { Engine } from '../engine.ts';
import type { ClientTls, ConnectOptions, Socket } from '../ports.ts';
import { tlsOf } from './endpoint-tls.ts';
import type { OnDemandEndpoints } from './on-demand.ts';

/** What connecting to an endpoint depends on of its cluster. */
export interface ConnectingCluster {
  readonly engine: Engine;
  readonly tls: ClientTls | undefined;
  readonly connectOptions: Pick<ConnectOptions, 'keepalive' | 'sourceAddress'>;
  readonly onDemand: OnDemandEndpoints | undefined;
}

/** Begins to connect, as everything does that talks to an endpoint: the same TLS, the same proof of identity. */
export function connectEndpoint(cluster: ConnectingCluster, endpoint: Endpoint): Socket {
  const { engine, connectOptions, onDemand } = cluster;
  const tls = tlsOf(cluster, endpoint);
  const address = onDemand?.addressOf(endpoint) ?? endpoint.address;
  if (tls === undefined) return engine.transport.connect(address, connectOptions);
  const serverName = onDemand?.serverNameOf(endpoint) ?? '';
  return engine.transport.connect(address, {
    ...connectOptions,
    tls,
    expectedIdentity: endpoint.identity,
    ...(serverName === '' ? {} : { serverName }),
  });
}

/** What the kernel is told about connections of a pool. */
export function connectOptionsOf({
  tcpKeepalive: keepalive,
  sourceAddress,
}: PoolOptions): ConnectingCluster['connectOptions'] {
  return {
    ...(keepalive === undefined ? {} : { keepalive }),
    ...(sourceAddress === undefined ? {} : { sourceAddress }),
  };
}
