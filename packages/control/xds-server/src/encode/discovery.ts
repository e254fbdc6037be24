import { create } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import type { Cluster as ModelCluster, ForwardProxyDiscovery, RefreshBackoff } from '@tulle/model';
import {
  Cluster_CustomClusterTypeSchema as CustomClusterTypeSchema,
  Cluster_DiscoveryType as DiscoveryType,
  Cluster_DnsLookupFamily as DnsLookupFamily,
  Cluster_LbPolicy as LbPolicy,
  type Cluster_RefreshRateSchema as RefreshRateSchema,
  type ClusterSchema,
} from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import { ClusterConfigSchema as AggregateSchema } from '@tulle/xds-proto/envoy/extensions/clusters/aggregate/v3/cluster';
import { ClusterConfigSchema as ForwardProxySchema } from '@tulle/xds-proto/envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster';
import {
  type DnsCacheConfig,
  DnsCacheConfigSchema,
} from '@tulle/xds-proto/envoy/extensions/common/dynamic_forward_proxy/v3/dns_cache';
import { adsSource } from './config-source.ts';
import { encodeAssignment } from './endpoints.ts';
import type { EncodeForm } from './form.ts';
import { place } from './host-override.ts';
import { duration, type Fields } from './values.ts';

type ClusterInit = Fields<typeof ClusterSchema>;

/** Whether the kind of cluster chooses endpoints itself. */
export function isProvided({ discovery: { kind } }: ModelCluster): boolean {
  return kind === 'aggregate' || kind === 'forward-proxy' || kind === 'original-dst';
}

function provided(name: string, typedConfig: Any): ClusterInit {
  return {
    lbPolicy: LbPolicy.CLUSTER_PROVIDED,
    clusterDiscoveryType: {
      case: 'clusterType',
      value: create(CustomClusterTypeSchema, { name, typedConfig }),
    },
  };
}

function dnsCache(name: string, source: ForwardProxyDiscovery): DnsCacheConfig {
  const { refreshMs, queryTimeoutMs, hostTtlMs, maxHosts, maxPendingRequests } = source;
  return create(DnsCacheConfigSchema, {
    name,
    dnsLookupFamily: source.family === undefined ? DnsLookupFamily.ALL : FAMILIES[source.family],
    ...(refreshMs !== undefined && { dnsRefreshRate: duration(refreshMs) }),
    ...(source.failureRefresh && { dnsFailureRefreshRate: refreshRate(source.failureRefresh) }),
    ...(queryTimeoutMs !== undefined && { dnsQueryTimeout: duration(queryTimeoutMs) }),
    ...(hostTtlMs !== undefined && { hostTtl: duration(hostTtlMs) }),
    ...(maxHosts !== undefined && { maxHosts }),
    ...(maxPendingRequests !== undefined && { dnsCacheCircuitBreaker: { maxPendingRequests } }),
    preresolveHostnames: (source.preresolve ?? []).map(({ host, port }) => ({
      address: host,
      portSpecifier: { case: 'portValue', value: port } as const,
    })),
  });
}

export function discovery({ name, discovery: source }: ModelCluster, { release }: EncodeForm): ClusterInit {
  switch (source.kind) {
    case 'static':
      return {
        clusterDiscoveryType: { case: 'type', value: DiscoveryType.STATIC },
        loadAssignment: encodeAssignment(name, source.endpoints, source.policy),
      };
    case 'eds':
      return {
        clusterDiscoveryType: { case: 'type', value: DiscoveryType.EDS },
        edsClusterConfig: {
          edsConfig: adsSource(),
          ...(source.serviceName !== undefined && { serviceName: source.serviceName }),
        },
      };
    case 'aggregate':
      return provided(
        'envoy.clusters.aggregate',
        anyPack(AggregateSchema, create(AggregateSchema, { clusters: [...source.clusters] })),
      );
    case 'forward-proxy':
      return provided(
        'envoy.clusters.dynamic_forward_proxy',
        anyPack(
          ForwardProxySchema,
          create(ForwardProxySchema, {
            clusterImplementationSpecifier: { case: 'dnsCacheConfig', value: dnsCache(name, source) },
          }),
        ),
      );
    case 'original-dst':
      return {
        lbPolicy: LbPolicy.CLUSTER_PROVIDED,
        clusterDiscoveryType: { case: 'type', value: DiscoveryType.ORIGINAL_DST },
        ...((source.header ?? source.port ?? source.metadata) !== undefined && {
          lbConfig: {
            case: 'originalDstLbConfig',
            value: {
              useHttpHeader: source.header !== undefined,
              httpHeaderName: source.header ?? '',
              ...(source.metadata && { metadataKey: place(source.metadata) }),
              ...(source.port !== undefined && { upstreamPortOverride: source.port }),
            },
          },
        }),
        ...(source.cleanupMs !== undefined && { cleanupInterval: duration(source.cleanupMs) }),
      };
    case 'dns':
      return {
        clusterDiscoveryType: {
          case: 'type',
          value: source.use === 'all' ? DiscoveryType.STRICT_DNS : DiscoveryType.LOGICAL_DNS,
        },
        loadAssignment: encodeAssignment(name, source.endpoints, source.policy),
        ...(source.refreshMs !== undefined && { dnsRefreshRate: duration(source.refreshMs) }),
        // One of the release before uses all of its own accord, and knows no other way.
        ...((release !== 'before' || source.family !== undefined) && {
          dnsLookupFamily: source.family === undefined ? DnsLookupFamily.ALL : FAMILIES[source.family],
        }),
        ...(source.respectTtl === true && { respectDnsTtl: true }),
        ...(source.jitterMs !== undefined && { dnsJitter: duration(source.jitterMs) }),
        ...(source.failureRefresh && { dnsFailureRefreshRate: refreshRate(source.failureRefresh) }),
      };
  }
}

const FAMILIES = {
  v4: DnsLookupFamily.V4_ONLY,
  v6: DnsLookupFamily.V6_ONLY,
  'v4-first': DnsLookupFamily.V4_PREFERRED,
  'v6-first': DnsLookupFamily.AUTO,
} as const;

function refreshRate({ baseMs, maxMs }: RefreshBackoff): Fields<typeof RefreshRateSchema> {
  return {
    baseInterval: duration(baseMs),
    ...(maxMs !== undefined && { maxInterval: duration(maxMs) }),
  };
}
