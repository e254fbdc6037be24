import type { Endpoint, PoolOptions } from '@tulle/model';
import type { Engine } from '../engine.ts';
import type { ClientTls, ConnectOptions, Socket } from '../ports.ts';
import { tlsOf } from './endpoint-tls.ts';

/** What connecting to an endpoint depends on of its cluster. */
export interface ConnectingCluster {
  readonly engine: Engine;
  readonly tls: ClientTls | undefined;
  readonly connectOptions: Pick<ConnectOptions, 'keepalive' | 'sourceAddress'>;
}

/** Begins to connect, as everything does that talks to an endpoint: the same TLS, the same proof of identity. */
export function connectEndpoint(cluster: ConnectingCluster, endpoint: Endpoint): Socket {
  const tls = tlsOf(cluster, endpoint);
  return cluster.engine.transport.connect(
    endpoint.address,
    tls === undefined
      ? cluster.connectOptions
      : { ...cluster.connectOptions, tls, expectedIdentity: endpoint.identity },
  );
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
