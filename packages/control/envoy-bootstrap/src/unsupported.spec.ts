import { expect, it } from 'vitest';
import { parsePath } from './field-path.ts';
import { readBootstrap } from './read-bootstrap.ts';
import { translateBootstrap } from './translate.ts';

const type = (name: string): string => `type.googleapis.com/${name}`;

/** A bootstrap that is taken whole. */
const base = (): Record<string, unknown> => ({
  node: { id: 'one', cluster: 'c' },
  admin: { address: { socket_address: { address: '127.0.0.1', port_value: 9901 } } },
  static_resources: {
    listeners: [
      {
        name: 'l',
        address: { socket_address: { address: '127.0.0.1', port_value: 10000 } },
        filter_chains: [
          {
            filters: [
              {
                name: 'hcm',
                typed_config: {
                  '@type': type(
                    'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
                  ),
                  stat_prefix: 'http',
                  route_config: {
                    name: 'r',
                    virtual_hosts: [
                      {
                        name: 'all',
                        domains: ['*'],
                        routes: [{ match: { prefix: '/' }, route: { cluster: 'a' } }],
                      },
                    ],
                  },
                  http_filters: [
                    {
                      name: 'router',
                      typed_config: { '@type': type('envoy.extensions.filters.http.router.v3.Router') },
                    },
                  ],
                },
              },
            ],
          },
        ],
      },
    ],
    clusters: [
      {
        name: 'a',
        type: 'STATIC',
        connect_timeout: '1s',
        load_assignment: {
          cluster_name: 'a',
          endpoints: [
            {
              lb_endpoints: [
                { endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: 9001 } } } },
              ],
            },
          ],
        },
        transport_socket: {
          name: 'tls',
          typed_config: {
            '@type': type('envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext'),
            common_tls_context: { validation_context: { trusted_ca: { filename: '/ca.pem' } } },
          },
        },
      },
    ],
  },
});

const LISTENER = 'static_resources.listeners[0]';
const CHAIN = `${LISTENER}.filter_chains[0]`;
const HCM = `${CHAIN}.filters[0].typed_config`;
const HOST = `${HCM}.route_config.virtual_hosts[0]`;
const ROUTE = `${HOST}.routes[0]`;
const CLUSTER = 'static_resources.clusters[0]';
const TLS = `${CLUSTER}.transport_socket.typed_config`;
const CUSTOM = { name: 'x', typed_config: { '@type': type('xds.type.v3.TypedStruct'), type_url: 'x' } };

