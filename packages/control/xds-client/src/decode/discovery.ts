import { isMessage } from '@bufbuild/protobuf';
import type { AddressFamily, ClusterDiscovery, RefreshBackoff } from '@tulle/model';
import {
  type Cluster,
  type Cluster_CustomClusterType as CustomClusterType,
  Cluster_DiscoveryType as DiscoveryType,
  Cluster_DnsLookupFamily as DnsLookupFamily,
  type Cluster_RefreshRate as RefreshRate,
} from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import { ClusterConfigSchema as AggregateSchema } from '@tulle/xds-proto/envoy/extensions/clusters/aggregate/v3/cluster';
import { needFrom } from './config-source.ts';
import type { DecodeContext } from './context.ts';
import { decodeAssignment } from './endpoints.ts';
import { canonicalName } from './resource-name.ts';
import { milliseconds, present } from './values.ts';

export function decodeDiscovery(context: DecodeContext, cluster: Cluster): ClusterDiscovery {
  const kind = cluster.clusterDiscoveryType;
  if (kind.case === 'clusterType') return decodeExtension(context, kind.value);
  const type = kind.case === 'type' ? kind.value : DiscoveryType.STATIC;
  const endpoints = cluster.loadAssignment
    ? decodeAssignment(context, cluster.loadAssignment, 'load_assignment')
    : [];
  switch (type) {
    case DiscoveryType.STATIC:
      return { kind: 'static', endpoints };
    case DiscoveryType.EDS: {
      if (cluster.loadAssignment)
        context.refuse('load_assignment', 'must not be set on a cluster of type EDS');
      const serviceName = canonicalName(cluster.edsClusterConfig?.serviceName ?? '');
      needFrom(
        context,
        cluster.edsClusterConfig?.edsConfig,
        'eds_cluster_config.eds_config',
        'endpoint',
        serviceName === '' ? cluster.name : serviceName,
      );
      return serviceName === '' ? { kind: 'eds' } : { kind: 'eds', serviceName };
    }
    case DiscoveryType.STRICT_DNS:
    case DiscoveryType.LOGICAL_DNS:
      return present({
        kind: 'dns' as const,
        endpoints,
        use: type === DiscoveryType.STRICT_DNS ? ('all' as const) : ('first' as const),
        refreshMs: milliseconds(cluster.dnsRefreshRate),
        family: FAMILIES[cluster.dnsLookupFamily],
        respectTtl: cluster.respectDnsTtl || undefined,
        failureRefresh: decodeRefreshRate(context, cluster.dnsFailureRefreshRate, 'dns_failure_refresh_rate'),
      });
    default:
      context.refuse('type', 'must be STATIC, EDS, STRICT_DNS or LOGICAL_DNS');
      return { kind: 'static', endpoints: [] };
  }
}

/** A kind of cluster that is an extension. */
function decodeExtension(context: DecodeContext, { typedConfig }: CustomClusterType): ClusterDiscovery {
  const path = 'cluster_type.typed_config';
  const message = context.open(typedConfig, path);
  if (message && isMessage(message, AggregateSchema)) {
    if (message.clusters.length === 0) context.refuse(`${path}.clusters`, 'is empty');
    return { kind: 'aggregate', clusters: message.clusters };
  }
  if (message) context.refuse(path, 'is no kind of cluster');
  return { kind: 'static', endpoints: [] };
}

/** ALL says what Tulle does by itself. */
export const FAMILIES: { readonly [F in DnsLookupFamily]?: AddressFamily } = {
  [DnsLookupFamily.AUTO]: 'v6-first',
  [DnsLookupFamily.V4_ONLY]: 'v4',
  [DnsLookupFamily.V6_ONLY]: 'v6',
  [DnsLookupFamily.V4_PREFERRED]: 'v4-first',
};

export function decodeRefreshRate(
  context: DecodeContext,
  rate: RefreshRate | undefined,
  path: string,
): RefreshBackoff | undefined {
  if (rate === undefined) return undefined;
  const baseMs = milliseconds(rate.baseInterval);
  if (baseMs === undefined) context.refuse(`${path}.base_interval`, 'is missing');
  return present({ baseMs: baseMs ?? 0, maxMs: milliseconds(rate.maxInterval) });
}
