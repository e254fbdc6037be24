import { describe, expect, it } from 'vitest';
import { clusterOf, refusedAt } from './envoy-json.ts';

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
        dns_failure_refresh_rate: { base_interval: '2s', max_interval: '10s' },
      }).discovery,
    ).toMatchObject({
      use: 'first',
      family: 'v4',
      refreshMs: 7_000,
      respectTtl: true,
      failureRefresh: { baseMs: 2_000, maxMs: 10_000 },
    });
    expect(clusterOf({ type: 'STRICT_DNS', dns_lookup_family: 'ALL' }).discovery).not.toHaveProperty(
      'family',
    );
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
