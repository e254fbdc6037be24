import type { Address, Cluster, UpstreamTls } from '@tulle/model';
import type { DecodeContext, XdsApi } from '@tulle/xds-client';
import type { Bootstrap_DynamicResources as DynamicResources } from '@tulle/xds-proto/envoy/config/bootstrap/v3/bootstrap';
import {
  type ApiConfigSource,
  ApiConfigSource_ApiType as ApiType,
  ApiVersion,
  type ConfigSource,
} from '@tulle/xds-proto/envoy/config/core/v3/config_source';

/** A management server that is reached as a cluster is. */
export interface GrpcSource {
  readonly cluster: string;
  /** Its endpoints; tried one after the other. */
  readonly addresses: readonly Address[];
  /** Absent: plain text. */
  readonly tls?: UpstreamTls;
  readonly api: XdsApi;
}

/** Where resources that are not static come from. */
export interface Discovery {
  readonly ads: GrpcSource;
  /** Which kinds are asked for there. */
  readonly listeners: boolean;
  readonly clusters: boolean;
  /** Envoy `initial_fetch_timeout`: 0 waits without end. Default 15,000, Envoy's. */
  readonly initialFetchTimeoutMs?: number;
}

/** @returns `undefined` where everything is static, or after an issue */
export function readDiscovery(
  dynamic: DynamicResources | undefined,
  clusters: readonly Cluster[],
  context: DecodeContext,
): Discovery | undefined {
  if (dynamic === undefined) return undefined;
  const path = 'dynamic_resources';
  const { ldsConfig, cdsConfig, adsConfig } = dynamic;
  if (dynamic.ldsResourcesLocator !== '') context.refuse(`${path}.lds_resources_locator`, 'is not supported');
  if (dynamic.cdsResourcesLocator !== '') context.refuse(`${path}.cds_resources_locator`, 'is not supported');
  const timeouts = [
    checkSource(ldsConfig, `${path}.lds_config`, adsConfig !== undefined, context),
    checkSource(cdsConfig, `${path}.cds_config`, adsConfig !== undefined, context),
  ].filter((timeout) => timeout !== undefined);
  if (adsConfig === undefined) return undefined;
  const ads = readAds(adsConfig, clusters, `${path}.ads_config`, context);
  if (ads === undefined) return undefined;
  return {
    ads,
    listeners: ldsConfig !== undefined,
    clusters: cdsConfig !== undefined,
    ...(timeouts.length > 0 && { initialFetchTimeoutMs: Math.max(...timeouts) }),
  };
}

/** @returns `initial_fetch_timeout` in milliseconds, where it is given */
function checkSource(
  source: ConfigSource | undefined,
  path: string,
  hasAds: boolean,
  context: DecodeContext,
): number | undefined {
  if (source === undefined) return undefined;
  const { case: kind } = source.configSourceSpecifier;
  if (kind === 'ads') {
    if (!hasAds) context.refuse(path, 'is ads, but dynamic_resources.ads_config is missing');
  } else
    context.refuse(
      kind === undefined ? path : `${path}.${SPELLING[kind] ?? kind}`,
      'must be ads: this proxy discovers everything over one stream',
    );
  if (source.authorities.length > 0) context.refuse(`${path}.authorities`, 'are not supported');
  const timeout = source.initialFetchTimeout;
  return timeout && Number(timeout.seconds) * 1000 + timeout.nanos / 1e6;
}

const SPELLING: Readonly<Record<string, string>> = {
  pathConfigSource: 'path_config_source',
  apiConfigSource: 'api_config_source',
};

const APIS: Readonly<Partial<Record<ApiType, XdsApi>>> = {
  [ApiType.GRPC]: 'state-of-the-world',
  [ApiType.DELTA_GRPC]: 'delta',
};

const nameOf = (type: ApiType): string =>
  Object.entries(ApiType).find(([, value]) => value === type)?.[0] ?? String(type);