/** Fields of Envoy's that this proxy does not do, with a value that is valid there. */
const UNSUPPORTED: readonly (readonly [path: string, value: unknown])[] = [
  // The process.
  ['hds_config', { api_type: 'GRPC' }],
  ['stats_sinks', [{ name: 'x' }]],
  ['tracing.http', CUSTOM],
  ['dns_resolution_config', { resolvers: [] }],
  ['use_tcp_for_dns_lookups', true],
  ['header_prefix', 'x-own'],
  ['bootstrap_extensions', [{ name: 'x' }]],
  ['default_socket_interface', 'own'],
  ['certificate_provider_instances', { own: { name: 'x' } }],
  ['xds_delegate_extension', { name: 'x' }],
  ['xds_config_tracker_extension', { name: 'x' }],
  ['listener_manager', { name: 'x' }],
  ['node_context_params', ['id']],
  ['default_regex_engine', CUSTOM],
  ['typed_dns_resolver_config', CUSTOM],
  ['admin.socket_options', [{ level: 1, name: 2, int_value: 3 }]],
  ['cluster_manager.local_cluster_name', 'nobody'],
  [
    'cluster_manager.outlier_detection.event_service',
    { grpc_service: { envoy_grpc: { cluster_name: 'a' } } },
  ],
  ['cluster_manager.upstream_bind_config', { source_address: { address: '127.0.0.1', port_value: 0 } }],
  ['cluster_manager.load_stats_config', { api_type: 'GRPC' }],
  ['overload_manager.loadshed_points', [{ name: 'envoy.load_shed_points.tcp_listener_accept' }]],
  ['overload_manager.buffer_factory_config', { minimum_account_to_track_power_of_two: 20 }],
  ['overload_manager.actions[0].name', 'envoy.overload_actions.reset_high_memory_stream'],
  ['layered_runtime.layers[0].rtds_layer', { name: 'x' }],
  ['layered_runtime.layers[0].disk_layer', { symlink_root: '/x' }],
  ['layered_runtime.layers[0].static_layer["upstream.healthy_panic_threshold"]', 10],
  ['layered_runtime.layers[0].static_layer["circuit_breakers.a.default.max_requests"]', 10],
  ['dynamic_resources.lds_resources_locator', 'xdstp://x/y'],
  ['dynamic_resources.cds_resources_locator', 'xdstp://x/y'],
  ['dynamic_resources.ads_config.api_type', 'REST'],
  ['dynamic_resources.ads_config.cluster_names', ['a']],
  ['dynamic_resources.ads_config.request_timeout', '1s'],
  ['dynamic_resources.ads_config.refresh_delay', '1s'],
  ['dynamic_resources.ads_config.config_validators', [{ name: 'x' }]],
  ['dynamic_resources.ads_config.grpc_services[0].google_grpc', { target_uri: 'x', stat_prefix: 'x' }],
  // Listeners.
  [`${LISTENER}.udp_listener_config`, {}],
  [`${LISTENER}.api_listener`, {}],
  [`${LISTENER}.transparent`, true],
  [`${LISTENER}.freebind`, true],
  [`${LISTENER}.socket_options`, [{ level: 6, name: 18, int_value: 3 }]],
  [`${LISTENER}.enable_mptcp`, true],
  [`${LISTENER}.tcp_backlog_size`, 10],
  [`${LISTENER}.tcp_fast_open_queue_length`, 10],
  [`${CHAIN}.use_proxy_proto`, true],
  // HTTP.
  [`${HCM}.http3_protocol_options`, {}],
  [`${HCM}.path_normalization_options`, {}],
  [`${HCM}.typed_header_validation_config`, { name: 'x' }],
  [`${HCM}.proxy_status_config`, {}],
  [`${HOST}.hedge_policy.hedge_on_per_try_timeout`, true],
  [`${ROUTE}.route.hedge_policy.hedge_on_per_try_timeout`, true],
  [`${ROUTE}.route.inline_cluster_specifier_plugin`, { extension: CUSTOM }],
  [`${HCM}.scheme_header_transformation.match_upstream`, true],
  // Clusters.
  [`${CLUSTER}.lrs_server`, { ads: {} }],
  [`${CLUSTER}.track_timeout_budgets`, true],
  [`${CLUSTER}.filters`, [{ name: 'x' }]],
  [`${CLUSTER}.upstream_config`, { name: 'x' }],
  [`${CLUSTER}.track_cluster_stats`, {}],
  [`${CLUSTER}.preconnect_policy`, { per_upstream_preconnect_ratio: 2 }],
  [`${CLUSTER}.dns_resolvers`, [{ socket_address: { address: '127.0.0.1', port_value: 53 } }]],
  [`${TLS}.allow_renegotiation`, true],
  [`${TLS}.common_tls_context.custom_handshaker`, { name: 'x' }],
  [`${TLS}.common_tls_context.key_log`, { path: '/x' }],
  [`${TLS}.common_tls_context.validation_context.require_signed_certificate_timestamp`, true],
  [`${TLS}.common_tls_context.validation_context.custom_validator_config`, { name: 'x' }],
  // Newer than Envoy 1.31.
  [`${ROUTE}.route_specifiers`, [{ name: 'x' }]],
  [`${ROUTE}.route.flush_timeout`, '1s'],
  [`${HCM}.forward_client_cert_matcher`, {}],
  [`${HCM}.stream_flush_timeout`, '1s'],
  [`${CLUSTER}.use_tcp_for_dns_lookups`, true],
  [`${CLUSTER}.transport_socket_matcher`, {}],
];

/** Sets a value at a path, with what is missing on the way. */
function put(root: Record<string, unknown>, path: string, value: unknown): void {
  const segments = parsePath(path);
  let holder = root as Record<string | number, unknown>;
  for (const [index, segment] of segments.slice(0, -1).entries()) {
    holder[segment] ??= typeof segments[index + 1] === 'number' ? [] : {};
    holder = holder[segment] as Record<string | number, unknown>;
  }
  const last = segments.at(-1) ?? '';
  if (path.includes('.layers[0].')) {
    Object.assign(holder, { [last]: value });
    (root['layered_runtime'] as { layers: [{ name?: string }] }).layers[0].name = 'x';
  } else holder[last] = value;
}

const issuesOf = (
  bootstrap: Record<string, unknown>,
): readonly { readonly path: string; readonly message: string }[] =>
  translateBootstrap(readBootstrap({ file: { name: 'envoy.yaml', text: JSON.stringify(bootstrap) } })).issues;

it('takes the bootstrap without them', () => {
  expect(issuesOf(base())).toEqual([]);
});

it.each(UNSUPPORTED)('refuses %s by its path, with a reason', (path, value) => {
  const bootstrap = base();
  put(bootstrap, path, value);
  const at = issuesOf(bootstrap).filter(
    (issue) => issue.path === path || issue.path.startsWith(`${path}.`) || issue.path.startsWith(`${path}[`),
  );
  expect(at.length, JSON.stringify(issuesOf(bootstrap))).toBeGreaterThan(0);
  for (const { message } of at) expect(message).toMatch(/\w+ \w+/);
});

it('names at least sixty, and all of them at once', () => {
  expect(UNSUPPORTED.length).toBeGreaterThanOrEqual(60);
  const bootstrap = base();
  const together = UNSUPPORTED.filter(([path]) => !/layered_runtime|dynamic_resources/.test(path)).slice(
    0,
    40,
  );
  for (const [path, value] of together) put(bootstrap, path, value);
  const paths = issuesOf(bootstrap).map(({ path }) => path);
  for (const [path] of together)
    expect(
      paths.some((one) => one === path || one.startsWith(path)),
      path,
    ).toBe(true);
});
