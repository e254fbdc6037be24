import type { BuildVersion, Extension, Locality, Node } from '@tulle/xds-proto/envoy/config/core/v3/base';
import {
  ADAPTIVE_CONCURRENCY_FILTER,
  ADMISSION_CONTROL_FILTER,
  AUTHZ_FILTER,
  BUFFER_FILTER,
  COMPRESSION_FILTER,
  CONN_EXT_AUTHZ_FILTER,
  CONN_RATE_LIMIT_FILTER,
  CONN_SET_FILTER_STATE_FILTER,
  CORS_FILTER,
  EXT_AUTHZ_FILTER,
  EXT_PROC_FILTER,
  FAULT_FILTER,
  GLOBAL_RATE_LIMIT_FILTER,
  GRPC_WEB_FILTER,
  HEADERS_FILTER,
  HEALTH_CHECK_FILTER,
  IP_ALLOW_FILTER,
  JWT_FILTER,
  RATE_LIMIT_FILTER,
  RETRY_FILTER,
  SET_FILTER_STATE_FILTER,
  WASM_FILTER,
} from '@tulle/model';
import type { NodeInfo } from '../provider.ts';
import { isGrpcClient } from './client-form.ts';

/** What a node says of itself, and what it proved. */
export function readNode(node: Node, identity: string | undefined): NodeInfo {
  const { userAgentName: name, userAgentVersionType: version } = node;
  const text =
    version.case === 'userAgentVersion'
      ? version.value
      : version.case === 'userAgentBuildVersion'
        ? versionText(version.value)
        : '';
  return {
    id: node.id,
    cluster: node.cluster,
    metadata: node.metadata ?? {},
    identity,
    ...(node.locality && localityOf(node.locality)),
    userAgent: text === '' ? name : `${name}/${text}`,
    ...(isGrpcClient(node) && { seat: 'grpc' as const }),
    extensions: extensionsOf(node),
  };
}

/** Without a region and a zone nothing is said. */
function localityOf({ region, zone, subZone }: Locality): Pick<NodeInfo, 'locality'> {
  if (region === '' && zone === '') return {};
  return {
    locality: { region, ...(zone === '' ? {} : { zone }), ...(subZone === '' ? {} : { subZone }) },
  };
}

/** Envoy's extension by the standard filter whose config is written as that extension's. */
const ENVOY_EXTENSIONS: Readonly<Record<string, string>> = {
  [ADAPTIVE_CONCURRENCY_FILTER]: 'envoy.filters.http.adaptive_concurrency',
  [ADMISSION_CONTROL_FILTER]: 'envoy.filters.http.admission_control',
  [AUTHZ_FILTER]: 'envoy.filters.http.rbac',
  [BUFFER_FILTER]: 'envoy.filters.http.buffer',
  [SET_FILTER_STATE_FILTER]: 'envoy.filters.http.set_filter_state',
  [COMPRESSION_FILTER]: 'envoy.filters.http.compressor',
  [CONN_EXT_AUTHZ_FILTER]: 'envoy.filters.network.ext_authz',
  [CONN_RATE_LIMIT_FILTER]: 'envoy.filters.listener.local_ratelimit',
  [CONN_SET_FILTER_STATE_FILTER]: 'envoy.filters.network.set_filter_state',
  [CORS_FILTER]: 'envoy.filters.http.cors',
  [EXT_AUTHZ_FILTER]: 'envoy.filters.http.ext_authz',
  [EXT_PROC_FILTER]: 'envoy.filters.http.ext_proc',
  [FAULT_FILTER]: 'envoy.filters.http.fault',
  [GLOBAL_RATE_LIMIT_FILTER]: 'envoy.filters.http.ratelimit',
  [GRPC_WEB_FILTER]: 'envoy.filters.http.grpc_web',
  [HEALTH_CHECK_FILTER]: 'envoy.filters.http.health_check',
  [HEADERS_FILTER]: 'envoy.filters.http.header_mutation',
  [IP_ALLOW_FILTER]: 'envoy.filters.network.rbac',
  [JWT_FILTER]: 'envoy.filters.http.jwt_authn',
  [RATE_LIMIT_FILTER]: 'envoy.filters.http.local_ratelimit',
  [WASM_FILTER]: 'envoy.filters.http.wasm',
};

/** What every gRPC program has of the standard filters, for its calls and for its server; it names none itself. */
const GRPC_FILTERS: readonly string[] = [AUTHZ_FILTER, FAULT_FILTER, RETRY_FILTER];

/** Envoy names its own extensions, so the standard filters that it can stand in for are added. */
function extensionsOf(node: Node): string[] {
  const { extensions } = node;
  if (isGrpcClient(node)) return [...GRPC_FILTERS];
  const names = new Set(extensions.map(({ name }) => name));
  const own = Object.entries(ENVOY_EXTENSIONS).filter(([, envoy]) => names.has(envoy));
  return [...extensions.map(extensionText), ...own.map(([filter]) => filter)];
}

function extensionText({ name, version }: Extension): string {
  const text = version && versionText(version);
  return text === undefined || text === '' ? name : `${name}@${text}`;
}

/** Envoy's number of three parts loses what npm versions may have after it, so the whole text comes along. */
function versionText({ version, metadata }: BuildVersion): string {
  const whole = metadata?.['version'];
  if (typeof whole === 'string') return whole;
  return version ? `${version.majorNumber}.${version.minorNumber}.${version.patch}` : '';
}

/**
 * Whether a node id agrees with the proven SPIFFE id (decision D14): it is that id, alone or followed by `~` and the
 * name of the instance.
 */
export function nodeIdAgrees(nodeId: string, spiffeId: string): boolean {
  return nodeId === spiffeId || nodeId.startsWith(`${spiffeId}~`);
}
