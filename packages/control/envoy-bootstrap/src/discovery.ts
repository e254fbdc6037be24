import {
  type Address,
  type Cluster,
  isInternalAddress,
  type Listener,
  type TraceProvider,
  type UpstreamTls,
} from '@tulle/model';
import {
  type Collection,
  type DecodeContext,
  type DiscoverySource,
  type Fixed,
  type GrpcServerName,
  readApiSource,
  readSource,
  type Roots,
  type XdsApi,
} from '@tulle/xds-client';
import { readLocator } from './authorities.ts';
import type { Bootstrap_DynamicResources as DynamicResources } from '@tulle/xds-proto/envoy/config/bootstrap/v3/bootstrap';
import {
  type ApiConfigSource,
  ApiConfigSource_ApiType,
  ApiConfigSourceSchema,
  ConfigSourceSchema,
} from '@tulle/xds-proto/envoy/config/core/v3/config_source';
import type { Secret } from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/secret';

/** A management server that is reached as a cluster is. */
export interface GrpcSource {
  readonly cluster: string;
  /** Its endpoints; tried one after the other. */
  readonly addresses: readonly Address[];
  /** Absent: plain text. */
  readonly tls?: UpstreamTls;
}

/** Where resources that are not static come from. */
export interface Discovery {
  /** Absent: nothing comes by ADS. */
  readonly ads?: GrpcSource & { readonly api: XdsApi };
  /** Where listeners and clusters come from that nothing names. */
  readonly roots: Required<Roots>;
  /** Where names that say their authority are to be had; `*` for all others. */
  readonly authorities: ReadonlyMap<string, DiscoverySource>;
  /** Where spans go of handlers that do not say; absent: nowhere. */
  readonly tracer?: TraceProvider;
  /** Servers of `api_config_source`, by name of their cluster. */
  readonly servers: ReadonlyMap<string, GrpcSource>;
  /** The static resources, with what has to be discovered for them. */
  readonly fixed: {
    readonly listeners: readonly Fixed<Listener>[];
    readonly clusters: readonly Fixed<Cluster>[];
    readonly secrets: readonly Secret[];
  };
  /** Envoy `initial_fetch_timeout`: 0 waits without end. Default 15,000, Envoy's. */
  readonly initialFetchTimeoutMs?: number;
}

/** The static resources as they were decoded. */
export interface FixedResources {
  readonly listeners: readonly Place<Listener>[];
  readonly clusters: readonly Place<Cluster>[];
  readonly secrets: readonly Secret[];
}

/** With the path of the resource. */
type Place<Model> = Fixed<Model> & { readonly path: string };

/** @returns `undefined` where everything is static, or after an issue that leaves nothing to be done */
export function readDiscovery(
  dynamic: DynamicResources | undefined,
  fixed: FixedResources,
  authorities: ReadonlyMap<string, DiscoverySource>,
  tracer: TraceProvider | undefined,
  context: DecodeContext,
): Discovery | undefined {
  const needed = [...fixed.listeners, ...fixed.clusters].flatMap(({ path, needs = [], sources = [] }) =>
    [...needs.map((need) => need.source), ...sources].map((source) => ({ path, source })),
  );
  if (dynamic === undefined && needed.length === 0) return undefined;
  const path = 'dynamic_resources';
  const adsIsDelta = dynamic?.adsConfig?.apiType === ApiConfigSource_ApiType.DELTA_GRPC;
  if (dynamic?.ldsConfig) context.check(ConfigSourceSchema, dynamic.ldsConfig, `${path}.lds_config`);
  if (dynamic?.cdsConfig) context.check(ConfigSourceSchema, dynamic.cdsConfig, `${path}.cds_config`);
  const lds = dynamic?.ldsConfig && readSource(context, dynamic.ldsConfig, `${path}.lds_config`);
  const cds = dynamic?.cdsConfig && readSource(context, dynamic.cdsConfig, `${path}.cds_config`);
  // Envoy asks the source beside a locator, and knows authorities for other names alone.
  const collectionAt = (
    locator: string | undefined,
    name: string,
    beside: DiscoverySource | undefined,
  ): Collection | undefined =>
    locator === undefined || locator === ''
      ? undefined
      : readLocator(
          locator,
          `${path}.${name}_resources_locator`,
          { authorities, beside, adsIsDelta },
          context,
        );
  const listeners = collectionAt(dynamic?.ldsResourcesLocator, 'lds', lds?.source);
  const clusters = collectionAt(dynamic?.cdsResourcesLocator, 'cds', cds?.source);
  const find = (name: string, at: string): GrpcSource | undefined =>
    serverOf(name, fixed.clusters, at, context);
  const api = dynamic?.adsConfig;
  const ads = api && readAds(api, find, `${path}.ads_config`, context);
  const servers = new Map<string, GrpcSource>();
  for (const { path: at, source } of [
    ...(lds ? [{ path: `${path}.lds_config`, source: lds.source }] : []),
    ...(cds ? [{ path: `${path}.cds_config`, source: cds.source }] : []),
    ...[...authorities.values()].map((source) => ({ path: 'config_sources', source })),
    ...needed,
  ]) {
    if (source.kind === 'ads' && api === undefined)
      context.refuse(at, 'names ads as a source, but dynamic_resources.ads_config is missing');
    const cluster = clusterOf(source);
    if (cluster === undefined || servers.has(cluster)) continue;
    const server = find(cluster, at);
    if (server !== undefined) servers.set(cluster, server);
  }
  const timeouts = [lds?.timeoutMs, cds?.timeoutMs].filter((timeout) => timeout !== undefined);
  return {
    ...(ads && { ads }),
    roots: { listener: listeners ?? lds?.source ?? 'none', cluster: clusters ?? cds?.source ?? 'none' },
    authorities,
    ...(tracer && { tracer }),
    servers,
    fixed,
    ...(timeouts.length > 0 && { initialFetchTimeoutMs: timeouts.includes(0) ? 0 : Math.max(...timeouts) }),
  };
}

