import { createRegistry, fromJson, type JsonValue } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import type { HttpHandler, Listener } from '@tulle/model';
import { ListenerSchema } from '@tulle/xds-proto/envoy/config/listener/v3/listener';
import { ZipkinConfigSchema } from '@tulle/xds-proto/envoy/config/trace/v3/zipkin';
import { RouterSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/router/v3/router';
import { HttpInspectorSchema } from '@tulle/xds-proto/envoy/extensions/filters/listener/http_inspector/v3/http_inspector';
import { OriginalDstSchema } from '@tulle/xds-proto/envoy/extensions/filters/listener/original_dst/v3/original_dst';
import { ProxyProtocolSchema } from '@tulle/xds-proto/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol';
import { TlsInspectorSchema } from '@tulle/xds-proto/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector';
import { HttpConnectionManagerSchema } from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import { TcpProxySchema } from '@tulle/xds-proto/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy';
import { DownstreamTlsContextSchema } from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/tls';
import { PreserveCaseFormatterConfigSchema } from '@tulle/xds-proto/envoy/extensions/http/header_formatters/preserve_case/v3/preserve_case';
import { UuidRequestIdConfigSchema } from '@tulle/xds-proto/envoy/extensions/request_id/uuid/v3/uuid';
import { describe, expect, it } from 'vitest';
import { createResourceDecoder } from '../src/decode/resource.ts';

const registry = createRegistry(
  HttpConnectionManagerSchema,
  TcpProxySchema,
  RouterSchema,
  TlsInspectorSchema,
  HttpInspectorSchema,
  OriginalDstSchema,
  ProxyProtocolSchema,
  UuidRequestIdConfigSchema,
  PreserveCaseFormatterConfigSchema,
  DownstreamTlsContextSchema,
  ZipkinConfigSchema,
);
const TYPE = 'type.googleapis.com/envoy.extensions.';
const decoder = createResourceDecoder();
type Json = Readonly<Record<string, JsonValue>>;

function read(json: Json): Listener | string[] {
  const message = fromJson(
    ListenerSchema,
    {
      name: 'l',
      address: { socket_address: { address: '0.0.0.0', port_value: 80 } },
      ...json,
    },
    { registry },
  );
  const decoded = decoder.decode('listener', anyPack(ListenerSchema, message));
  return decoded.ok ? decoded.resource : decoded.issues.map(({ path }) => path);
}

const tcp = (config: Json = {}): Json => ({
  name: 'envoy.filters.network.tcp_proxy',
  typed_config: {
    '@type': `${TYPE}filters.network.tcp_proxy.v3.TcpProxy`,
    stat_prefix: 's',
    cluster: 'c',
    ...config,
  },
});

const LABELS = { filter_metadata: { 'envoy.lb': { x: '1' } } };
const HTTP = 'filter_chains[0].filters[0].typed_config';

/** How the HttpConnectionManager of another control plane is read. */
function readHandler(config: Json, listener: Json = {}): HttpHandler | string[] {
  const got = read({
    ...listener,
    filter_chains: [
      {
        filters: [
          {
            name: 'envoy.filters.network.http_connection_manager',
            typed_config: {
              '@type': `${TYPE}filters.network.http_connection_manager.v3.HttpConnectionManager`,
              stat_prefix: 's',
              route_config: { name: 'r' },
              http_filters: [
                {
                  name: 'envoy.filters.http.router',
                  typed_config: { '@type': `${TYPE}filters.http.router.v3.Router` },
                },
              ],
              ...config,
            },
          },
        ],
      },
    ],
  });
  return Array.isArray(got) ? got : (got.filterChains[0]?.handler as HttpHandler);
}

/** The chain that is a Router alone. */
const routedBy = (router: Json): Json => ({
  http_filters: [
    {
      name: 'envoy.filters.http.router',
      typed_config: { '@type': `${TYPE}filters.http.router.v3.Router`, ...router },
    },
  ],
});

describe('an HttpConnectionManager that says nothing', () => {
  it('has Envoy’s defaults, where they are not Tulle’s', () => {
    expect(readHandler({})).toEqual({
      kind: 'http',
      statPrefix: 's',
      routes: { name: 'r', virtualHosts: [] },
      filters: [],
      allowUpgrades: [],
      forwarding: { client: 'header' },
      escapedSlashes: 'keep',
      http10: 'refuse',
      serverHeader: { value: 'envoy' },
      maxReplayBytes: 1_048_576,
    });
  });

  it('keeps of a body what its listener buffers, to send it again', () => {
    expect(readHandler({}, { per_connection_buffer_limit_bytes: 32_768 })).toMatchObject({
      maxReplayBytes: 32_768,
    });
  });
});

describe('an HttpConnectionManager', () => {
  it('of an edge is read as Envoy’s guide for edges has it', () => {
    expect(
      readHandler({
        use_remote_address: true,
        xff_num_trusted_hops: 1,
        skip_xff_append: true,
        append_x_forwarded_port: true,
        internal_address_config: { cidr_ranges: [{ address_prefix: '10.0.0.0', prefix_len: 8 }] },
        normalize_path: true,
        merge_slashes: true,
        path_with_escaped_slashes_action: 'UNESCAPE_AND_REDIRECT',
        strip_any_host_port: true,
        strip_trailing_host_dot: true,
        request_timeout: '300s',
        delayed_close_timeout: '2s',
        drain_timeout: '3s',
        drain_timeout_jitter: { value: 100 },
        via: 'edge',
        always_set_request_id_in_response: true,
        server_header_transformation: 'APPEND_IF_ABSENT',
        common_http_protocol_options: {
          headers_with_underscores_action: 'REJECT_REQUEST',
          max_connection_duration: '3600s',
          max_connection_duration_jitter: { value: 12.5 },
          max_stream_duration: '60s',
          max_requests_per_connection: 1000,
        },
        http_protocol_options: { accept_http_10: true, default_host_for_http_10: 'a.example' },
      }),
    ).toMatchObject({
      forwarding: {
        client: 'peer',
        trustedHops: 1,
        append: false,
        port: true,
        internalCidrs: ['10.0.0.0/8'],
      },
      requestId: { external: 'replace', inResponse: true },
      escapedSlashes: 'redirect',
      stripPort: 'any',
      requestTimeoutMs: 300_000,
      delayedCloseMs: 2_000,
      drainTimeoutMs: 3_000,
      drainTimeoutJitterPercent: 100,
      via: 'edge',
      serverHeader: { value: 'envoy', ifAbsent: true },
      underscores: 'refuse',
      maxConnectionDurationMs: 3_600_000,
      maxConnectionDurationJitterPercent: 12.5,
      maxStreamDurationMs: 60_000,
      maxRequestsPerConnection: 1000,
      defaultHost: 'a.example',
    });
  });

  it.each([
    [
      { strict_check_headers: ['x-envoy-retry-on', 'x-envoy-max-retries'] },
      { checks: ['x-envoy-retry-on', 'x-envoy-max-retries'] },
    ],
    [{ respect_expected_rq_timeout: true }, { timeout: true }],
    [{ respect_expected_rq_timeout: false }, undefined],
  ])('whose router says %j looks at what callers say: %j', (router, callerControls) => {
    expect(readHandler(routedBy(router))).toEqual({
      ...(readHandler({}) as HttpHandler),
      ...(callerControls && { callerControls }),
    });
  });

  it('of an Istio sidecar is read', () => {
    const got = readHandler({
      use_remote_address: false,
      forward_client_cert_details: 'APPEND_FORWARD',
      set_current_client_cert_details: { subject: true, dns: true, uri: true },
      generate_request_id: true,
      preserve_external_request_id: true,
      proxy_100_continue: true,
      normalize_path: true,
      path_with_escaped_slashes_action: 'KEEP_UNCHANGED',
      server_header_transformation: 'PASS_THROUGH',
      stream_idle_timeout: '0s',
      upgrade_configs: [{ upgrade_type: 'websocket' }],
      request_id_extension: {
        typed_config: {
          '@type': `${TYPE}request_id.uuid.v3.UuidRequestIdConfig`,
          use_request_id_for_trace_sampling: true,
        },
      },
      http_protocol_options: {
        header_key_format: {
          stateful_formatter: {
            name: 'preserve_case',
            typed_config: {
              '@type': `${TYPE}http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig`,
            },
          },
        },
      },
    });
    expect(got).toMatchObject({
      forwarding: {
        client: 'header',
        clientCertificate: 'append',
        certificateParts: ['subject', 'dns', 'uri'],
      },
      streamIdleTimeoutMs: 0,
      allowUpgrades: ['websocket'],
    });
    expect(got).not.toHaveProperty('requestId');
  });

  it.each([
    [{ use_request_id_for_trace_sampling: false }, true],
    [{ use_request_id_for_trace_sampling: true }, undefined],
    [{}, undefined],
  ])('with request ids by %j has all its traces sampled: %s', (config, samplesAll) => {
    const got = readHandler({
      tracing: {
        random_sampling: { value: 1 },
        provider: {
          name: 'x',
          typed_config: {
            '@type': 'type.googleapis.com/envoy.config.trace.v3.ZipkinConfig',
            collector_cluster: 'z',
            collector_endpoint: '/api/v2/spans',
            collector_endpoint_version: 'HTTP_JSON',
          },
        },
      },
      request_id_extension: {
        typed_config: { '@type': `${TYPE}request_id.uuid.v3.UuidRequestIdConfig`, ...config },
      },
    });
    expect(got).toMatchObject({
      tracing: { randomSamplingPercent: 1, ...(samplesAll === true && { samplesAll }) },
    });
    if (samplesAll === undefined) expect(got).not.toHaveProperty('tracing.samplesAll');
  });

  it.each<[string, Json, string]>([
    [
      'what would smuggle requests',
      { http_protocol_options: { allow_chunked_length: true } },
      'http_protocol_options.allow_chunked_length',
    ],
    ['paths that are judged in another spelling', { normalize_path: false }, 'normalize_path'],
    [
      'a proxy that takes no absolute form',
      { http_protocol_options: { allow_absolute_url: false } },
      'http_protocol_options.allow_absolute_url',
    ],
    [
      'names in capitals',
      { http_protocol_options: { header_key_format: { proper_case_words: {} } } },
      'http_protocol_options.header_key_format',
    ],
    [
      'HTTP/1 that goes on behind what is none',
      { stream_error_on_invalid_http_message: true },
      'stream_error_on_invalid_http_message',
    ],
    [
      'addresses in another notation',
      { represent_ipv4_remote_address_as_ipv4_mapped_ipv6: true },
      'represent_ipv4_remote_address_as_ipv4_mapped_ipv6',
    ],
    [
      'Unix sockets beside networks',
      { internal_address_config: { unix_sockets: true } },
      'internal_address_config.unix_sockets',
    ],
    ['more jitter than there is time', { drain_timeout_jitter: { value: 100.5 } }, 'drain_timeout_jitter'],
    [
      'jitter that takes time away',
      { common_http_protocol_options: { max_connection_duration_jitter: { value: -1 } } },
      'common_http_protocol_options.max_connection_duration_jitter',
    ],
    [
      'checks of fields that say nothing to Envoy',
      routedBy({ strict_check_headers: ['x-envoy-max-retries', 'x-other'] }),
      'http_filters[0].typed_config.strict_check_headers[1]',
    ],
  ])('is refused by path: %s', (_what, config, path) => {
    expect(readHandler(config)).toEqual([`${HTTP}.${path}`]);
  });
});

describe('a listener', () => {
  it('chooses the most specific chain, by all that a match may say', () => {
    const match = {
      destination_port: 443,
      prefix_ranges: [{ address_prefix: '10.0.0.1', prefix_len: 32 }],
      server_names: ['*.example'],
      transport_protocol: 'tls',
      application_protocols: ['istio', 'h2'],
      direct_source_prefix_ranges: [{ address_prefix: '192.0.2.0', prefix_len: 24 }],
      source_type: 'EXTERNAL',
      source_prefix_ranges: [{ address_prefix: '203.0.113.0', prefix_len: 24 }],
      source_ports: [1, 2],
    };
    expect(
      read({
        filter_chains: [
          { name: 'a', filter_chain_match: match, filters: [tcp()], transport_socket_connect_timeout: '7s' },
          { name: 'b', filter_chain_match: { source_type: 'SAME_IP_OR_LOOPBACK' }, filters: [tcp()] },
        ],
        default_filter_chain: { name: 'd', filters: [tcp()] },
      }),
    ).toMatchObject({
      chainOrder: 'specific',
      filterChains: [
        {
          name: 'a',
          match: {
            destinationPort: 443,
            destinationCidrs: ['10.0.0.1/32'],
            serverNames: ['*.example'],
            transport: 'tls',
            applicationProtocols: ['istio', 'h2'],
            directSourceCidrs: ['192.0.2.0/24'],
            sourceType: 'external',
            sourceCidrs: ['203.0.113.0/24'],
            sourcePorts: [1, 2],
          },
          handshakeTimeoutMs: 7_000,
        },
        { name: 'b', match: { sourceType: 'local' } },
        { name: 'd' },
      ],
    });
  });

  const filter = (name: string, type: string, config: Json = {}): Json => ({
    name: `envoy.filters.listener.${name}`,
    typed_config: { '@type': `${TYPE}filters.listener.${name}.v3.${type}`, ...config },
  });

  it('asks where connections were going, before the PROXY protocol says it', () => {
    const filters = [filter('original_dst', 'OriginalDst'), filter('proxy_protocol', 'ProxyProtocol')];
    const chains = { filter_chains: [{ filters: [tcp()] }] };
    expect([
      read({ ...chains, listener_filters: filters }),
      read({ ...chains, listener_filters: filters.toReversed() }),
    ]).toMatchObject([{ originalDestination: true, proxyProtocol: {} }, ['listener_filters[1]']]);
  });

  it('reads the PROXY protocol, looks at first bytes, and says how long it waits', () => {
    expect(
      read({
        filter_chains: [{ filters: [tcp()] }],
        listener_filters: [
          filter('proxy_protocol', 'ProxyProtocol', {
            allow_requests_without_proxy_protocol: true,
            disallowed_versions: ['V1'],
          }),
          filter('tls_inspector', 'TlsInspector', { initial_read_buffer_size: 512 }),
          filter('http_inspector', 'HttpInspector'),
        ],
        listener_filters_timeout: '0s',
        continue_on_listener_filters_timeout: true,
        enable_reuse_port: true,
        connection_balance_config: { exact_balance: {} },
        max_connections_to_accept_per_socket_event: 1,
        transparent: false,
        bind_to_port: true,
        stat_prefix: 'x',
      }),
    ).toMatchObject({
      proxyProtocol: { optional: true, versions: [2] },
      firstBytesTimeoutMs: 0,
      continueWithoutFirstBytes: true,
    });
  });

  it('keeps fields of the PROXY protocol, and says which go on', () => {
    const protocol = (fields: Json): unknown => {
      const got = read({
        filter_chains: [{ filters: [tcp()] }],
        listener_filters: [filter('proxy_protocol', 'ProxyProtocol', fields)],
      });
      return Array.isArray(got) ? got : got.proxyProtocol;
    };
    expect(
      protocol({
        rules: [
          { tlv_type: 225, on_tlv_present: { key: 'a' } },
          {
            tlv_type: 226,
            on_tlv_present: { key: 'b', metadata_namespace: 'n', value_string_encoding: 'BASE64' },
          },
        ],
        pass_through_tlvs: { match_type: 'INCLUDE', tlv_type: [1] },
        tlv_location: 'FILTER_STATE',
      }),
    ).toEqual({
      tlvs: [
        { type: 225, key: 'a' },
        { type: 226, key: 'b', namespace: 'n', base64: true },
      ],
      tlvsKeptIn: 'filter-state',
      passesTlvs: [1],
    });
    expect(protocol({ pass_through_tlvs: {} })).toEqual({ passesTlvs: 'all' });
    const at = 'listener_filters[0].typed_config';
    expect(protocol({ rules: [{ tlv_type: 256, on_tlv_present: {} }] })).toEqual([
      `${at}.rules[0].tlv_type`,
      `${at}.rules[0].on_tlv_present.key`,
    ]);
  });

  it('adds fields to the PROXY protocol of what is passed on', () => {
    const added = (fields: Json): unknown => {
      const got = read({ filter_chains: [{ filters: [tcp(fields)] }] });
      if (Array.isArray(got)) return got;
      const handler = got.filterChains[0]?.handler;
      return handler?.kind === 'tcp' ? handler.proxyTlvs : undefined;
    };
    const format_string = { text_format_source: { inline_string: '%PROTOCOL%' } };
    expect(
      added({
        proxy_protocol_tlvs: [
          { type: 1, value: 'AQ==' },
          { type: 2, format_string },
        ],
        proxy_protocol_tlv_merge_policy: 'APPEND_IF_EXISTS_OR_ADD',
      }),
    ).toEqual({
      adds: [
        { type: 1, valueBase64: 'AQ==' },
        { type: 2, format: '%PROTOCOL%' },
      ],
      where: 'append',
    });
    const at = 'filter_chains[0].filters[0].typed_config.proxy_protocol_tlvs';
    expect(
      added({
        proxy_protocol_tlvs: [{ type: 256, value: 'AQ==', format_string }, { type: 1 }],
        tunneling_config: { hostname: 'a.test:1' },
      }),
    ).toEqual([at, `${at}[0].type`, `${at}[0].value`, `${at}[1].value`]);
  });

  it('is refused where its socket is to do what this proxy does not', () => {
    expect(
      read({
        filter_chains: [{ filters: [tcp()] }],
        transparent: true,
        freebind: true,
        socket_options: [{ level: '6', name: '18', int_value: '3' }],
      }),
    ).toEqual(['transparent', 'freebind', 'socket_options[0]']);
  });

  it('hands over what goes to others, and takes what others hand over', () => {
    const filter_chains = [{ filters: [tcp()] }];
    expect(read({ filter_chains, use_original_dst: true })).toMatchObject({
      handsOver: true,
      originalDestination: true,
    });
    const unbound = read({ filter_chains, bind_to_port: false });
    expect(unbound).toMatchObject({ unbound: true });
    expect(unbound).not.toHaveProperty('originalDestination');
    for (const said of [{}, { use_original_dst: false, bind_to_port: true }]) {
      const plain = read({ filter_chains, ...said });
      expect(plain).not.toHaveProperty('handsOver');
      expect(plain).not.toHaveProperty('unbound');
    }
  });

  it('looks not at the first bytes of what goes to ports at which its inspectors are off', () => {
    const off = (filter_disabled: Json): unknown => {
      const inspectors = ['tls', 'http'].map((one) => ({
        ...filter(`${one}_inspector`, one === 'tls' ? 'TlsInspector' : 'HttpInspector'),
        ...(one === 'http' && { filter_disabled }),
      }));
      const got = read({ filter_chains: [{ filters: [tcp()] }], listener_filters: inspectors });
      return Array.isArray(got) ? got : got.unlookedPorts;
    };
    const ports = (start: number, end: number): Json => ({ destination_port_range: { start, end } });
    expect(off(ports(3306, 3307))).toEqual({ http: [{ from: 3306, to: 3306 }] });
    expect(off({ or_match: { rules: [ports(1, 3), ports(3, 5), ports(10, 11)] } })).toEqual({
      http: [
        { from: 1, to: 4 },
        { from: 10, to: 10 },
      ],
    });
    expect(off({ not_match: { or_match: { rules: [ports(80, 81), ports(90, 91)] } } })).toEqual({
      http: [
        { from: 0, to: 79 },
        { from: 81, to: 89 },
        { from: 91, to: 65_535 },
      ],
    });
    expect(off({ and_match: { rules: [ports(1, 100), ports(50, 200)] } })).toEqual({
      http: [{ from: 50, to: 99 }],
    });
    expect(off({ any_match: true })).toEqual({ http: [{ from: 0, to: 65_535 }] });
    expect(off({ not_match: { any_match: true } })).toBeUndefined();
    expect(off({})).toEqual(['listener_filters[1].filter_disabled']);
    expect(off(ports(5, 5))).toEqual(['listener_filters[1].filter_disabled.destination_port_range']);
    const other = { ...filter('proxy_protocol', 'ProxyProtocol'), filter_disabled: { any_match: true } };
    expect(read({ filter_chains: [{ filters: [tcp()] }], listener_filters: [other] })).toEqual([
      'listener_filters[0].filter_disabled',
    ]);
  });

  it('takes a default chain whatever it matches, which Envoy does not look at', () => {
    const chain = { filters: [tcp()] };
    const got = read({
      filter_chains: [{ ...chain, filter_chain_match: { destination_port: 1 } }],
      default_filter_chain: { ...chain, name: 'rest', filter_chain_match: { destination_port: 2 } },
    });
    const chains = Array.isArray(got) ? got : got.filterChains;
    expect(chains[1]).toMatchObject({ name: 'rest' });
    expect(chains[1]).not.toHaveProperty('match');
  });

  it('passes bytes on as its TCP proxy says', () => {
    const handler = (config: Json): unknown => {
      const got = read({ filter_chains: [{ filters: [tcp(config)] }] });
      return Array.isArray(got) ? got : got.filterChains[0]?.handler;
    };
    expect([
      handler({
        hash_policy: [{ source_ip: {} }],
        max_connect_attempts: 3,
        max_downstream_connection_duration: '60s',
        max_downstream_connection_duration_jitter_percentage: { value: 20 },
      }),
      handler({ metadata_match: LABELS }),
      handler({
        cluster: null,
        weighted_clusters: {
          clusters: [
            { name: 'a', weight: 1, metadata_match: { filter_metadata: { 'envoy.lb': { y: 2 } } } },
            { name: 'b', weight: 3 },
          ],
        },
        metadata_match: LABELS,
      }),
      handler({ hash_policy: [{ filter_state: { key: 'k' } }] }),
    ]).toMatchObject([
      { hash: 'source-ip', maxConnectAttempts: 3, maxDurationMs: 60_000, maxDurationJitterPercent: 20 },
      { clusters: [{ name: 'c', subset: { x: '1' } }], maxConnectAttempts: 1 },
      {
        clusters: [
          { name: 'a', subset: { x: '1', y: '2' } },
          { name: 'b', weight: 3, subset: { x: '1' } },
        ],
      },
      expect.arrayContaining([`${HTTP}.hash_policy[0]`]),
    ]);
  });
});

describe('TLS that asks callers for a certificate', () => {
  const asked = (validation: Json, more: Json = {}, metadata: Json = {}): string | undefined | string[] => {
    const got = read({
      filter_chains: [
        {
          metadata: { filter_metadata: metadata },
          filters: [tcp()],
          transport_socket: {
            name: 'tls',
            typed_config: {
              '@type': `${TYPE}transport_sockets.tls.v3.DownstreamTlsContext`,
              common_tls_context: {
                tls_certificates: [
                  { certificate_chain: { filename: '/c.pem' }, private_key: { filename: '/k.pem' } },
                ],
                validation_context: { trusted_ca: { filename: '/ca.pem' }, ...validation },
              },
              ...more,
            },
          },
        },
      ],
    });
    return Array.isArray(got) ? got : (got.filterChains[0]?.tls?.clientCertificate ?? 'require');
  };
  const names = { match_typed_subject_alt_names: [{ san_type: 'DNS', matcher: { exact: 'a.test' } }] };
  const hash = { verify_certificate_hash: ['ab'.repeat(32)] };

  it('takes callers without one, unless it is required, or names or hashes say whose it has to be', () => {
    expect(asked({})).toBe('accept');
    expect(asked({}, { require_client_certificate: true })).toBe('require');
    expect(asked(names)).toBe('require');
    expect(asked(hash)).toBe('require');
    expect(asked(names, { require_client_certificate: false })).toBe('require');
    // As Tulle's control plane says it.
    expect(asked(names, {}, { 'tulle.dev': { certificateIfShown: true } })).toBe('accept');
  });
});

it('a TCP proxy may wait before it tries another endpoint', () => {
  const of = (backoff_options: Json): unknown => {
    const got = read({ filter_chains: [{ filters: [tcp({ backoff_options })] }] });
    if (Array.isArray(got)) return got;
    const handler = got.filterChains[0]?.handler;
    return handler?.kind === 'tcp' ? handler.connectBackoff : undefined;
  };
  const at = `${HTTP}.backoff_options`;
  expect([
    of({ base_interval: '1s' }),
    of({ base_interval: '1s', max_interval: '1s' }),
    of({ base_interval: '0.0005s' }),
    of({ max_interval: '1s' }),
    of({ base_interval: '1s', max_interval: '0.9s' }),
  ]).toEqual([
    { baseMs: 1_000 },
    { baseMs: 1_000, maxMs: 1_000 },
    [`${at}.base_interval`],
    [`${at}.base_interval`],
    [`${at}.max_interval`],
  ]);
});

it('a TCP proxy may lead through others', () => {
  const of = (tunneling_config: Json): unknown => {
    const got = read({ filter_chains: [{ filters: [tcp({ tunneling_config })] }] });
    if (Array.isArray(got)) return got;
    const handler = got.filterChains[0]?.handler;
    return handler?.kind === 'tcp' ? handler.tunnel : undefined;
  };
  expect([
    of({ hostname: 'db.example:5432' }),
    of({ hostname: '%REQUESTED_SERVER_NAME%:443', use_post: true }),
    of({
      hostname: 'a',
      use_post: true,
      post_path: '/p',
      headers_to_add: [{ header: { key: 'x-a', value: '%DOWNSTREAM_LOCAL_PORT%' } }],
    }),
  ]).toEqual([
    { authority: 'db.example:5432' },
    { authority: '%REQUESTED_SERVER_NAME%:443', post: {} },
    {
      authority: 'a',
      post: { path: '/p' },
      headers: { add: [{ name: 'x-a', value: '%DOWNSTREAM_LOCAL_PORT%', format: true }] },
    },
  ]);
  const at = `${HTTP}.tunneling_config`;
  expect([of({}), of({ hostname: 'a:1', post_path: '/p' })]).toEqual([
    [`${at}.hostname`],
    [`${at}.post_path`],
  ]);
  expect([
    of({ hostname: 'a:1', propagate_response_headers: true }),
    of({ hostname: 'a:1', propagate_response_headers: true, propagate_response_trailers: true }),
  ]).toEqual([
    { authority: 'a:1', keeps: ['head'] },
    { authority: 'a:1', keeps: ['head', 'trailers'] },
  ]);
});

it('a TCP proxy may log connections that go on', () => {
  const of = (config: Json): unknown => {
    const got = read({ filter_chains: [{ filters: [tcp(config)] }] });
    if (Array.isArray(got)) return got;
    const handler = got.filterChains[0]?.handler;
    return handler?.kind === 'tcp' ? handler.logMoments : undefined;
  };
  const options = (access_log_options: Json, more: Json = {}): unknown => of({ access_log_options, ...more });
  expect([
    options({}),
    options({ flush_access_log_on_connected: true }),
    options({ access_log_flush_interval: '1.5s' }),
    of({ flush_access_log_on_connected: true, access_log_flush_interval: '2s' }),
    options({ flush_access_log_on_start: true }),
  ]).toEqual([
    undefined,
    { connected: true },
    { everyMs: 1_500 },
    { connected: true, everyMs: 2_000 },
    { start: true },
  ]);
  expect([
    options({ access_log_flush_interval: '0s' }),
    of({ access_log_flush_interval: '0s' }),
    options({}, { flush_access_log_on_connected: true }),
  ]).toEqual([
    [`${HTTP}.access_log_options.access_log_flush_interval`],
    [`${HTTP}.access_log_flush_interval`],
    [`${HTTP}.access_log_options`],
  ]);
});

it('an HttpConnectionManager may log requests that go on', () => {
  const of = (config: Json): unknown => {
    const got = readHandler(config);
    return Array.isArray(got) ? got : got.logMoments;
  };
  const options = (access_log_options: Json, more: Json = {}): unknown => of({ access_log_options, ...more });
  expect([
    options({}),
    options({ flush_access_log_on_new_request: true, access_log_flush_interval: '1.5s' }),
    options({ flush_log_on_tunnel_successfully_established: true }),
    of({ flush_access_log_on_new_request: true, access_log_flush_interval: '2s' }),
  ]).toEqual([undefined, { start: true, everyMs: 1_500 }, { tunnel: true }, { start: true, everyMs: 2_000 }]);
  expect([
    options({ access_log_flush_interval: '0s' }),
    of({ access_log_flush_interval: '0s' }),
    options({}, { access_log_flush_interval: '2s' }),
    options({}, { flush_access_log_on_new_request: true }),
  ]).toEqual([
    [`${HTTP}.access_log_options.access_log_flush_interval`],
    [`${HTTP}.access_log_flush_interval`],
    [`${HTTP}.access_log_options`],
    [`${HTTP}.access_log_options`],
  ]);
});
