import {
  type ApiConfigSource,
  ApiConfigSource_ApiType as ApiType,
  ApiVersion,
  type ConfigSource,
} from '@tulle/xds-proto/envoy/config/core/v3/config_source';
import type { XdsApi } from '../wire.ts';
import type { DecodeContext } from './context.ts';
import type { DiscoverySource, GrpcServerName } from './discovery-source.ts';
import { parseResourceName } from './resource-name.ts';
import { milliseconds } from './values.ts';

/** A source with how long to wait for what comes from it. */
export interface ReadSource {
  readonly source: DiscoverySource;
  readonly timeoutMs?: number;
}

/** Checks where something is discovered that goes by a fixed name. */
export function checkSource(context: DecodeContext, source: ConfigSource | undefined, path: string): void {
  readSource(context, source, path);
}

/** Notes that a resource has to be discovered. */
export function needFrom(
  context: DecodeContext,
  source: ConfigSource | undefined,
  path: string,
  kind: 'route' | 'endpoint',
  name: string,
): void {
  const authority = source ? undefined : parseResourceName(name)?.authority;
  if (authority !== undefined && context.origin !== undefined) {
    // Such a name says itself where it is to be had.
    const known = context.authority(authority);
    if (known) context.need({ kind, name, source: known });
    else
      context.refuse(
        path,
        `names no source, and the name has an authority that nobody knows: ${JSON.stringify(authority)}`,
      );
    return;
  }
  const read = readSource(context, source, path);
  if (read) context.need({ kind, name, ...read });
}

/**
 * @returns `undefined` after an issue. `self` is the source of the resource that says it, which is told by
 *   {@link DecodeContext.origin}.
 */
export function readSource(
  context: DecodeContext,
  config: ConfigSource | undefined,
  path: string,
): ReadSource | undefined {
  const specifier = config?.configSourceSpecifier;
  if (context.origin === undefined) {
    if (specifier?.case === 'ads') return { source: { kind: 'ads' } };
    context.refuse(path, 'must be ads: this proxy discovers everything over one stream');
    return undefined;
  }
  if (config === undefined || specifier?.case === undefined) {
    context.refuse(path, 'names no source: give ads, api_config_source or path_config_source');
    return undefined;
  }
  checkVersion(context, config.resourceApiVersion, `${path}.resource_api_version`);
  const source = specifiedSource(context, specifier, path);
  const timeoutMs = milliseconds(config.initialFetchTimeout);
  return source && { source, ...(timeoutMs !== undefined && { timeoutMs }) };
}

function specifiedSource(
  context: DecodeContext,
  specifier: ConfigSource['configSourceSpecifier'],
  path: string,
): DiscoverySource | undefined {
  switch (specifier.case) {
    case 'ads':
      return { kind: 'ads' };
    case 'self':
      return context.origin;
    case 'path':
      return { kind: 'file', path: specifier.value };
    case 'pathConfigSource': {
      const { path: file, watchedDirectory } = specifier.value;
      if (file === '') context.refuse(`${path}.path_config_source.path`, 'is missing');
      return {
        kind: 'file',
        path: file,
        ...(watchedDirectory && { watchedDirectory: watchedDirectory.path }),
      };
    }
    case 'apiConfigSource':
      return specifier.value.apiType === ApiType.REST
        ? readRestSource(context, specifier.value, `${path}.api_config_source`)
        : readApiSource(context, specifier.value, `${path}.api_config_source`);
    default:
      return undefined;
  }
}

const APIS: Readonly<Partial<Record<ApiType, XdsApi>>> = {
  [ApiType.GRPC]: 'state-of-the-world',
  [ApiType.DELTA_GRPC]: 'delta',
};

/** A gRPC server of `api_config_source`; also what `ads_config` of a bootstrap is. @returns `undefined` after an issue */
export function readApiSource(
  context: DecodeContext,
  config: ApiConfigSource,
  path: string,
): Extract<DiscoverySource, { kind: 'grpc' }> | undefined {
  const api = APIS[config.apiType];
  if (api === undefined) context.refuse(`${path}.api_type`, 'must be GRPC or DELTA_GRPC');
  for (const [field, value] of [
    ['refresh_delay', config.refreshDelay],
    ['request_timeout', config.requestTimeout],
  ] as const)
    if (value !== undefined) context.refuse(`${path}.${field}`, 'belongs to REST');
  checkVersion(context, config.transportApiVersion, `${path}.transport_api_version`);
  if (config.clusterNames.length > 0)
    context.refuse(`${path}.cluster_names`, 'belongs to REST: name a gRPC server in grpc_services');
  if (config.grpcServices.length !== 1) {
    context.refuse(`${path}.grpc_services`, `must hold one server, but holds ${config.grpcServices.length}`);
    return undefined;
  }
  const server = readServer(context, config, `${path}.grpc_services[0]`);
  return api && server && { kind: 'grpc', server, api };
}

/** Envoy's (`ApiConfigSource.request_timeout`). */
const REQUEST_TIMEOUT_MS = 1_000;

function readRestSource(
  context: DecodeContext,
  config: ApiConfigSource,
  path: string,
): Extract<DiscoverySource, { kind: 'rest' }> | undefined {
  checkVersion(context, config.transportApiVersion, `${path}.transport_api_version`);
  const [cluster = '', ...more] = config.clusterNames;
  if (cluster === '' || more.length > 0)
    context.refuse(`${path}.cluster_names`, `must hold one cluster, but holds ${config.clusterNames.length}`);
  if (config.grpcServices.length > 0)
    context.refuse(`${path}.grpc_services`, 'must not be set with REST: name a cluster in cluster_names');
  const refreshMs = milliseconds(config.refreshDelay) ?? 0;
  if (refreshMs < 1) context.refuse(`${path}.refresh_delay`, 'must be set, to 1 ms at least');
  const timeoutMs = milliseconds(config.requestTimeout) ?? REQUEST_TIMEOUT_MS;
  if (timeoutMs < 1) context.refuse(`${path}.request_timeout`, 'must be 1 ms at least');
  return { kind: 'rest', cluster, refreshMs, timeoutMs };
}

function readServer(
  context: DecodeContext,
  { grpcServices: [service] }: ApiConfigSource,
  path: string,
): GrpcServerName | undefined {
  const target = service?.targetSpecifier;
  if (target?.case === 'envoyGrpc') {
    if (target.value.authority !== '')
      context.refuse(`${path}.envoy_grpc.authority`, 'is not supported for a server of resources');
    if (target.value.clusterName !== '') return { cluster: target.value.clusterName };
    context.refuse(`${path}.envoy_grpc.cluster_name`, 'is missing');
    return undefined;
  }
  if (target?.case !== 'googleGrpc') {
    context.refuse(path, 'names no server: give envoy_grpc or google_grpc');
    return undefined;
  }
  if (target.value.targetUri === '') context.refuse(`${path}.google_grpc.target_uri`, 'is missing');
  if (target.value.channelCredentials)
    context.refuse(
      `${path}.google_grpc.channel_credentials`,
      'is not supported: name a cluster with a TLS context in envoy_grpc',
    );
  return { target: target.value.targetUri };
}

function checkVersion(context: DecodeContext, version: ApiVersion, path: string): void {
  // AUTO is what a message has that says nothing; Envoy reads it as V2, which nobody speaks any more.
  if (version !== ApiVersion.V3 && version !== ApiVersion.AUTO) context.refuse(path, 'must be V3');
}
