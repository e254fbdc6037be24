import { fromJson, type JsonObject } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { ListenerSchema } from '@tulle/xds-proto/envoy/config/listener/v3/listener';
import { ClusterProvidedSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/cluster_provided/v3/cluster_provided';
import { TcpProtocolOptionsSchema } from '@tulle/xds-proto/envoy/extensions/upstreams/tcp/v3/tcp_protocol_options';
import { describe, expect, it } from 'vitest';
import { createResourceDecoder } from '../src/decode/resource.ts';
import { clusterOf, refusedAt } from './envoy-json.ts';

const KEEPALIVE = [
  { level: 1, name: 9, int_value: 1, state: 'STATE_PREBIND' },
  { level: 6, name: 4, int_value: 30, state: 'STATE_LISTENING' },
  { level: 6, name: 5, int_value: 5, state: 'STATE_BOUND' },
  { level: 6, name: 6, int_value: 3, description: 'probes' },
];

function listener(json: JsonObject) {
  const message = fromJson(ListenerSchema, {
    name: 'l',
    address: { socket_address: { address: '127.0.0.1', port_value: 1 } },
    ...json,
  });
  return createResourceDecoder().decode('listener', anyPack(ListenerSchema, message), { kind: 'ads' });
}
const listenerOf = (json: JsonObject): object => {
  const decoded = listener(json);
  return decoded.ok ? decoded.resource : decoded.issues;
};
const refusals = (json: JsonObject): string[] => {
  const decoded = listener(json);
  return decoded.ok ? [] : decoded.issues.map(({ path }) => path);
};

describe('options of sockets', () => {
  it('that say how silent connections are asked are those of accepted connections', () => {
    expect(listenerOf({ socket_options: KEEPALIVE })).toMatchObject({
      tcpKeepalive: { idleMs: 30_000, intervalMs: 5_000, probes: 3 },
    });
  });

  it('do nothing without SO_KEEPALIVE, as in the kernel', () => {
    expect(listenerOf({ socket_options: KEEPALIVE.slice(1) })).not.toHaveProperty('tcpKeepalive');
    expect(
      listenerOf({ socket_options: [...KEEPALIVE, { level: 1, name: 9, int_value: 0 }] }),
    ).not.toHaveProperty('tcpKeepalive');
  });

  it('are taken where every socket here has them, and where they are for datagrams', () => {
    const options = [
      { level: 6, name: 1, int_value: 1 },
      { level: 1, name: 2, int_value: 1 },
      { level: 17, name: 103, int_value: 1, type: { datagram: {} } },
    ];
    expect(refusals({ socket_options: options })).toEqual([]);
  });

  it('are refused by their path where Node cannot set them', () => {
    expect(
      refusals({
        socket_options: [
          { level: 6, name: 18, int_value: 1 },
          { level: 6, name: 1, int_value: 0 },
          { level: 6, name: 4, buf_value: 'AAAA' },
          { level: 6, name: 6, int_value: 0 },
          { level: 1, name: 9, int_value: 1, ip_version: 'SOCKET_IP_VERSION_IPV4' },
        ],
      }),
    ).toEqual([
      'socket_options[0]',
      'socket_options[1].int_value',
      'socket_options[2].buf_value',
      'socket_options[3].int_value',
      'socket_options[4].ip_version',
    ]);
    expect(
      refusals({
        address: { socket_address: { protocol: 'UDP', address: '127.0.0.1', port_value: 1 } },
        socket_options: KEEPALIVE,
      }),
    ).toContain('socket_options');
  });

  it('of a cluster are added to its keepalive, and win over it', () => {
    expect(
      clusterOf({
        upstream_connection_options: { tcp_keepalive: { keepalive_time: 60, keepalive_probes: 9 } },
        upstream_bind_config: { freebind: false, socket_options: [{ level: 6, name: 4, int_value: 10 }] },
      }).pool,
    ).toEqual({ tcpKeepalive: { idleMs: 10_000, probes: 9 } });
    expect(
      refusedAt({ upstream_bind_config: { freebind: true, socket_options: [{ level: 1, name: 36 }] } }),
    ).toEqual(['upstream_bind_config.socket_options[0]', 'upstream_bind_config.freebind']);
  });
});

it('listeners say that load is not shed at their cost, and what statistics call them', () => {
  expect(
    listenerOf({ ignore_global_conn_limit: true, bypass_overload_manager: true, stat_prefix: 'probes' }),
  ).toMatchObject({
    ignoresConnectionLimit: true,
    bypassesOverload: true,
    statPrefix: 'probes',
  });
});

it('clusters say what statistics call them', () => {
  expect(clusterOf({ alt_stat_name: 'outbound|80||a;' })).toMatchObject({
    name: 'c',
    statName: 'outbound|80||a;',
  });
});

it('what would be reported of load is taken, as there are no reports, from nowhere but self', () => {
  expect(refusedAt({ lrs_server: { self: {} }, lrs_report_endpoint_metrics: ['cpu'] })).toEqual([]);
  expect(refusedAt({ lrs_server: { ads: {} } })).toEqual(['lrs_server']);
});

it('how long connections without a caller are kept is taken, as there are none', () => {
  const options = (key: string, type: string): JsonObject => ({
    typed_extension_protocol_options: {
      [key]: { '@type': `type.googleapis.com/${type}`, idle_timeout: '1s' },
    },
  });
  const TCP = 'envoy.extensions.upstreams.tcp.v3.TcpProtocolOptions';
  expect(clusterOf(options(TCP, TCP), TcpProtocolOptionsSchema)).not.toHaveProperty('pool');
  expect(refusedAt(options('other', TCP), TcpProtocolOptionsSchema)).toEqual([
    'typed_extension_protocol_options["other"]',
  ]);
});

it('the older fields of protocols are read', () => {
  expect(clusterOf({ protocol_selection: 'USE_DOWNSTREAM_PROTOCOL' }).pool).toEqual({
    protocol: 'downstream',
  });
  expect(refusedAt({ http_protocol_options: {} })).toEqual([]);
  expect(refusedAt({ http_protocol_options: { accept_http_10: true } })).toEqual([
    'http_protocol_options.accept_http_10',
  ]);
});

it('signs of life over HTTP/2 are asked for with jitter, and as requests begin', () => {
  const keepalive = (fields: JsonObject): JsonObject => ({
    http2_protocol_options: { connection_keepalive: fields },
  });
  expect(
    clusterOf(
      keepalive({
        interval: '30s',
        timeout: '5s',
        interval_jitter: { value: 5 },
        connection_idle_interval: '60s',
      }),
    ).pool?.http2,
  ).toEqual({
    keepalive: { intervalMs: 30_000, timeoutMs: 5_000, jitterPercent: 5, idleIntervalMs: 60_000 },
  });
  expect(clusterOf(keepalive({ timeout: '5s', connection_idle_interval: '60s' })).pool?.http2).toEqual({
    keepalive: { timeoutMs: 5_000, idleIntervalMs: 60_000 },
  });
  expect(refusedAt(keepalive({ interval: '30s' }))).toEqual([
    'http2_protocol_options.connection_keepalive.timeout',
  ]);
});

it('a kind of cluster that brings its own policy may say so in either form', () => {
  const provided = {
    load_balancing_policy: {
      policies: [
        {
          typed_extension_config: {
            name: 'p',
            typed_config: { '@type': `type.googleapis.com/${ClusterProvidedSchema.typeName}` },
          },
        },
      ],
    },
  };
  expect(clusterOf({ type: 'ORIGINAL_DST', ...provided }, ClusterProvidedSchema)).not.toHaveProperty(
    'balance',
  );
  expect(refusedAt({ type: 'STATIC', ...provided }, ClusterProvidedSchema)).toEqual([
    'load_balancing_policy',
  ]);
});
