import type { ResourceInput } from '@tulle/xds-server';
import type { Json, Named } from './configuration.ts';
import { LISTENER_ADDRESS } from './loopback.ts';

const TYPE = 'type.googleapis.com/';
const ADS: Json = { ads: {}, resource_api_version: 'V3' };

/** A typed config. */
export function typed(type: string, value: Json = {}): Json {
  return { '@type': TYPE + type, ...value };
}

/** A cluster of endpoints that are named by origin; the ports are put in for each side. */
export function clusterOf(name: string, origins: readonly string[], rest: Json = {}): Json {
  return {
    name,
    type: 'STATIC',
    connect_timeout: '2s',
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: origins.map((origin) => ({ endpoint: { address: addressOf(origin) } })) }],
    },
    ...rest,
  };
}

/** Address of an origin, with its port still to be put in. */
export function addressOf(origin: string): Json {
  return { socket_address: { address: '127.0.0.1', port_value: `@${origin}` } };
}

/** Options that make a cluster speak HTTP/2. */
export const HTTP2_CLUSTER: Json = {
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': typed(
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      { explicit_http_config: { http2_protocol_options: {} } },
    ),
  },
};

/** What both get alike besides the field that a configuration names: paths read once, and connections that end soon. */
const MANAGER: Json = {
  stat_prefix: 'differential',
  normalize_path: true,
  merge_slashes: true,
  delayed_close_timeout: '0.05s',
};

/**
 * Fills in where things are on one side, and certificates and keys (`$ca`, `$cert:NAME`, …).
 * @param ports of origins, by name
 */
export function placed<T>(value: T, ports: ReadonlyMap<string, number>, pem: (name: string) => string): T {
  if (typeof value === 'string') {
    if (/^\$[a-z-]+(:[a-z]+)?$/.test(value)) return pem(value.slice(1)) as T;
    // What CEL calls the operator `in`.
    if (!/^@[a-z0-9-]+$/.test(value) || value === '@in') return value;
    const port = ports.get(value.slice(1));
    if (port === undefined) throw new Error(`no origin is called ${value.slice(1)}`);
    return port as T;
  }
  if (Array.isArray(value)) return value.map((item: unknown) => placed(item, ports, pem)) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, placed(part, ports, pem)])) as T;
}

/** The resources of configurations for one side. */
export function resourcesFor(
  configurations: readonly Named[],
  standing: readonly Json[],
  portOf: (one: Named) => number,
  origins: ReadonlyMap<string, number>,
  pem: (name: string) => string,
): ResourceInput[] {
  const clusters = new Map<string, Json>();
  for (const cluster of [...standing, ...configurations.flatMap((one) => one.clusters ?? [])]) {
    const name = String(cluster['name']);
    const before = clusters.get(name);
    if (before !== undefined && JSON.stringify(before) !== JSON.stringify(cluster))
      throw new Error(`two clusters are called ${name}`);
    clusters.set(name, cluster);
  }
  const all = [
    ...[...clusters.values()].map((cluster) => typed('envoy.config.cluster.v3.Cluster', cluster)),
    ...configurations.flatMap((one) => listenerOf(one, portOf(one))),
  ];
  return placed(all, origins, pem) as ResourceInput[];
}

function listenerOf(one: Named, port: number): Json[] {
  const listener = typed('envoy.config.listener.v3.Listener', {
    name: one.id,
    address: { socket_address: { address: LISTENER_ADDRESS, port_value: port } },
    filter_chains: one.filterChains ?? [
      {
        filters: [managerOf(one)],
        ...(one.transportSocket === undefined ? {} : { transport_socket: one.transportSocket }),
      },
    ],
    ...one.listener,
  });
  if (one.routes === undefined) return [listener];
  return [listener, typed('envoy.config.route.v3.RouteConfiguration', { name: one.id, ...one.routes })];
}

/** The HTTP connection manager of a configuration, as a network filter. */
function managerOf(one: Named): Json {
  return managerWith({
    rds: { config_source: ADS, route_config_name: one.id },
    http_filters: [...(one.httpFilters ?? []), ROUTER],
    ...one.manager,
  });
}

const ROUTER: Json = {
  name: 'envoy.filters.http.router',
  typed_config: typed('envoy.extensions.filters.http.router.v3.Router'),
};

/** An HTTP connection manager, as a network filter. @param fields beside those that all have */
export function managerWith(fields: Json): Json {
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: typed('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager', {
      ...MANAGER,
      http_filters: [ROUTER],
      ...fields,
    }),
  };
}
