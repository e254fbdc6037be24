import {
  type Address,
  formatAddress,
  type InternalAddress,
  isInternalAddress,
  type Cluster,
  type Endpoint,
  type PoolOptions,
} from '@tulle/model';
import type { Engine } from '../engine.ts';
import type { TunnellingCluster } from '../hbone/tunnel-carriers.ts';
import type { ForwardedFor } from '../hbone/forwarded.ts';
import { type Along, NOTHING_ALONG, passedTo } from '../internal/along.ts';
import type { ConnectOptions, Socket } from '../ports.ts';
import type { ProxiedAddresses } from '../listener/proxy-protocol.ts';
import type { EngineConnection } from '../sides.ts';
import { addressesInOrder } from './address-order.ts';
import { passthroughOf, proxyProtocolOf, tlsOf, type ClusterTls } from './endpoint-tls.ts';
import type { OnDemandEndpoints } from './on-demand.ts';
import { writeProxyHeader } from './proxy-header.ts';

/** What connecting to an endpoint depends on of its cluster. */
export interface ConnectingCluster extends ClusterTls, TunnellingCluster {
  readonly engine: Engine;
  readonly config: Pick<Cluster, 'pool' | 'tls'>;
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
  /** Protocols to offer whatever the cluster's TLS names. */
  readonly onlyAlpn?: readonly string[] | undefined;
  /** What a listener of this process is told; default: nothing. */
  readonly along?: Along | undefined;
  /** Which one of its addresses; default the first. */
  readonly address?: Address | InternalAddress | undefined;
}

/** Begins to connect, as everything does that talks to an endpoint: the same TLS, the same proof of identity. */
export function connectEndpoint(
  cluster: ConnectingCluster,
  endpoint: Endpoint,
  { serverName: name = '', whose, alpn, onlyAlpn, along, address: chosen }: ConnectFor = {},
): Socket {
  const { engine, connectOptions, onDemand } = cluster;
  if (endpoint.mode === 'hbone') return engine.hbone.connect(cluster, endpoint, whose && callerOf(whose));
  const tls = tlsOf(cluster, endpoint);
  const header = proxyProtocolOf(cluster, endpoint);
  const preface = header === undefined ? {} : { preface: writeProxyHeader(header, whose) };
  const address = chosen ?? onDemand?.reachedAt(endpoint).address ?? endpoint.address;
  const within = isInternalAddress(address)
    ? engine.internal.connect(
        address,
        passedTo(endpoint, passthroughOf(cluster, endpoint), along ?? NOTHING_ALONG),
      )
    : undefined;
  if (tls === undefined) {
    if (within === undefined)
      return engine.transport.connect(address as Address, { ...connectOptions, ...preface });
    if (preface.preface !== undefined) within.write(preface.preface);
    return within;
  }
  const serverName = name || (onDemand?.serverNameOf(endpoint) ?? '');
  return engine.transport.connect(isInternalAddress(address) ? { path: formatAddress(address) } : address, {
    ...connectOptions,
    ...preface,
    ...(within === undefined ? {} : { over: within }),
    tls,
    expectedIdentity: endpoint.identity,
    hostname: endpoint.hostname,
    ...(serverName === '' ? {} : { serverName }),
    ...(alpn === undefined ? {} : { alpn }),
    ...(onlyAlpn === undefined ? {} : { onlyAlpn }),
    ...(name !== '' && cluster.serverNames?.verified === true ? { verifyServerName: true } : {}),
  });
}

function callerOf({ sourceAddress: address, sourcePort: port }: ProxiedAddresses): ForwardedFor {
  return { address, port };
}

const NO_TLVS: NonNullable<ProxiedAddresses['tlvs']> = [];

/** Where an endpoint is connected, first to last; one where it is reached by a tunnel. */
export function addressesOfEndpoint(
  { config, onDemand }: Pick<ConnectingCluster, 'config' | 'onDemand'>,
  endpoint: Endpoint,
): readonly (Address | InternalAddress)[] {
  return endpoint.mode === 'hbone'
    ? [endpoint.address]
    : addressesInOrder(onDemand?.reachedAt(endpoint) ?? endpoint, config.pool?.addressOrder);
}

/** Who called whom over an accepted connection, and what else its header said. */
export function addressesOf(connection: EngineConnection): ProxiedAddresses {
  const tlvs = connection.proxied?.passed ?? NO_TLVS;
  return {
    tlvs,
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
