import { isMessage } from '@bufbuild/protobuf';
import type {
  AddressFamily,
  ClusterDiscovery,
  Endpoint,
  ForwardProxyDiscovery,
  OriginalDstDiscovery,
  RefreshBackoff,
} from '@tulle/model';
import {
  type Cluster,
  type Cluster_CustomClusterType as CustomClusterType,
  Cluster_DiscoveryType as DiscoveryType,
  Cluster_DnsLookupFamily as DnsLookupFamily,
  type Cluster_RefreshRate as RefreshRate,
} from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import { DnsLookupFamily as NewFamily } from '@tulle/xds-proto/envoy/extensions/clusters/common/dns/v3/dns';
import {
  type DnsCluster,
  DnsClusterSchema,
} from '@tulle/xds-proto/envoy/extensions/clusters/dns/v3/dns_cluster';
import { ClusterConfigSchema as AggregateSchema } from '@tulle/xds-proto/envoy/extensions/clusters/aggregate/v3/cluster';
import { ClusterConfigSchema as ForwardProxySchema } from '@tulle/xds-proto/envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster';
import type { TypedExtensionConfig } from '@tulle/xds-proto/envoy/config/core/v3/extension';
import type { DnsCacheConfig } from '@tulle/xds-proto/envoy/extensions/common/dynamic_forward_proxy/v3/dns_cache';
import { needFrom } from './config-source.ts';
import type { DecodeContext } from './context.ts';
import { decodeAssignment } from './endpoints.ts';
import { decodePlace } from './host-override.ts';
import type { Extras } from './extras.ts';
import { canonicalName } from './resource-name.ts';
import { filled, milliseconds, present } from './values.ts';

export function decodeDiscovery(context: DecodeContext, cluster: Cluster, extras: Extras): ClusterDiscovery {
  const maxHosts = extras.number('maxHosts');
  checkResolver(context, cluster.typedDnsResolverConfig, 'typed_dns_resolver_config');
  const kind = cluster.clusterDiscoveryType;
  if (kind.case === 'clusterType') return decodeExtension(context, kind.value, cluster);
  const type = kind.case === 'type' ? kind.value : DiscoveryType.STATIC;
  const given = cluster.loadAssignment
    ? decodeAssignment(context, cluster.loadAssignment, 'load_assignment')
    : { endpoints: [] };
  switch (type) {
    case DiscoveryType.STATIC:
      return { kind: 'static', ...given };
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
      checkNamed(context, given.endpoints);
      return present({
        kind: 'dns' as const,
        ...given,
        use: type === DiscoveryType.STRICT_DNS ? ('all' as const) : ('first' as const),
        refreshMs: milliseconds(cluster.dnsRefreshRate),
        family: FAMILIES[cluster.dnsLookupFamily],
        respectTtl: cluster.respectDnsTtl || undefined,
        jitterMs: milliseconds(cluster.dnsJitter),
        failureRefresh: decodeRefreshRate(context, cluster.dnsFailureRefreshRate, 'dns_failure_refresh_rate'),
      });
    case DiscoveryType.ORIGINAL_DST:
      return { ...decodeOriginalDst(context, cluster), ...(maxHosts !== undefined && { maxHosts }) };
    default:
      context.refuse('type', 'must be STATIC, EDS, STRICT_DNS, LOGICAL_DNS or ORIGINAL_DST');
      return { kind: 'static', endpoints: [] };
  }
}

/** A kind of cluster that is an extension. */
function decodeExtension(
  context: DecodeContext,
  { typedConfig }: CustomClusterType,
  { loadAssignment }: Cluster,
): ClusterDiscovery {
  const path = 'cluster_type.typed_config';
  const message = context.open(typedConfig, path);
  if (message && isMessage(message, AggregateSchema)) {
    if (message.clusters.length === 0) context.refuse(`${path}.clusters`, 'is empty');
    return { kind: 'aggregate', clusters: message.clusters };
  }
  if (message && isMessage(message, DnsClusterSchema)) {
    const given = loadAssignment && decodeAssignment(context, loadAssignment, 'load_assignment');
    checkNamed(context, given?.endpoints ?? []);
    return { ...decodeDns(context, message, path), ...(given ?? { endpoints: [] }) };
  }
  if (message && isMessage(message, ForwardProxySchema)) {
    const { clusterImplementationSpecifier: how } = message;
    if (message.allowInsecureClusterOptions)
      context.refuse(
        `${path}.allow_insecure_cluster_options`,
        'must be false: over TLS the host that a request names must be who answers',
      );
    if (message.allowCoalescedConnections)
      context.refuse(
        `${path}.allow_coalesced_connections`,
        'must be false: each host has its own connections',
      );
    if (how.case === 'dnsCacheConfig')
      return { kind: 'forward-proxy', ...decodeDnsCache(context, how.value, `${path}.dns_cache_config`) };
    context.refuse(path, 'must have a dns_cache_config');
  } else if (message) context.refuse(path, 'is no kind of cluster');
  return { kind: 'static', endpoints: [] };
}

