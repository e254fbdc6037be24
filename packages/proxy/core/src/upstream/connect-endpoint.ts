import type { ConnectionInfo } from '@tulle/filter';
import type { Cluster, Endpoint, PoolOptions } from '@tulle/model';
import type { Engine } from '../engine.ts';
import type { TunnellingCluster } from '../hbone/tunnel-carriers.ts';
import type { ForwardedFor } from '../hbone/forwarded.ts';
import type { ConnectOptions, Socket } from '../ports.ts';
import type { ProxiedAddresses } from '../listener/proxy-protocol.ts';
import { proxyProtocolOf, tlsOf, type ClusterTls } from './endpoint-tls.ts';
import type { OnDemandEndpoints } from './on-demand.ts';
import { writeProxyHeader } from './proxy-header.ts';

/** What connecting to an endpoint depends on of its cluster. */
export interface ConnectingCluster extends ClusterTls, TunnellingCluster {
  readonly engine: Engine;
  readonly connectOptions: Pick<ConnectOptions, 'keepalive' | 'sourceAddress' | 'network'>;
  readonly onDemand: OnDemandEndpoints | undefined;
  readonly serverNames: Cluster['serverNameFrom'];
}

/** What else a connection depends on. */
export interface ConnectFor {
  /** Server name that a request said; `''`: none. */
  readonly serverName?: string;
  /** Who called whom, for endpoints that are told; default: the proxy itself calls. */
  readonly whose?: ProxiedAddresses | undefined;
  /** Protocols to offer where the cluster's TLS names none. */
  readonly alpn?: readonly string[] | undefined;
}

/** Begins to connect, as everything does that talks to an endpoint: the same TLS, the same proof of identity. */
export function connectEndpoint(
  cluster: ConnectingCluster,
  endpoint: Endpoint,
  { serverName: name = '', whose, alpn }: ConnectFor = {},
): Socket {
  const { engine, connectOptions, onDemand } = cluster;
  if (endpoint.mode === 'hbone') return engine.hbone.connect(cluster, endpoint, whose && callerOf(whose));
  const tls = tlsOf(cluster, endpoint);
  const version = proxyProtocolOf(cluster, endpoint);
  const preface = version === undefined ? {} : { preface: writeProxyHeader(version, whose) };
  const address = onDemand?.addressOf(endpoint) ?? endpoint.address;
  if (tls === undefined) return engine.transport.connect(address, { ...connectOptions, ...preface });
  const serverName = name || (onDemand?.serverNameOf(endpoint) ?? '');
  return engine.transport.connect(address, {
    ...connectOptions,
    ...preface,
    tls,
    expectedIdentity: endpoint.identity,
    ...(serverName === '' ? {} : { serverName }),
    ...(alpn === undefined ? {} : { alpn }),
    ...(name !== '' && cluster.serverNames?.verified === true ? { verifyServerName: true } : {}),
  });
}

function callerOf({ sourceAddress: address, sourcePort: port }: ProxiedAddresses): ForwardedFor {
  return { address, port };
}

/** Who called whom over an accepted connection. */
export function addressesOf(connection: ConnectionInfo): ProxiedAddresses {
  return {
    sourceAddress: connection.remoteAddress,
    sourcePort: connection.remotePort,
    destinationAddress: connection.localAddress,
    destinationPort: connection.localPort,
  };
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
