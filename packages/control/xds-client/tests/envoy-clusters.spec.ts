import { describe, expect, it } from 'vitest';
import type { JsonObject } from '@bufbuild/protobuf';
import { ClusterConfigSchema as AggregateSchema } from '@tulle/xds-proto/envoy/extensions/clusters/aggregate/v3/cluster';
import { ClusterConfigSchema as ForwardProxySchema } from '@tulle/xds-proto/envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster';
import { PreserveCaseFormatterConfigSchema } from '@tulle/xds-proto/envoy/extensions/http/header_formatters/preserve_case/v3/preserve_case';
import { LeastRequestSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/least_request/v3/least_request';
import { DnsClusterSchema } from '@tulle/xds-proto/envoy/extensions/clusters/dns/v3/dns_cluster';
import { CaresDnsResolverConfigSchema as CaresSchema } from '@tulle/xds-proto/envoy/extensions/network/dns_resolver/cares/v3/cares_dns_resolver';
import { MaglevSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/maglev/v3/maglev';
import { PickFirstSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/pick_first/v3/pick_first';
import { RoundRobinSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/round_robin/v3/round_robin';
import { SubsetSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/subset/v3/subset';
import { WrrLocalitySchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/wrr_locality/v3/wrr_locality';
import { TypedStructSchema as StructSchema } from '@tulle/xds-proto/udpa/type/v1/typed_struct';
import { clusterOf, refusedAt, tls } from './envoy-json.ts';

const FILE_SINK =
  'type.googleapis.com/envoy.extensions.health_check.event_sinks.file.v3.HealthCheckEventFileSink';

describe("Envoy's clusters of names", () => {
  it('look for addresses as Envoy does where they say nothing', () => {
    expect(clusterOf({ type: 'STRICT_DNS' }).discovery).toEqual({
      kind: 'dns',
      use: 'all',
      family: 'v6-first',
      endpoints: [],
    });
  });

  it('say which addresses, how often, and how soon again', () => {
    expect(
      clusterOf({
        type: 'LOGICAL_DNS',
        dns_lookup_family: 'V4_ONLY',
        dns_refresh_rate: '7s',
        respect_dns_ttl: true,
        dns_jitter: '3s',
        dns_failure_refresh_rate: { base_interval: '2s', max_interval: '10s' },
      }).discovery,
    ).toMatchObject({
      use: 'first',
      family: 'v4',
      refreshMs: 7_000,
      respectTtl: true,
      jitterMs: 3_000,
      failureRefresh: { baseMs: 2_000, maxMs: 10_000 },
    });
    expect(clusterOf({ type: 'STRICT_DNS', dns_lookup_family: 'ALL' }).discovery).not.toHaveProperty(
      'family',
    );
  });
});

describe("Envoy's extension for names", () => {
  const named = (fields: JsonObject): JsonObject => ({
    cluster_type: {
      name: 'envoy.clusters.dns',
      typed_config: { '@type': `type.googleapis.com/${DnsClusterSchema.typeName}`, ...fields },
    },
    load_assignment: {
      endpoints: [
        {
          lb_endpoints: [
            { endpoint: { address: { socket_address: { address: 'api.example', port_value: 80 } } } },
          ],
        },
      ],
    },
  });

  it('says what its kinds of clusters say', () => {
    const endpoints = [{ address: { host: 'api.example', port: 80 } }];
    expect(clusterOf(named({}), DnsClusterSchema).discovery).toEqual({
      kind: 'dns',
      use: 'all',
      family: 'v6-first',
      endpoints,
    });
    const all = named({
      dns_lookup_family: 'V4_ONLY',
      dns_refresh_rate: '7s',
      respect_dns_ttl: true,
      dns_jitter: '3s',
      dns_failure_refresh_rate: { base_interval: '2s', max_interval: '10s' },
      all_addresses_in_single_endpoint: true,
    });
    expect(clusterOf(all, DnsClusterSchema).discovery).toEqual({
      kind: 'dns',
      use: 'first',
      family: 'v4',
      refreshMs: 7_000,
      respectTtl: true,
      jitterMs: 3_000,
      failureRefresh: { baseMs: 2_000, maxMs: 10_000 },
      endpoints,
    });
    expect(clusterOf(named({ dns_lookup_family: 'ALL' }), DnsClusterSchema).discovery).not.toHaveProperty(
      'family',
    );
  });

  it('is refused where it says what is not done', () => {
    expect(refusedAt(named({ dns_min_refresh_rate: '1s' }), DnsClusterSchema)).toEqual([
      'cluster_type.typed_config.dns_min_refresh_rate',
    ]);
  });
});

describe("Envoy's connections to endpoints", () => {
  const socket = (address: string): JsonObject => ({ socket_address: { address, port_value: 80 } });
  const listed = (endpoint: JsonObject, more: JsonObject = {}): JsonObject => ({
    load_assignment: { cluster_name: 'a', endpoints: [{ lb_endpoints: [{ endpoint, ...more }] }] },
  });
  const order = (happy_eyeballs_config: JsonObject): JsonObject => ({
    upstream_connection_options: { happy_eyeballs_config },
  });

  it('go to one of several addresses', () => {
    const additional_addresses = [{ address: socket('10.0.0.2') }, { address: socket('fd00::1') }];
    expect(clusterOf(listed({ address: socket('10.0.0.1'), additional_addresses })).discovery).toEqual({
      kind: 'static',
      endpoints: [
        {
          address: { host: '10.0.0.1', port: 80 },
          additionalAddresses: [
            { host: '10.0.0.2', port: 80 },
            { host: 'fd00::1', port: 80 },
          ],
        },
      ],
    });
  });

  it.each([
    ['no address', [{}]],
    ['a name', [{ address: socket('localhost') }]],
    ['a socket of Unix', [{ address: { pipe: { path: '/run/a' } } }]],
    ['a listener of this process', [{ address: { envoy_internal_address: { server_listener_name: 'a' } } }]],
  ])('are refused where one is %s', (_, additional_addresses) => {
    expect(refusedAt(listed({ address: socket('10.0.0.1'), additional_addresses }))).toEqual([
      'load_assignment.endpoints[0].lb_endpoints[0].endpoint.additional_addresses[0].address',
    ]);
  });

  it('are refused where more addresses stand beside none, a tunnel or a name', () => {
    const at = 'load_assignment.endpoints[0].lb_endpoints[0].endpoint.additional_addresses';
    const additional_addresses = [{ address: socket('10.0.0.2') }];
    expect(refusedAt(listed({ address: { pipe: { path: '/run/a' } }, additional_addresses }))).toEqual([at]);
    expect(
      refusedAt(
        listed(
          { address: socket('10.0.0.1'), additional_addresses },
          { metadata: { filter_metadata: { 'tulle.dev': { mode: 'hbone' } } } },
        ),
      ),
    ).toEqual([at]);
    expect(
      refusedAt({ type: 'STRICT_DNS', ...listed({ address: socket('a.test'), additional_addresses }) }),
    ).toEqual(['load_assignment']);
  });

  it('are tried in an order', () => {
    expect(
      clusterOf(order({ first_address_family_version: 'V6', first_address_family_count: 2 })).pool,
    ).toEqual({ addressOrder: { first: 'v6', count: 2 } });
    expect(clusterOf(order({}))).not.toHaveProperty('pool');
    expect(refusedAt(order({ first_address_family_count: 0 }))).toEqual([
      'upstream_connection_options.happy_eyeballs_config.first_address_family_count',
    ]);
  });

  it('serve nothing new, or are closed, when endpoints change or fail', () => {
    expect(
      clusterOf({
        close_connections_on_host_health_failure: true,
        common_lb_config: { close_connections_on_host_set_change: true },
      }).pool,
    ).toEqual({ closesOnFailure: true, drainsOnSetChange: true });
    expect(
      clusterOf({ common_lb_config: { close_connections_on_host_set_change: false } }),
    ).not.toHaveProperty('pool');
  });
});

describe("Filters of Envoy's clusters", () => {
  const struct = (type_url: string): JsonObject => ({
    name: 'one',
    typed_config: { '@type': 'type.googleapis.com/udpa.type.v1.TypedStruct', type_url, value: {} },
  });

  it('that tell peers of Istio about each other do nothing here; others are refused by path', () => {
    const exchange = struct('type.googleapis.com/envoy.tcp.metadataexchange.config.MetadataExchange');
    expect(clusterOf({ type: 'STATIC', filters: [exchange] }, StructSchema)).toEqual(
      clusterOf({ type: 'STATIC' }),
    );
    expect(refusedAt({ type: 'STATIC', filters: [exchange, struct('x.Own')] }, StructSchema)).toEqual([
      'filters[1].typed_config',
    ]);
    expect(refusedAt({ type: 'STATIC', filters: [{ name: 'nothing' }] })).toEqual([
      'filters[0].typed_config',
    ]);
  });
});

describe("Envoy's resolvers", () => {
  const cares = (settings: JsonObject): JsonObject => ({
    type: 'STRICT_DNS',
    typed_dns_resolver_config: {
      name: 'envoy.network.dns_resolver.cares',
      typed_config: {
        '@type': 'type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig',
        ...settings,
      },
    },
  });

  it('are the system’s, and refused where they are to be others', () => {
    expect(clusterOf(cares({}), CaresSchema).discovery).toMatchObject({ kind: 'dns' });
    const resolvers = [{ socket_address: { address: '10.0.0.53', port_value: 53 } }];
    expect(refusedAt(cares({ resolvers }), CaresSchema)).toEqual([
      'typed_dns_resolver_config.typed_config.resolvers',
    ]);
  });
});

describe("Connections of Envoy's clusters", () => {
  it('are spoken to as the deprecated fields say, where nothing newer does', () => {
    expect(
      clusterOf({
        http2_protocol_options: { max_concurrent_streams: 7 },
        max_requests_per_connection: 3,
        common_http_protocol_options: { idle_timeout: '9s' },
      }).pool,
    ).toEqual({
      protocol: 'http2',
      http2: { maxConcurrentStreams: 7 },
      maxRequestsPerConnection: 3,
      idleTimeoutMs: 9_000,
    });
  });

  it('have a buffer limit, a keepalive and an address to come from', () => {
    expect(
      clusterOf({
        per_connection_buffer_limit_bytes: 32_768,
        upstream_connection_options: { tcp_keepalive: { keepalive_time: 30, keepalive_probes: 3 } },
        upstream_bind_config: { source_address: { address: '10.0.0.9', port_value: 0 } },
      }).pool,
    ).toEqual({
      bufferLimitBytes: 32_768,
      tcpKeepalive: { idleMs: 30_000, probes: 3 },
      sourceAddress: '10.0.0.9',
    });
    expect(
      refusedAt({ upstream_bind_config: { source_address: { address: '10.0.0.9', port_value: 9 } } }),
    ).toEqual(['upstream_bind_config.source_address.port_value']);
  });
});

const POLICIES = [
  LeastRequestSchema,
  MaglevSchema,
  PickFirstSchema,
  RoundRobinSchema,
  SubsetSchema,
  WrrLocalitySchema,
] as const;

function policy(name: string, fields: JsonObject = {}): JsonObject {
  const type = name.replaceAll(/(?:^|_)(.)/g, (_, letter: string) => letter.toUpperCase());
  return {
    policies: [
      {
        typed_extension_config: {
          name,
          typed_config: {
            '@type': `type.googleapis.com/envoy.extensions.load_balancing_policies.${name}.v3.${type}`,
            ...fields,
          },
        },
      },
    ],
  };
}
const balancing = (config: JsonObject) => clusterOf({ load_balancing_policy: config }, ...POLICIES);

describe("Envoy's balancing policies", () => {
  it('may be least request in full, with localities', () => {
    expect(
      balancing(
        policy('least_request', {
          selection_method: 'FULL_SCAN',
          active_request_bias: { default_value: 0.5, runtime_key: 'k' },
          locality_lb_config: { locality_weighted_lb_config: {} },
        }),
      ),
    ).toMatchObject({
      balance: { policy: 'least-request', fullScan: true, activeRequestBias: 0.5 },
      localityWeighted: true,
    });
  });

  it('may be a policy within one by localities, or within subsets', () => {
    expect(
      balancing(policy('wrr_locality', { endpoint_picking_policy: policy('round_robin') })),
    ).toMatchObject({ balance: { policy: 'round-robin' }, localityWeighted: true });
    expect(
      balancing(
        policy('subset', {
          fallback_policy: 'ANY_ENDPOINT',
          subset_selectors: [{ keys: ['stage'], single_host_per_subset: true }],
          subset_lb_policy: policy('maglev', {
            consistent_hashing_lb_config: { use_hostname_for_hashing: true, hash_balance_factor: 150 },
          }),
        }),
      ),
    ).toMatchObject({
      balance: { policy: 'maglev', useHostname: true, balanceFactorPercent: 150 },
      subsets: { fallback: 'any', selectors: [{ keys: ['stage'], singleHost: true }] },
    });
  });

  it('are the first of the list that this proxy has', () => {
    const [first] = policy('pick_first', { shuffle_address_list: true })['policies'] as JsonObject[];
    const unknown = {
      typed_extension_config: {
        name: 'mine',
        typed_config: {
          '@type': 'type.googleapis.com/envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin',
        },
      },
    };
    expect(balancing({ policies: [first as JsonObject, unknown] }).balance).toEqual({
      policy: 'pick-first',
      shuffle: true,
    });
  });

  it('have subsets beside an old policy too, with everything that endpoints fall back to', () => {
    expect(
      clusterOf({
        lb_policy: 'RING_HASH',
        common_lb_config: { zone_aware_lb_config: { fail_traffic_on_panic: true } },
        lb_subset_config: {
          fallback_policy: 'DEFAULT_SUBSET',
          default_subset: { stage: 'prod', canary: false, version: 1.5 },
          subset_selectors: [
            { keys: ['a', 'b'], fallback_policy: 'KEYS_SUBSET', fallback_keys_subset: ['a'] },
          ],
        },
      }),
    ).toMatchObject({
      balance: { policy: 'ring-hash' },
      failOnPanic: true,
      subsets: {
        fallback: 'default',
        defaultSubset: { stage: 'prod', canary: 'false', version: '1.5' },
        selectors: [{ keys: ['a', 'b'], fallback: 'keys', fallbackKeys: ['a'] }],
      },
    });
  });

  it.each([
    ['lb_subset_config.list_as_any', { list_as_any: true }],
    ['lb_subset_config.panic_mode_any', { panic_mode_any: true }],
    ['lb_subset_config.metadata_fallback_policy', { metadata_fallback_policy: 'FALLBACK_LIST' }],
  ] as const)('are refused at %s', (path, config) => {
    expect(refusedAt({ lb_subset_config: { subset_selectors: [{ keys: ['a'] }], ...config } })).toEqual([
      path,
    ]);
  });
});

describe("Envoy's circuit breakers", () => {
  it('let three retries be under way at a time where they say nothing', () => {
    expect(clusterOf({}).limits).toEqual({ maxRetries: 3 });
    expect(clusterOf({ circuit_breakers: { thresholds: [{ max_requests: 7 }] } }).limits).toEqual({
      maxRequests: 7,
      maxRetries: 3,
    });
  });

  it('are of two priorities, count retries or budget them, and bound single endpoints', () => {
    const cluster = clusterOf({
      circuit_breakers: {
        thresholds: [
          { priority: 'HIGH', max_requests: 9, max_retries: 5 },
          {
            max_connections: 1,
            max_pending_requests: 2,
            track_remaining: true,
            retry_budget: { budget_percent: { value: 25 }, min_retry_concurrency: 4 },
          },
        ],
        per_host_thresholds: [{ max_connections: 6 }],
      },
    });
    expect(cluster.limits).toEqual({
      maxConnections: 1,
      maxPendingRequests: 2,
      trackRemaining: true,
      retryConcurrency: { percent: 25, least: 4 },
      maxConnectionsPerEndpoint: 6,
    });
    expect(cluster.highLimits).toEqual({ maxRequests: 9, maxRetries: 5 });
  });

  it.each([
    ['circuit_breakers.thresholds[1]', { thresholds: [{ max_requests: 1 }, { max_requests: 2 }] }],
    ['circuit_breakers.per_host_thresholds[0]', { per_host_thresholds: [{ max_requests: 1 }] }],
    ['circuit_breakers.thresholds[0].max_connection_pools', { thresholds: [{ max_connection_pools: 1 }] }],
  ])('are refused at %s', (path, breakers) => {
    expect(refusedAt({ circuit_breakers: breakers })).toEqual([path]);
  });
});

describe("Envoy's outlier detection", () => {
  it('compares success rates where it says nothing, as Envoy does', () => {
    expect(clusterOf({ outlier_detection: {} }).outlier).toEqual({
      deviation: { factor: 1.9, minimumEndpoints: 5, minimumRequests: 100 },
    });
    expect(clusterOf({ outlier_detection: { enforcing_success_rate: 0 } }).outlier).toEqual({});
  });

  it('has every rule, with the chance that it is carried out', () => {
    expect(
      clusterOf({
        outlier_detection: {
          consecutive_5xx: 3,
          enforcing_consecutive_5xx: 50,
          consecutive_gateway_failure: 2,
          enforcing_consecutive_gateway_failure: 100,
          split_external_local_origin_errors: true,
          consecutive_local_origin_failure: 7,
          enforcing_local_origin_success_rate: 10,
          success_rate_stdev_factor: 1000,
          success_rate_minimum_hosts: 2,
          success_rate_request_volume: 3,
          failure_percentage_threshold: 40,
          enforcing_failure_percentage: 60,
          interval: '1s',
          max_ejection_time_jitter: '2s',
          max_ejection_percent: 80,
        },
      }).outlier,
    ).toEqual({
      consecutiveFailures: 3,
      consecutiveFailuresEnforcedPercent: 50,
      gatewayFailures: { count: 2 },
      splitLocalFailures: true,
      localFailures: { count: 7 },
      deviation: { factor: 1, minimumEndpoints: 2, minimumRequests: 3, localEnforcedPercent: 10 },
      failurePercentage: {
        thresholdPercent: 40,
        minimumEndpoints: 5,
        minimumRequests: 50,
        enforcedPercent: 60,
        localEnforcedPercent: 0,
      },
      intervalMs: 1_000,
      ejectionJitterMs: 2_000,
      maxEjectionPercent: 80,
    });
  });
});

describe("Envoy's aggregate clusters", () => {
  const aggregate = (clusters: readonly string[]): JsonObject => ({
    lb_policy: 'CLUSTER_PROVIDED',
    cluster_type: {
      name: 'envoy.clusters.aggregate',
      typed_config: {
        '@type': 'type.googleapis.com/envoy.extensions.clusters.aggregate.v3.ClusterConfig',
        clusters: [...clusters],
      },
    },
  });

  it('have the endpoints of others', () => {
    expect(clusterOf(aggregate(['first', 'second']), AggregateSchema).discovery).toEqual({
      kind: 'aggregate',
      clusters: ['first', 'second'],
    });
    expect(refusedAt(aggregate([]), AggregateSchema)).toEqual(['cluster_type.typed_config.clusters']);
    expect(refusedAt({ lb_policy: 'CLUSTER_PROVIDED' })).toEqual(['lb_policy']);
  });
});

describe("Envoy's clusters that find endpoints by requests", () => {
  const forward = (cache: JsonObject, more: JsonObject = {}): JsonObject => ({
    lb_policy: 'CLUSTER_PROVIDED',
    cluster_type: {
      name: 'envoy.clusters.dynamic_forward_proxy',
      typed_config: {
        '@type': 'type.googleapis.com/envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig',
        dns_cache_config: { name: 'cache', ...cache },
        ...more,
      },
    },
  });

  it('are forward proxies, which look at names over TLS whatever else they are told', () => {
    const cluster = clusterOf(
      {
        ...forward({
          dns_lookup_family: 'V4_ONLY',
          dns_refresh_rate: '7s',
          host_ttl: '9s',
          max_hosts: 5,
          dns_query_timeout: '1s',
          dns_cache_circuit_breaker: { max_pending_requests: 3 },
          preresolve_hostnames: [{ address: 'a.test', port_value: 443 }],
        }),
        ...tls({ common_tls_context: { validation_context: { trusted_ca: { filename: '/ca' } } } }),
      },
      ForwardProxySchema,
    );
    expect(cluster.discovery).toEqual({
      kind: 'forward-proxy',
      family: 'v4',
      refreshMs: 7_000,
      hostTtlMs: 9_000,
      maxHosts: 5,
      queryTimeoutMs: 1_000,
      maxPendingRequests: 3,
      preresolve: [{ host: 'a.test', port: 443 }],
    });
    expect(cluster.tls).not.toHaveProperty('verifyName');
    expect(refusedAt(forward({}, { allow_insecure_cluster_options: true }), ForwardProxySchema)).toEqual([
      'cluster_type.typed_config.allow_insecure_cluster_options',
    ]);
  });

  it('go where connections were going, or where a header says', () => {
    const original = { type: 'ORIGINAL_DST', lb_policy: 'CLUSTER_PROVIDED' };
    expect(clusterOf({ ...original, cleanup_interval: '2s' }).discovery).toEqual({
      kind: 'original-dst',
      cleanupMs: 2_000,
    });
    expect(
      clusterOf({
        ...original,
        original_dst_lb_config: { use_http_header: true, upstream_port_override: 15_008 },
      }).discovery,
    ).toEqual({ kind: 'original-dst', header: 'x-envoy-original-dst-host', port: 15_008 });
    const noted = (metadata_key: JsonObject): JsonObject => ({
      ...original,
      original_dst_lb_config: { metadata_key },
    });
    expect(clusterOf(noted({ key: 'k', path: [{ key: 'p' }, { key: 'q' }] })).discovery).toEqual({
      kind: 'original-dst',
      metadata: { namespace: 'k', path: ['p', 'q'] },
    });
    expect(refusedAt(noted({}))).toEqual([
      'original_dst_lb_config.metadata_key.key',
      'original_dst_lb_config.metadata_key.path',
    ]);
  });
});

describe("Envoy's transport sockets for some endpoints", () => {
  const socket = (json: JsonObject): JsonObject => tls(json)['transport_socket'] as JsonObject;
  const plain = {
    name: 'raw',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer',
    },
  };

  it('are chosen by what the metadata of endpoints say', () => {
    const cluster = clusterOf({
      transport_socket_matches: [
        { name: 'tlsMode-istio', match: { tlsMode: 'istio' }, transport_socket: socket({ sni: 'a.test' }) },
        { name: 'tlsMode-disabled', match: {}, transport_socket: plain },
      ],
      load_assignment: {
        cluster_name: 'c',
        endpoints: [
          {
            lb_endpoints: [
              {
                endpoint: { address: { socket_address: { address: '10.0.0.1', port_value: 80 } } },
                metadata: { filter_metadata: { 'envoy.transport_socket_match': { tlsMode: 'istio' } } },
              },
            ],
          },
        ],
      },
    });
    expect(cluster.tlsMatches).toMatchObject([
      { name: 'tlsMode-istio', labels: { tlsMode: 'istio' }, tls: { serverName: 'a.test' } },
      { name: 'tlsMode-disabled', labels: {} },
    ]);
    expect(cluster.discovery).toMatchObject({ endpoints: [{ tlsLabels: { tlsMode: 'istio' } }] });
  });

  it.each(['explicit', 'downstream'])('write names as they came, by %s options of HTTP/1', (kind) => {
    const options = (format: JsonObject): JsonObject => {
      const http1 = { http_protocol_options: { header_key_format: format } };
      return {
        typed_extension_protocol_options: {
          'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
            '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
            ...(kind === 'explicit'
              ? { explicit_http_config: http1 }
              : { use_downstream_protocol_config: http1 }),
          },
        },
      };
    };
    const preserve = (more: JsonObject): JsonObject => ({
      stateful_formatter: {
        name: 'preserve_case',
        typed_config: {
          '@type':
            'type.googleapis.com/envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig',
          ...more,
        },
      },
    });
    expect(
      refusedAt(options(preserve({ forward_reason_phrase: true })), PreserveCaseFormatterConfigSchema),
    ).toEqual([]);
    const proper = preserve({ formatter_type_on_envoy_headers: 'PROPER_CASE' });
    expect(refusedAt(options(proper), PreserveCaseFormatterConfigSchema)).toEqual([
      expect.stringMatching(/typed_config\.formatter_type_on_envoy_headers$/),
    ]);
    expect(refusedAt(options({ proper_case_words: {} }))).toEqual([
      expect.stringMatching(/http_protocol_options\.header_key_format$/),
    ]);
  });

  it('send the server name that requests say', () => {
    const options = (names?: JsonObject): JsonObject => ({
      typed_extension_protocol_options: {
        'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
          '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
          ...(names && { upstream_http_protocol_options: names }),
          explicit_http_config: { http_protocol_options: {} },
        },
      },
    });
    const trusted = tls({ common_tls_context: { validation_context: { trusted_ca: { filename: '/ca' } } } });
    expect(
      clusterOf({
        ...options({ auto_sni: true, auto_san_validation: true, override_auto_sni_header: 'X-Name' }),
        ...trusted,
      }).serverNameFrom,
    ).toEqual({ header: 'x-name', verified: true });
    expect(clusterOf({ ...options({ auto_sni: true }), ...trusted }).serverNameFrom).toEqual({});
    expect(refusedAt({ ...options({ auto_sni: true, auto_san_validation: true }), ...tls({}) })).toEqual([
      'transport_socket',
    ]);
    const older = { upstream_http_protocol_options: { auto_sni: true } };
    expect(clusterOf({ ...older, ...trusted }).serverNameFrom).toEqual({});
    // Envoy sends no name where the newer options stand beside that, and do not say it.
    expect(clusterOf({ ...older, ...options(), ...trusted }).serverNameFrom).toBeUndefined();
  });
});

describe("Envoy's health checks", () => {
  const rhythm = { timeout: '1s', interval: '2s', unhealthy_threshold: 1, healthy_threshold: 2 };

  it('say where, by what and when an endpoint is asked', () => {
    expect(
      clusterOf({
        health_checks: [
          {
            ...rhythm,
            alt_port: 9000,
            no_traffic_healthy_interval: '9s',
            unhealthy_edge_interval: '3s',
            healthy_edge_interval: '4s',
            always_log_health_check_failures: true,
            always_log_health_check_success: true,
            event_log_path: '/var/log/old.log',
            event_logger: [
              { name: 'x', typed_config: { '@type': FILE_SINK, event_log_path: '/var/log/new.log' } },
            ],
            http_health_check: {
              path: '/',
              codec_client_type: 'HTTP2',
              request_headers_to_add: [
                { header: { key: 'X-Probe', value: 'yes' } },
                { header: { key: 'x-raw', raw_value: 'w6k=' } },
                { header: { key: 'x-kept', value: '' }, keep_empty_value: true },
                { header: { key: 'x-dropped', value: '' } },
              ],
            },
          },
        ],
      }).healthCheck,
    ).toEqual({
      kind: 'http',
      path: '/',
      codec: 'http2',
      headers: [
        { name: 'x-probe', value: 'yes' },
        { name: 'x-raw', value: 'Ã©' },
        { name: 'x-kept', value: '' },
      ],
      intervalMs: 2_000,
      timeoutMs: 1_000,
      unhealthyThreshold: 1,
      healthyThreshold: 2,
      altPort: 9_000,
      noTrafficHealthyIntervalMs: 9_000,
      unhealthyEdgeIntervalMs: 3_000,
      healthyEdgeIntervalMs: 4_000,
      eventLogs: ['/var/log/old.log', '/var/log/new.log'],
      logsFailures: true,
      logsSuccesses: true,
    });
  });

  it('of new endpoints are waited for in any case', () => {
    const json = { health_checks: [{ ...rhythm, tcp_health_check: {} }] };
    expect(clusterOf({ ...json, common_lb_config: { ignore_new_hosts_until_first_hc: true } })).toEqual(
      clusterOf(json),
    );
  });

  it('may be several, each with a name of its own, which says nothing of one alone', () => {
    const named = (name: string): JsonObject => ({ ...rhythm, name, tcp_health_check: {} });
    expect(clusterOf({ health_checks: [named('a')] }).healthCheck).not.toHaveProperty('name');
    expect(clusterOf({ health_checks: [named('a'), named('b'), named('c')] })).toMatchObject({
      healthCheck: { kind: 'tcp', name: 'a' },
      moreHealthChecks: [
        { kind: 'tcp', name: 'b' },
        { kind: 'tcp', name: 'c' },
      ],
    });
    expect(refusedAt({ health_checks: [named(''), named('a'), named('a')] })).toEqual([
      'health_checks[0].name',
      'health_checks[2].name',
    ]);
  });

  it.each([
    ['health_checks[0].event_service', { event_service: {}, tcp_health_check: {} }],
    [
      'health_checks[0].event_logger[0].typed_config',
      { event_logger: [{ name: 'x' }], tcp_health_check: {} },
    ],
    [
      'health_checks[0].event_logger[0].typed_config.event_log_path',
      {
        event_logger: [{ name: 'x', typed_config: { '@type': FILE_SINK } }],
        tcp_health_check: {},
      },
    ],
    ['health_checks[0].http_health_check.send', { http_health_check: { path: '/', send: { text: '00' } } }],
    [
      'health_checks[0].http_health_check.receive',
      { http_health_check: { path: '/', receive: [{ text: '000102' }], response_buffer_size: 2 } },
    ],
    [
      'health_checks[0].http_health_check.request_headers_to_remove[0]',
      { http_health_check: { path: '/', request_headers_to_remove: ['Host'] } },
    ],
    [
      'health_checks[0].http_health_check.use_alpn_protocol',
      { http_health_check: { path: '/', use_alpn_protocol: true } },
    ],
    ['health_checks[0].http_health_check.method', { http_health_check: { path: '/', method: 'CONNECT' } }],
    [
      'health_checks[0].http_health_check.request_headers_to_add[0].header.value',
      {
        http_health_check: {
          path: '/',
          request_headers_to_add: [{ header: { key: 'a', value: '%REQ(b)%' } }],
        },
      },
    ],
  ] as const)('are refused at %s', (path, check) => {
    expect(refusedAt({ health_checks: [{ ...rhythm, ...(check as unknown as JsonObject) }] })).toEqual([
      path,
    ]);
  });
});