/** What {@link GrpcSource.tls} may hold; a condition that nobody checks must not be taken. */
const KNOWN_TLS: ReadonlySet<string> = new Set<keyof UpstreamTls>([
  'certificate',
  'trust',
  'serverName',
  'allowedIds',
  'alpn',
  'minVersion',
  'sessionResumption',
]);

function readAds(
  ads: ApiConfigSource,
  clusters: readonly Cluster[],
  path: string,
  context: DecodeContext,
): GrpcSource | undefined {
  const api = APIS[ads.apiType];
  if (api === undefined)
    context.refuse(`${path}.api_type`, `must be GRPC or DELTA_GRPC, but is ${nameOf(ads.apiType)}`);
  if (ads.transportApiVersion !== ApiVersion.V3)
    context.refuse(`${path}.transport_api_version`, 'must be V3');
  if (ads.clusterNames.length > 0) context.refuse(`${path}.cluster_names`, 'is for REST; give grpc_services');
  if (ads.rateLimitSettings !== undefined) context.refuse(`${path}.rate_limit_settings`, 'is not supported');
  if (ads.configValidators.length > 0) context.refuse(`${path}.config_validators`, 'are not supported');
  const [service, ...more] = ads.grpcServices;
  if (service === undefined) {
    context.refuse(`${path}.grpc_services`, 'is missing');
    return undefined;
  }
  const here = `${path}.grpc_services[0]`;
  if (more.length > 0)
    context.refuse(
      `${path}.grpc_services[1]`,
      'is one more than is supported; give several endpoints to the cluster instead',
    );
  if (service.initialMetadata.length > 0) context.refuse(`${here}.initial_metadata`, 'is not supported');
  if (service.retryPolicy !== undefined)
    context.refuse(`${here}.retry_policy`, 'is not supported; streams are opened again with backoff');
  const { targetSpecifier: target } = service;
  if (target.case !== 'envoyGrpc') {
    context.refuse(
      target.case === undefined ? here : `${here}.google_grpc`,
      'must be envoy_grpc, a cluster of static_resources',
    );
    return undefined;
  }
  const { clusterName, authority, retryPolicy, skipEnvoyHeaders: _ } = target.value;
  if (authority !== '') context.refuse(`${here}.envoy_grpc.authority`, 'is not supported');
  if (retryPolicy !== undefined)
    context.refuse(
      `${here}.envoy_grpc.retry_policy`,
      'is not supported; streams are opened again with backoff',
    );
  const cluster = clusters.find(({ name }) => name === clusterName);
  if (cluster === undefined) {
    context.refuse(
      `${here}.envoy_grpc.cluster_name`,
      `names no cluster of static_resources: ${JSON.stringify(clusterName)}`,
    );
    return undefined;
  }
  if (cluster.discovery.kind !== 'static' && cluster.discovery.kind !== 'dns') {
    context.refuse(
      `${here}.envoy_grpc.cluster_name`,
      `names a cluster whose endpoints would have to be discovered first: ${JSON.stringify(clusterName)}`,
    );
    return undefined;
  }
  const addresses = cluster.discovery.endpoints.map(({ address }) => address);
  if (addresses.length === 0)
    context.refuse(
      `${here}.envoy_grpc.cluster_name`,
      `names a cluster without endpoints: ${JSON.stringify(clusterName)}`,
    );
  for (const part of Object.keys(cluster.tls ?? {}))
    if (!KNOWN_TLS.has(part))
      context.refuse(
        `${here}.envoy_grpc.cluster_name`,
        `names a cluster whose TLS context has what is not done towards a management server: ${part}`,
      );
  const { certificate, trust } = cluster.tls ?? {};
  if (certificate?.kind === 'workload' || trust?.kind === 'mesh')
    context.refuse(
      `${here}.envoy_grpc.cluster_name`,
      'names a cluster whose secrets would have to be discovered first: give files, text or static secrets',
    );
  return {
    cluster: clusterName,
    addresses,
    api: api ?? 'state-of-the-world',
    ...(cluster.tls && { tls: cluster.tls }),
  };
}
