import type {
  CertificateSource,
  Cluster,
  FilterChain,
  Listener,
  ProxyConfig,
  TcpAddress,
} from '@tulle/model';
import { PROXY_MARK } from './sockets.ts';

/** What a workload needs, and whose network and identity it is. */
export interface WorkloadConfig {
  readonly key: string;
  readonly network: string;
  readonly spiffeId: string;
  readonly config: ProxyConfig;
}

/** One configuration of what all workloads need: names of each behind its key, sockets in its network, certificates its own. */
export function mergeConfigs(parts: readonly WorkloadConfig[], version: string): ProxyConfig {
  const own = parts.map(ownConfig);
  return {
    version,
    listeners: own.flatMap(({ listeners }) => listeners),
    routes: [],
    clusters: own.flatMap(({ clusters }) => clusters),
    endpoints: own.flatMap(({ endpoints }) => endpoints),
  };
}

function ownConfig(part: WorkloadConfig): Omit<ProxyConfig, 'version' | 'routes'> {
  const { key, config } = part;
  const named = <T extends { readonly name: string }>(one: T): T => ({ ...one, name: `${key}/${one.name}` });
  return {
    listeners: config.listeners.map((listener) => named(ownListener(part, listener))),
    clusters: config.clusters.map((cluster) => named(ownCluster(part, cluster))),
    endpoints: config.endpoints.map(named),
  };
}

function ownListener({ key, network, spiffeId }: WorkloadConfig, listener: Listener): Listener {
  const { address, hbone } = listener;
  return {
    ...listener,
    address: { ...(address as TcpAddress), namespace: network },
    ...(hbone && { hbone: { ...hbone, tls: { ...hbone.tls, certificate: ownCertificate(spiffeId) } } }),
    filterChains: listener.filterChains.map((chain) => ownChain(key, chain)),
  };
}

function ownChain(key: string, chain: FilterChain): FilterChain {
  const { handler } = chain;
  if (handler.kind !== 'tcp')
    throw new Error(`chain ${chain.name} is of HTTP: a node proxy serves layer 4, a waypoint what is above`);
  return {
    ...chain,
    handler: {
      ...handler,
      clusters: handler.clusters.map((share) => ({ ...share, name: `${key}/${share.name}` })),
    },
  };
}

function ownCluster({ key, network, spiffeId }: WorkloadConfig, cluster: Cluster): Cluster {
  const { tls, discovery } = cluster;
  return {
    ...cluster,
    ...(discovery.kind === 'eds' && {
      discovery: { ...discovery, serviceName: `${key}/${discovery.serviceName ?? cluster.name}` },
    }),
    ...(tls?.certificate?.kind === 'workload' && { tls: { ...tls, certificate: ownCertificate(spiffeId) } }),
    pool: { ...cluster.pool, network: { namespace: network, mark: PROXY_MARK } },
  };
}

function ownCertificate(identity: string): CertificateSource {
  return { kind: 'workload', identity };
}
