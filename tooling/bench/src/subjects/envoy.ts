import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { envoyProgram, VERSION, wheel } from '@tulle/interop/envoy';
import type { Pki } from '../pki.ts';
import { ALLOWED_PREFIXES, many, type Side, type Subject, type SubjectSetup } from './subject.ts';

type Json = Readonly<Record<string, unknown>>;

const type = (name: string): string => `type.googleapis.com/${name}`;
const EXTENSION = 'envoy.extensions';

/** Envoy, one worker, out of its wheel. The mesh variant has what Tulle's control plane would switch on in it. */
export function envoy(variant: 'bare' | 'mesh'): Subject {
  return {
    name: 'envoy',
    variant,
    on:
      variant === 'bare'
        ? `${VERSION}, one worker, router only, no statistics kept`
        : 'JSON access log to a file, all statistics, RBAC on method, path and header, retry policy with budget, outlier detection, timeouts, one added header',
    between: 'http2',
    missing: () => wheel.missing(),
    async start(setup) {
      const file = join(setup.directory, 'envoy.json');
      writeFileSync(file, JSON.stringify(configuration(setup, variant === 'mesh')));
      const { pid } = setup.spawn(await envoyProgram(), [
        ...['-c', file, '--disable-hot-restart', '--concurrency', '1', '--log-level', 'warn'],
      ]);
      return { pids: () => [pid] };
    },
  };
}

function configuration(setup: SubjectSetup, mesh: boolean): Json {
  const { hop, scenario, pki } = setup;
  const names = [...new Set(many(scenario).map(({ cluster }) => cluster))];
  return {
    ...(mesh ? {} : { stats_config: { stats_matcher: { reject_all: true } } }),
    static_resources: {
      listeners: [
        {
          name: 'in',
          address: address(hop.listenPort),
          filter_chains: [
            {
              filters: [
                {
                  name: 'http',
                  typed_config: connectionManager(setup, mesh),
                },
              ],
              ...(hop.downstream.tls
                ? {
                    transport_socket: {
                      name: 'tls',
                      typed_config: {
                        '@type': type(`${EXTENSION}.transport_sockets.tls.v3.DownstreamTlsContext`),
                        require_client_certificate: true,
                        common_tls_context: tlsContext(hop.downstream, pki, 'origin'),
                      },
                    },
                  }
                : {}),
            },
          ],
        },
      ],
      clusters: (names.length === 0 ? ['origin'] : names).map((name) => cluster(name, setup, mesh)),
    },
  };
}

const address = (port: number): Json => ({ socket_address: { address: '127.0.0.1', port_value: port } });

function tlsContext(side: Side, pki: Pki, who: 'origin' | 'client'): Json {
  return {
    tls_params: { tls_minimum_protocol_version: 'TLSv1_3', tls_maximum_protocol_version: 'TLSv1_3' },
    tls_certificates: [
      {
        certificate_chain: { filename: who === 'origin' ? pki.originCertFile : pki.clientCertFile },
        private_key: { filename: who === 'origin' ? pki.originKeyFile : pki.clientKeyFile },
      },
    ],
    validation_context: { trusted_ca: { filename: pki.caFile } },
    alpn_protocols: [side.protocol === 'http2' ? 'h2' : 'http/1.1'],
  };
}