function clusterOf(source: DiscoverySource): string | undefined {
  if (source.kind === 'rest') return source.cluster;
  return source.kind === 'grpc' && 'cluster' in source.server ? source.server.cluster : undefined;
}

function readAds(
  ads: ApiConfigSource,
  find: (name: string, path: string) => GrpcSource | undefined,
  path: string,
  context: DecodeContext,
): Discovery['ads'] {
  const at = `${path}.grpc_services[0]`;
  context.check(ApiConfigSourceSchema, ads, path);
  if (ads.grpcServices[0]?.targetSpecifier.case === 'googleGrpc')
    context.refuse(`${at}.google_grpc`, 'must be envoy_grpc, a cluster of static_resources');
  const source = readApiSource(context, ads, path);
  if (source === undefined || !('cluster' in source.server)) return undefined;
  const server = find(source.server.cluster, `${at}.envoy_grpc.cluster_name`);
  return server && { ...server, api: source.api };
}

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

function serverOf(
  name: string,
  clusters: readonly Fixed<Cluster>[],
  path: string,
  context: Pick<DecodeContext, 'refuse'>,
): GrpcSource | undefined {
  const text = JSON.stringify(name);
  const found = clusters.find(({ resource }) => resource.name === name);
  const cluster = found?.resource;
  if (cluster === undefined) {
    context.refuse(path, `names no cluster of static_resources: ${text}`);
    return undefined;
  }
  if (cluster.discovery.kind !== 'static' && cluster.discovery.kind !== 'dns') {
    context.refuse(path, `names a cluster whose endpoints would have to be discovered first: ${text}`);
    return undefined;
  }
  const addresses = cluster.discovery.endpoints.flatMap(({ address }) =>
    isInternalAddress(address) ? [] : [address],
  );
  if (addresses.length === 0) context.refuse(path, `names a cluster without endpoints: ${text}`);
  for (const part of Object.keys(cluster.tls ?? {}))
    if (!KNOWN_TLS.has(part))
      context.refuse(
        path,
        `names a cluster whose TLS context has what is not done towards a management server (${part}): ${text}`,
      );
  const { certificate, trust } = cluster.tls ?? {};
  const waits = found?.needs?.some(({ kind }) => kind === 'secret') === true;
  if (waits || certificate?.kind === 'workload' || trust?.kind === 'mesh')
    context.refuse(
      path,
      `names a cluster whose secrets would have to be discovered first: ${text}; give files, text or static secrets`,
    );
  return { cluster: name, addresses, ...(cluster.tls && { tls: cluster.tls }) };
}

/** Where a server is that a source names. @returns `undefined` where there is no static cluster of the name that would do */
export function serverFor({ ads, servers, fixed }: Discovery, name: GrpcServerName): GrpcSource | undefined {
  if (!('cluster' in name)) return undefined;
  const known = servers.get(name.cluster) ?? (ads?.cluster === name.cluster ? ads : undefined);
  if (known !== undefined) return known;
  // A resource that was discovered itself may name any.
  let fits = true;
  const found = serverOf(name.cluster, fixed.clusters, '', { refuse: () => void (fits = false) });
  return fits ? found : undefined;
}
