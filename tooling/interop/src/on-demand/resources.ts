import type { ResourceInput } from '@tulle/xds-server';
import { singleSource } from '../raw/bootstrap.ts';

const PREFIX = 'type.googleapis.com/';
const typed = (type: string, fields: object): ResourceInput => ({ '@type': PREFIX + type, ...fields });
const HTTP = 'envoy.extensions.filters.http';
const MUTATION = `${HTTP}.header_mutation.v3.HeaderMutation`;

/** Whom a client is told to ask: the aggregated stream that it has, or a stream for each type. */
export type Sources = 'ads' | 'single';

const sourceOf = (sources: Sources): object =>
  sources === 'ads' ? { ads: {}, resource_api_version: 'V3' } : singleSource('delta');

/** A listener whose virtual hosts and clusters are looked for on demand, and one of whose filters is discovered. */
export function listener(port: number, sources: Sources): ResourceInput {
  const source = sourceOf(sources);
  return typed('envoy.config.listener.v3.Listener', {
    name: 'front',
    address: { socket_address: { address: '127.0.0.1', port_value: port } },
    filter_chains: [
      {
        filters: [
          {
            name: 'http',
            typed_config: typed(
              'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
              {
                stat_prefix: 'front',
                rds: { config_source: source, route_config_name: 'shops' },
                http_filters: [
                  {
                    name: 'marks',
                    config_discovery: { config_source: source, type_urls: [PREFIX + MUTATION] },
                  },
                  {
                    name: 'envoy.filters.http.on_demand',
                    typed_config: typed(`${HTTP}.on_demand.v3.OnDemand`, {
                      odcds: { source, timeout: '2s' },
                    }),
                  },
                  { name: 'router', typed_config: typed(`${HTTP}.router.v3.Router`, {}) },
                ],
              },
            ),
          },
        ],
      },
    ],
  });
}

/** Routes of which one host is here and all others are looked for. */
export const routes = (sources: Sources): ResourceInput =>
  typed('envoy.config.route.v3.RouteConfiguration', {
    name: 'shops',
    virtual_hosts: [
      {
        name: 'here',
        domains: ['here.example'],
        routes: [{ match: { prefix: '/' }, direct_response: { status: 204 } }],
      },
    ],
    // Envoy asks for no host before a request does, and waits for the first all the same.
    vhds: { config_source: { ...sourceOf(sources), initial_fetch_timeout: '0.5s' } },
  });

/** A virtual host under the name by which it is asked for. */
export const virtualHost = (domain: string, route: object): ResourceInput =>
  typed('envoy.service.discovery.v3.Resource', {
    name: `shops/${domain}`,
    resource: typed('envoy.config.route.v3.VirtualHost', {
      name: domain,
      domains: [domain],
      routes: [{ match: { prefix: '/' }, route }],
    }),
  });

export const cluster = (name: string, port: number): ResourceInput =>
  typed('envoy.config.cluster.v3.Cluster', {
    name,
    type: 'STATIC',
    connect_timeout: '1s',
    load_assignment: {
      cluster_name: name,
      endpoints: [
        {
          lb_endpoints: [
            { endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: port } } } },
          ],
        },
      ],
    },
  });

/** The filter `marks`: answers say `x-mark`. */
export const mark = (value: string): ResourceInput =>
  typed('envoy.config.core.v3.TypedExtensionConfig', {
    name: 'marks',
    typed_config: typed(MUTATION, {
      mutations: {
        response_mutations: [
          { append: { header: { key: 'x-mark', value }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' } },
        ],
      },
    }),
  });