function connectionManager(setup: SubjectSetup, mesh: boolean): Json {
  const { hop, directory } = setup;
  return {
    '@type': type(`${EXTENSION}.filters.network.http_connection_manager.v3.HttpConnectionManager`),
    stat_prefix: 'in',
    codec_type: hop.downstream.protocol === 'http2' ? 'HTTP2' : 'HTTP1',
    route_config: routes(setup, mesh),
    http_filters: [
      ...(mesh ? rbac() : []),
      { name: 'router', typed_config: { '@type': type(`${EXTENSION}.filters.http.router.v3.Router`) } },
    ],
    generate_request_id: false,
    ...(mesh
      ? {
          access_log: [
            {
              name: 'file',
              typed_config: {
                '@type': type(`${EXTENSION}.access_loggers.file.v3.FileAccessLog`),
                path: join(directory, 'access.log'),
                log_format: {
                  json_format: {
                    start: '%START_TIME%',
                    method: '%REQ(:METHOD)%',
                    path: '%REQ(:PATH)%',
                    status: '%RESPONSE_CODE%',
                    flags: '%RESPONSE_FLAGS%',
                    bytes: '%BYTES_SENT%',
                    duration: '%DURATION%',
                    upstream: '%UPSTREAM_HOST%',
                    peer: '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%',
                    id: '%REQ(X-REQUEST-ID)%',
                  },
                },
              },
            },
          ],
        }
      : {}),
  };
}

function routes({ scenario }: SubjectSetup, mesh: boolean): Json {
  const route = (prefix: string, to: string): Json => ({
    match: { prefix },
    route: {
      cluster: to,
      timeout: '15s',
      ...(mesh
        ? {
            retry_policy: {
              retry_on: 'connect-failure,refused-stream,reset',
              num_retries: 2,
              per_try_timeout: '10s',
            },
          }
        : {}),
    },
    ...(mesh ? { request_headers_to_add: [{ header: { key: 'x-mesh-hop', value: 'bench' } }] } : {}),
  });
  const list = many(scenario);
  const byPath = list.flatMap(({ path, cluster: to }) => (path === undefined ? [] : [route(`${path}/`, to)]));
  const byHost = list.flatMap(({ host, cluster: to }) =>
    host === undefined ? [] : [{ name: host, domains: [host], routes: [route('/', to)] }],
  );
  return {
    virtual_hosts:
      byHost.length > 0
        ? byHost
        : [{ name: 'all', domains: ['*'], routes: byPath.length > 0 ? byPath : [route('/', 'origin')] }],
  };
}

function rbac(): Json[] {
  const filter = (action: 'ALLOW' | 'DENY', permissions: readonly Json[]): Json => ({
    name: `rbac-${action.toLowerCase()}`,
    typed_config: {
      '@type': type(`${EXTENSION}.filters.http.rbac.v3.RBAC`),
      rules: { action, policies: { shop: { permissions, principals: [{ any: true }] } } },
    },
  });
  const any = (rules: readonly Json[]): Json => ({ or_rules: { rules } });
  return [
    filter('DENY', [{ header: { name: 'x-forbidden', present_match: true } }]),
    filter('ALLOW', [
      {
        and_rules: {
          rules: [
            any(
              ['GET', 'POST', 'PUT', 'DELETE'].map((method) => ({
                header: { name: ':method', string_match: { exact: method } },
              })),
            ),
            any(ALLOWED_PREFIXES.map((prefix) => ({ url_path: { path: { prefix } } }))),
          ],
        },
      },
    ]),
  ];
}

function cluster(name: string, { hop, pki }: SubjectSetup, mesh: boolean): Json {
  return {
    name,
    connect_timeout: '5s',
    type: 'STATIC',
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: address(hop.upstreamPort) } }] }],
    },
    ...(hop.upstream.protocol === 'http2'
      ? {
          typed_extension_protocol_options: {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
              '@type': type(`${EXTENSION}.upstreams.http.v3.HttpProtocolOptions`),
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
        }
      : {}),
    ...(hop.upstream.tls
      ? {
          transport_socket: {
            name: 'tls',
            typed_config: {
              '@type': type(`${EXTENSION}.transport_sockets.tls.v3.UpstreamTlsContext`),
              sni: 'origin.bench',
              common_tls_context: tlsContext(hop.upstream, pki, 'client'),
            },
          },
        }
      : {}),
    ...(mesh
      ? {
          outlier_detection: {},
          circuit_breakers: { thresholds: [{ retry_budget: { budget_percent: { value: 20 } } }] },
        }
      : {}),
  };
}
