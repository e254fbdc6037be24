import { createRegistry, fromJson, type JsonObject } from '@bufbuild/protobuf';
import { anyPack, BytesValueSchema, StringValueSchema, StructSchema } from '@bufbuild/protobuf/wkt';
import type { FilterEntry, HttpHandler, RouteConfig, TcpHandler } from '@tulle/model';
import { ListenerSchema } from '@tulle/xds-proto/envoy/config/listener/v3/listener';
import { RouteConfigurationSchema } from '@tulle/xds-proto/envoy/config/route/v3/route';
import { FilterConfigSchema } from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import {
  BufferPerRouteSchema,
  BufferSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/buffer/v3/buffer';
import { GzipSchema } from '@tulle/xds-proto/envoy/extensions/compression/gzip/compressor/v3/gzip';
import {
  CompressorPerRouteSchema,
  CompressorSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/compressor/v3/compressor';
import { CorsPolicySchema } from '@tulle/xds-proto/envoy/extensions/filters/http/cors/v3/cors';
import { HeaderMutationSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/header_mutation/v3/header_mutation';
import { FilterConfigSchema as GrpcStatsSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/grpc_stats/v3/config';
import {
  ExtAuthzPerRouteSchema,
  ExtAuthzSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/ext_authz/v3/ext_authz';
import { WasmSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/wasm/v3/wasm';
import {
  ExternalProcessorSchema,
  ExtProcPerRouteSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/ext_proc/v3/ext_proc';
import { HealthCheckSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/health_check/v3/health_check';
import { HTTPFaultSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/fault/v3/fault';
import {
  JwtAuthenticationSchema,
  PerRouteConfigSchema as JwtPerRouteSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/jwt_authn/v3/config';
import { LocalRateLimitSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit';
import {
  RateLimitPerRouteSchema,
  RateLimitSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/ratelimit/v3/rate_limit';
import { RBACPerRouteSchema, RBACSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/rbac/v3/rbac';
import { RouterSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/router/v3/router';
import { HttpConnectionManagerSchema } from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import { ConnectionLimitSchema } from '@tulle/xds-proto/envoy/extensions/filters/network/connection_limit/v3/connection_limit';
import { LocalRateLimitSchema as NetworkRateLimitSchema } from '@tulle/xds-proto/envoy/extensions/filters/network/local_ratelimit/v3/local_rate_limit';
import { RBACSchema as NetworkRbacSchema } from '@tulle/xds-proto/envoy/extensions/filters/network/rbac/v3/rbac';
import { TcpProxySchema } from '@tulle/xds-proto/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy';
import { UriTemplateMatchConfigSchema } from '@tulle/xds-proto/envoy/extensions/path/match/uri_template/v3/uri_template_match';
import { TypedStructSchema as UdpaTypedStructSchema } from '@tulle/xds-proto/udpa/type/v1/typed_struct';
import { TypedStructSchema } from '@tulle/xds-proto/xds/type/v3/typed_struct';
import { createResourceDecoder } from '../src/decode/resource.ts';

/** Types that stand in an `Any` of these tests. */
const registry = createRegistry(
  HttpConnectionManagerSchema,
  TcpProxySchema,
  RouterSchema,
  FilterConfigSchema,
  BufferSchema,
  BufferPerRouteSchema,
  GzipSchema,
  CompressorSchema,
  CompressorPerRouteSchema,
  CorsPolicySchema,
  HeaderMutationSchema,
  GrpcStatsSchema,
  ExtAuthzSchema,
  ExtAuthzPerRouteSchema,
  WasmSchema,
  StringValueSchema,
  BytesValueSchema,
  StructSchema,
  ExternalProcessorSchema,
  ExtProcPerRouteSchema,
  HealthCheckSchema,
  HTTPFaultSchema,
  JwtAuthenticationSchema,
  JwtPerRouteSchema,
  LocalRateLimitSchema,
  RateLimitSchema,
  RateLimitPerRouteSchema,
  RBACSchema,
  RBACPerRouteSchema,
  NetworkRbacSchema,
  NetworkRateLimitSchema,
  ConnectionLimitSchema,
  UriTemplateMatchConfigSchema,
  TypedStructSchema,
  UdpaTypedStructSchema,
);
const decoder = createResourceDecoder();

/** A message as protobuf-JSON writes it in an `Any`. @param type full name without `envoy.extensions.filters.` */
export function typed(type: string, fields: JsonObject = {}): JsonObject {
  const name = /^(?:http|network)\./.test(type) ? `envoy.extensions.filters.${type}` : type;
  return { '@type': `type.googleapis.com/${name}`, ...fields };
}

/** A filter of a chain. */
export interface JsonFilter extends JsonObject {
  readonly name: string;
}

const HTTP = 'network.http_connection_manager.v3.HttpConnectionManager';

function handlerOf(filters: readonly JsonObject[]): HttpHandler | TcpHandler | undefined | readonly string[] {
  const message = fromJson(
    ListenerSchema,
    {
      name: 'l',
      address: { socketAddress: { address: '127.0.0.1', portValue: 1 } },
      filterChains: [{ name: 'c', filters: [...filters] }],
    },
    { registry },
  );
  const decoded = decoder.decode('listener', anyPack(ListenerSchema, message));
  if (!decoded.ok) return decoded.issues.map(({ path, message: text }) => `${path} ${text}`);
  return decoded.resource.filterChains[0]?.handler;
}

function listener(filters: readonly JsonObject[]): readonly FilterEntry[] | readonly string[] {
  const handler = handlerOf(filters);
  return handler === undefined ? [] : 'kind' in handler ? (handler.filters ?? []) : handler;
}

/** The chain that Envoy's filters make before a router; what is wrong with them, as sentences, where they are refused. */
export function httpChain(...filters: readonly JsonFilter[]): readonly FilterEntry[] | readonly string[] {
  return listener([manager(filters)]);
}

function manager(filters: readonly JsonFilter[]): JsonObject {
  return {
    name: 'http',
    typedConfig: typed(HTTP, {
      statPrefix: 's',
      rds: { routeConfigName: 'r', configSource: { ads: {}, resourceApiVersion: 'V3' } },
      forwardClientCertDetails: 'SANITIZE',
      serverHeaderTransformation: 'PASS_THROUGH',
      httpFilters: [...filters, { name: 'router', typedConfig: typed('http.router.v3.Router') }],
    }),
  };
}

/** The network filters before an HttpConnectionManager without filters. */
export function beforeHttp(...filters: readonly JsonFilter[]): readonly FilterEntry[] | readonly string[] {
  const handler = handlerOf([...filters, manager([])]);
  if (handler === undefined) return [];
  return 'kind' in handler ? (handler.kind === 'http' ? (handler.connectionFilters ?? []) : []) : handler;
}

/** The config of one filter. */
export function httpConfig(typedConfig: JsonObject): unknown {
  const [entry] = httpChain({ name: 'one', typedConfig });
  return typeof entry === 'string' ? httpChain({ name: 'one', typedConfig }) : entry?.config;
}

/** The filters before a TCP proxy. */
export function tcpChain(...filters: readonly JsonFilter[]): readonly FilterEntry[] | readonly string[] {
  return listener([
    ...filters,
    { name: 'tcp', typedConfig: typed('network.tcp_proxy.v3.TcpProxy', { statPrefix: 's', cluster: 'a' }) },
  ]);
}

/** Overrides of a virtual host by `typed_per_filter_config`. */
export function overrides(configs: JsonObject): unknown {
  const message = fromJson(
    RouteConfigurationSchema,
    { name: 'r', virtualHosts: [{ name: 'v', domains: ['*'], typedPerFilterConfig: configs }] },
    { registry },
  );
  const decoded = decoder.decode('route', anyPack(RouteConfigurationSchema, message));
  if (!decoded.ok) return decoded.issues.map(({ path, message: text }) => `${path} ${text}`);
  return (decoded.resource satisfies RouteConfig).virtualHosts[0]?.filterConfigs;
}
