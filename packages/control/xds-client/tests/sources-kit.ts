import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromJson, type JsonObject } from '@bufbuild/protobuf';
import { type Any, AnySchema } from '@bufbuild/protobuf/wkt';
import { credentials } from '@grpc/grpc-js';
import { afterEach, beforeEach } from 'vitest';
import type { ProxyConfig } from '@tulle/model';
import { type DiscoverySource, resourceTypes, type SourceOptions, type XdsApi } from '../src/index.ts';
import { TYPE_PREFIX } from '../src/wire.ts';
import { testClient, type TestClient } from './control-plane.ts';
import { startTypeServer, type TypeServer } from './type-server.ts';

export let directory: string;
export let clients: TestClient[];
let servers: TypeServer[];
export let warnings: string[];

/** Makes a directory before each test of a file, and closes what a test opened after it; to be called once, at the top. */
export function useSources(): void {
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tulle-sources-'));
    clients = [];
    servers = [];
    warnings = [];
  });

  afterEach(async () => {
    for (const { xds } of clients) await xds.stop();
    for (const server of servers) server.kill();
    await rm(directory, { recursive: true, force: true });
  });
}

export async function server(port?: number, from?: TypeServer): Promise<TypeServer> {
  const made = await startTypeServer(port, from);
  servers.push(made);
  return made;
}

export async function client(
  sources: Partial<SourceOptions>,
  options: Parameters<typeof testClient>[1] = {},
): Promise<TestClient> {
  const made = await testClient('', {
    targets: [],
    log: {
      debug() {},
      info() {},
      warn: (message, fields) => void warnings.push(`${message} ${JSON.stringify(fields)}`),
      error: (message, fields) => void warnings.push(`${message} ${JSON.stringify(fields)}`),
    },
    ...options,
    sources: { server: () => undefined, ...sources },
  });
  clients.push(made);
  return made;
}

/** The server of the cluster `xds`. */
export const at =
  (port: number): SourceOptions['server'] =>
  (name) =>
    'cluster' in name && name.cluster === 'xds'
      ? {
          targets: [`127.0.0.1:${port}`],
          channel: () => ({ credentials: credentials.createInsecure() }),
        }
      : undefined;

export const grpc = (api: XdsApi): DiscoverySource => ({ kind: 'grpc', server: { cluster: 'xds' }, api });
export const file = (name: string): DiscoverySource => ({ kind: 'file', path: join(directory, name) });
export const apiSource = (api: XdsApi): JsonObject => ({
  resource_api_version: 'V3',
  api_config_source: {
    api_type: api === 'delta' ? 'DELTA_GRPC' : 'GRPC',
    transport_api_version: 'V3',
    grpc_services: [{ envoy_grpc: { cluster_name: 'xds' } }],
  },
});
export const fileSource = (name: string): JsonObject => ({
  resource_api_version: 'V3',
  path_config_source: { path: join(directory, name) },
});

export const typed = (type: string, fields: JsonObject): JsonObject => ({
  '@type': TYPE_PREFIX + type,
  ...fields,
});
export const network = 'envoy.extensions.filters.network';
export const listener = (name: string, routes: string, source: JsonObject): JsonObject =>
  typed('envoy.config.listener.v3.Listener', {
    name,
    address: { socket_address: { address: '127.0.0.1', port_value: 8080 } },
    filter_chains: [
      {
        filters: [
          {
            name: 'http',
            typed_config: typed(`${network}.http_connection_manager.v3.HttpConnectionManager`, {
              stat_prefix: 'in',
              server_header_transformation: 'PASS_THROUGH',
              rds: { route_config_name: routes, config_source: source },
              http_filters: [
                { name: 'router', typed_config: typed('envoy.extensions.filters.http.router.v3.Router', {}) },
              ],
            }),
          },
        ],
      },
    ],
  });
export const cluster = (name: string, source: JsonObject): JsonObject =>
  typed('envoy.config.cluster.v3.Cluster', {
    name,
    type: 'EDS',
    eds_cluster_config: { eds_config: source },
  });
export const endpoints = (name: string, port: number): JsonObject =>
  typed('envoy.config.endpoint.v3.ClusterLoadAssignment', {
    cluster_name: name,
    endpoints: [
      {
        lb_endpoints: [
          { endpoint: { address: { socket_address: { address: '10.0.0.1', port_value: port } } } },
        ],
      },
    ],
  });
export const routes = (name: string, to: string): JsonObject =>
  typed('envoy.config.route.v3.RouteConfiguration', {
    name,
    virtual_hosts: [
      {
        name: 'all',
        domains: ['*'],
        routes: [{ name: 'r', match: { prefix: '/' }, route: { cluster: to } }],
      },
    ],
  });

export const anyOf = (json: JsonObject): Any => fromJson(AnySchema, json, { registry: resourceTypes });
export const write = async (name: string, ...resources: readonly JsonObject[]): Promise<void> => {
  // As an editor or a config manager does: the new file is moved into the place of the old one.
  await writeFile(join(directory, `${name}.new`), JSON.stringify({ version_info: '1', resources }));
  await rename(join(directory, `${name}.new`), join(directory, name));
};

export const portOf = (config: ProxyConfig, set: string = 'a'): number | undefined => {
  const address = config.endpoints.find(({ name }) => name === set)?.endpoints[0]?.address;
  return address && 'port' in address ? address.port : undefined;
};
