import { ForwardProxyHosts } from './forward-proxy.ts';
import type { OnDemandCluster, OnDemandEndpoints } from './on-demand.ts';
import { OriginalDestinations } from './original-dst.ts';

/** @returns `undefined` for clusters whose endpoints somebody else names */
export function onDemandOf(cluster: OnDemandCluster): OnDemandEndpoints | undefined {
  const { discovery } = cluster.config;
  if (discovery.kind === 'forward-proxy') return new ForwardProxyHosts(cluster, discovery);
  return discovery.kind === 'original-dst' ? new OriginalDestinations(cluster, discovery) : undefined;
}
