import { fromJson, type JsonObject } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import type { FilterEntry, HttpHandler, RouteConfig, TcpHandler } from '@tulle/model';
import { ListenerSchema } from '@tulle/xds-proto/envoy/config/listener/v3/listener';
import { RouteConfigurationSchema } from '@tulle/xds-proto/envoy/config/route/v3/route';
import { registry } from '@tulle/xds-proto/registry';
import { createResourceDecoder } from '../src/decode/resource.ts';

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