/** Endpoints that are found by name have the addresses of that. */
function checkNamed(context: DecodeContext, endpoints: readonly Endpoint[]): void {
  if (endpoints.some(({ additionalAddresses }) => additionalAddresses !== undefined))
    context.refuse('load_assignment', 'must have no additional_addresses in a cluster that resolves names');
}

/** The newer form of STRICT_DNS and LOGICAL_DNS. */
function decodeDns(
  context: DecodeContext,
  dns: DnsCluster,
  path: string,
): Omit<Extract<ClusterDiscovery, { kind: 'dns' }>, 'endpoints'> {
  checkResolver(context, dns.typedDnsResolverConfig, `${path}.typed_dns_resolver_config`);
  return present({
    kind: 'dns' as const,
    use: dns.allAddressesInSingleEndpoint ? ('first' as const) : ('all' as const),
    refreshMs: milliseconds(dns.dnsRefreshRate),
    family: NEW_FAMILIES[dns.dnsLookupFamily],
    respectTtl: dns.respectDnsTtl || undefined,
    jitterMs: milliseconds(dns.dnsJitter),
    failureRefresh: decodeRefreshRate(context, dns.dnsFailureRefreshRate, `${path}.dns_failure_refresh_rate`),
  });
}

/** Names are looked up as the system does; whatever says who else is to be asked is refused by its path. */
function checkResolver(
  context: DecodeContext,
  resolver: TypedExtensionConfig | undefined,
  path: string,
): void {
  if (resolver !== undefined) context.open(resolver.typedConfig, `${path}.typed_config`);
}

function decodeDnsCache(
  context: DecodeContext,
  cache: DnsCacheConfig,
  path: string,
): Omit<ForwardProxyDiscovery, 'kind'> {
  checkResolver(context, cache.typedDnsResolverConfig, `${path}.typed_dns_resolver_config`);
  return present({
    family: FAMILIES[cache.dnsLookupFamily],
    refreshMs: milliseconds(cache.dnsRefreshRate),
    failureRefresh: decodeRefreshRate(
      context,
      cache.dnsFailureRefreshRate,
      `${path}.dns_failure_refresh_rate`,
    ),
    queryTimeoutMs: milliseconds(cache.dnsQueryTimeout),
    hostTtlMs: milliseconds(cache.hostTtl),
    maxHosts: cache.maxHosts,
    maxPendingRequests: cache.dnsCacheCircuitBreaker?.maxPendingRequests,
    preresolve: filled(
      cache.preresolveHostnames.map(({ address, portSpecifier }, index) => {
        const port = portSpecifier.case === 'portValue' ? portSpecifier.value : 0;
        if (port === 0) context.refuse(`${path}.preresolve_hostnames[${index}].port_value`, 'is missing');
        return { host: address, port };
      }),
    ),
  });
}

function decodeOriginalDst(context: DecodeContext, cluster: Cluster): OriginalDstDiscovery {
  const config = cluster.lbConfig.case === 'originalDstLbConfig' ? cluster.lbConfig.value : undefined;
  if (cluster.loadAssignment)
    context.refuse('load_assignment', 'must not be set on a cluster of type ORIGINAL_DST');
  return present({
    kind: 'original-dst' as const,
    metadata:
      config?.metadataKey && decodePlace(context, config.metadataKey, 'original_dst_lb_config.metadata_key'),
    header:
      config?.useHttpHeader === true ? config.httpHeaderName.toLowerCase() || ORIGINAL_DST_HEADER : undefined,
    port: config?.upstreamPortOverride,
    cleanupMs: milliseconds(cluster.cleanupInterval),
  });
}

/** Envoy's `http_header_name`. */
const ORIGINAL_DST_HEADER = 'x-envoy-original-dst-host';

/** ALL says what Tulle does by itself. */
export const FAMILIES: { readonly [F in DnsLookupFamily]?: AddressFamily } = {
  [DnsLookupFamily.AUTO]: 'v6-first',
  [DnsLookupFamily.V4_ONLY]: 'v4',
  [DnsLookupFamily.V6_ONLY]: 'v6',
  [DnsLookupFamily.V4_PREFERRED]: 'v4-first',
};

/** Likewise; who says nothing means AUTO there. */
const NEW_FAMILIES: { readonly [F in NewFamily]?: AddressFamily } = {
  [NewFamily.UNSPECIFIED]: 'v6-first',
  [NewFamily.AUTO]: 'v6-first',
  [NewFamily.V4_ONLY]: 'v4',
  [NewFamily.V6_ONLY]: 'v6',
  [NewFamily.V4_PREFERRED]: 'v4-first',
};

export function decodeRefreshRate(
  context: DecodeContext,
  rate: Pick<RefreshRate, 'baseInterval' | 'maxInterval'> | undefined,
  path: string,
): RefreshBackoff | undefined {
  if (rate === undefined) return undefined;
  const baseMs = milliseconds(rate.baseInterval);
  if (baseMs === undefined) context.refuse(`${path}.base_interval`, 'is missing');
  return present({ baseMs: baseMs ?? 0, maxMs: milliseconds(rate.maxInterval) });
}
