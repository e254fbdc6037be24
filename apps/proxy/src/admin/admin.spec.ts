import type { ProxyConfig } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import { certificatesPage, daysLeft } from './certificates-page.ts';
import { splitAddress } from './listeners-page.ts';
import { redactJson } from './redact.ts';
import { circuitStats, remainingTracked } from './stats/circuit-stats.ts';
import { clusterNames } from './cluster-names.ts';
import { envoyStats } from './stats/envoy-stats.ts';
import { parseMetrics } from './stats/metrics-text.ts';
import { statsJson, statsPrometheus, statsText } from './stats/render.ts';
import { quantileOf } from './stats/stat.ts';

const config = {
  listeners: [
    {
      name: 'front',
      address: { host: '0.0.0.0', port: 0 },
      filterChains: [
        {
          name: 'c',
          handler: {
            kind: 'http',
            statPrefix: 'ingress',
            filters: [],
            routes: { name: 'r', virtualHosts: [] },
          },
        },
      ],
    },
  ],
  clusters: [{ name: 'a' }],
} as unknown as ProxyConfig;

const METRICS = `# HELP tulle_cluster_upstream_rq_xx_total Attempts
# TYPE tulle_cluster_upstream_rq_xx_total counter
tulle_cluster_upstream_rq_xx_total{cluster="a.\\"b",response_code_class="2xx"} 3
tulle_cluster_upstream_rq_xx_total{cluster="a.\\"b",response_code_class="5xx"} 1
# TYPE tulle_cluster_upstream_cx_total counter
tulle_cluster_upstream_cx_total{cluster="a"} 2
# TYPE tulle_cluster_upstream_cx_connect_fail_total counter
tulle_cluster_upstream_cx_connect_fail_total{cluster="a"} 1
# TYPE tulle_cluster_upstream_cx_idle_retired_total counter
tulle_cluster_upstream_cx_idle_retired_total{cluster="a"} 9
# TYPE tulle_cluster_upstream_rq_retry_refused_total counter
tulle_cluster_upstream_rq_retry_refused_total{cluster="a",reason="budget"} 4
tulle_cluster_upstream_rq_retry_refused_total{cluster="a",reason="unsafe"} 5
# TYPE tulle_cluster_health_check_attempt_total counter
tulle_cluster_health_check_attempt_total{cluster="a"} 6
# TYPE tulle_cluster_upstream_rq_time_seconds histogram
tulle_cluster_upstream_rq_time_seconds_bucket{cluster="a",le="0.001"} 1
tulle_cluster_upstream_rq_time_seconds_bucket{cluster="a",le="0.01"} 3
tulle_cluster_upstream_rq_time_seconds_bucket{cluster="a",le="+Inf"} 4
tulle_cluster_upstream_rq_time_seconds_sum{cluster="a"} 0.5
tulle_cluster_upstream_rq_time_seconds_count{cluster="a"} 4
# TYPE tulle_listener_downstream_cx_total counter
tulle_listener_downstream_cx_total{listener="front"} 7
# TYPE tulle_listener_downstream_cx_active gauge
tulle_listener_downstream_cx_active{listener="front"} 3
# TYPE tulle_listener_downstream_cx_total counter
tulle_listener_downstream_cx_total{listener="gone"} 1
# TYPE tulle_requests_total counter
tulle_requests_total{listener="front",response_code="200",route="x"} 5
tulle_requests_total{listener="front",response_code="204",route="y"} 1
`;

describe('the engine’s metrics', () => {
  const stats = envoyStats(parseMetrics(METRICS), config, new Map([['front', '0.0.0.0:10000']]));
  const text = statsText(stats);

  it('have Envoy’s names, and what Envoy does not count is left out', () => {
    expect(text.split('\n')).toEqual([
      'cluster.a."b.upstream_rq_2xx: 3',
      'cluster.a."b.upstream_rq_5xx: 1',
      'cluster.a."b.upstream_rq_completed: 4',
      'cluster.a.health_check.attempt: 6',
      'cluster.a.upstream_cx_connect_fail: 1',
      'cluster.a.upstream_cx_total: 2',
      'cluster.a.upstream_rq_retry_overflow: 4',
      'cluster_manager.active_clusters: 1',
      'http.ingress.downstream_cx_active: 3',
      'http.ingress.downstream_cx_destroy: 4',
      'http.ingress.downstream_cx_total: 7',
      'http.ingress.downstream_rq_2xx: 6',
      'http.ingress.downstream_rq_completed: 6',
      'listener.0.0.0.0_10000.downstream_cx_active: 3',
      'listener.0.0.0.0_10000.downstream_cx_destroy: 4',
      'listener.0.0.0.0_10000.downstream_cx_total: 7',
      'listener_manager.total_listeners_active: 1',
      expect.stringMatching(
        /^cluster\.a\.upstream_rq_time: P0\(nan,0\) P25\(nan,1\) P50\(nan,5\.5\) P75\(nan,10\) .*P100\(nan,10\)$/,
      ),
      '',
    ]);
  });

  it('call clusters and listeners what the configuration says that they are to be called', () => {
    const [front] = config.listeners;
    const called = envoyStats(parseMetrics(METRICS), {
      listeners: front === undefined ? [] : [{ ...front, statPrefix: 'edge' }],
      clusters: [
        { name: 'a', discovery: { kind: 'static', endpoints: [] }, statName: 'outbound|80||a;' },
        { name: 'a."b', discovery: { kind: 'static', endpoints: [] }, statName: 'x:y' },
      ],
    });
    const names = called.map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining([
        'cluster.outbound|80||a;.upstream_cx_total',
        'cluster.x_y.upstream_rq_2xx',
        'listener.edge.downstream_cx_total',
      ]),
    );
    expect(names.filter((name) => /cluster\.a\.|0\.0\.0\.0/.test(name))).toEqual([]);
    expect(statsPrometheus(called)).toContain(
      'envoy_cluster_upstream_cx_total{envoy_cluster_name="outbound|80||a;"} 2\n',
    );
  });

  it('are given to Prometheus with Envoy’s tags', () => {
    const page = statsPrometheus(stats);
    expect(page).toContain(
      '# TYPE envoy_cluster_upstream_rq_xx counter\nenvoy_cluster_upstream_rq_xx{envoy_cluster_name="a.\\"b",envoy_response_code_class="2"} 3\n',
    );
    expect(page).toContain('envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="a",le="10"} 3\n');
    expect(page).toContain(
      '# TYPE envoy_listener_downstream_cx_destroy counter\nenvoy_listener_downstream_cx_destroy{envoy_listener_address="0.0.0.0_10000"} 4\n',
    );
    expect(page).toContain('envoy_cluster_upstream_rq_time_sum{envoy_cluster_name="a"} 500\n');
    expect(page).toContain(
      'envoy_http_downstream_rq_xx{envoy_http_conn_manager_prefix="ingress",envoy_response_code_class="2"} 6\n',
    );
  });

  it('are JSON with Envoy’s percentiles', () => {
    const { stats: list } = statsJson(stats) as { stats: readonly Record<string, unknown>[] };
    expect(list[0]).toEqual({ name: 'cluster.a."b.upstream_rq_2xx', value: 3 });
    expect(list.at(-1)).toMatchObject({
      histograms: { supported_quantiles: [0, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 100] },
    });
  });

  it('have no percentiles of nothing', () => {
    expect(quantileOf({ buckets: [{ le: 1, count: 0 }], count: 0, sum: 0 }, 50)).toBeUndefined();
    expect(
      statsText([
        {
          kind: 'histogram',
          name: 'h',
          tagless: 'h',
          tags: {},
          histogram: { buckets: [], count: 0, sum: 0 },
        },
      ]),
    ).toBe('h: No recorded values\n');
  });
});

describe('a dump', () => {
  it('has no secret, wherever it stands, and still says where it is read from', () => {
    const dump = redactJson({
      tls_certificate: {
        certificate_chain: { inline_string: 'chain' },
        private_key: { inline_string: 'key' },
        password: { inline_bytes: 'a2V5' },
      },
      other: { private_key: { filename: '/k.pem' } },
      session_ticket_keys: { keys: [{ inline_string: 'ticket' }] },
      selectors: [{ keys: ['version'] }],
      generic_secret: { secret: { inline_string: 'generic' } },
      request_headers_to_add: [
        { header: { key: 'Authorization', value: 'Bearer x' } },
        { header: { key: 'cookie', raw_value: 'eA==' } },
        { name: 'authorization', value: 'Bearer y' },
        { kty: 'oct', kid: 'one', k: 'c2VjcmV0' },
        { header: { key: 'x-plain', value: 'y' } },
      ],
    });
    expect(dump).toEqual({
      tls_certificate: {
        certificate_chain: { inline_string: 'chain' },
        private_key: { inline_string: '[redacted]' },
        password: { inline_bytes: Buffer.from('[redacted]').toString('base64') },
      },
      other: { private_key: { filename: '/k.pem' } },
      session_ticket_keys: { keys: [{ inline_string: '[redacted]' }] },
      selectors: [{ keys: ['version'] }],
      generic_secret: { secret: { inline_string: '[redacted]' } },
      request_headers_to_add: [
        { header: { key: 'Authorization', value: '[redacted]' } },
        { header: { key: 'cookie', raw_value: Buffer.from('[redacted]').toString('base64') } },
        { name: 'authorization', value: '[redacted]' },
        { kty: 'oct', kid: 'one', k: '[redacted]' },
        { header: { key: 'x-plain', value: 'y' } },
      ],
    });
  });
});

describe('certificates and addresses', () => {
  it('are told as Envoy tells them', () => {
    const page = {
      certificates: [
        { source: 'files', spiffeId: undefined, serial: 'AB', notBeforeMs: 0, notAfterMs: 86_400_000 * 3 },
        {
          source: 'trust',
          spiffeId: 'spiffe://t/x',
          serial: 'CD',
          notBeforeMs: 0,
          notAfterMs: 86_400_000 * 9,
        },
      ],
    };
    expect(certificatesPage(page, 0)).toMatchObject({
      certificates: [
        {
          cert_chain: [
            { serial_number: 'ab', days_until_expiration: '3', expiration_time: '1970-01-04T00:00:00Z' },
          ],
        },
        { ca_cert: [{ serial_number: 'cd', subject_alt_names: [{ uri: 'spiffe://t/x' }] }] },
      ],
    });
    expect(daysLeft(page, 0)).toBe(3);
    expect(daysLeft({}, 0)).toBeUndefined();
    expect(splitAddress('[::1]:80')).toEqual({ host: '::1', port: 80 });
    expect(splitAddress('10.0.0.1:80')).toEqual({ host: '10.0.0.1', port: 80 });
    expect(splitAddress('unix:/run/a.sock')).toEqual({ path: '/run/a.sock' });
  });
});

it('tells which circuit breakers are open, of each priority by itself', () => {
  const limits = { maxConnections: 2, maxPendingRequests: 3, maxRequests: 4, maxRetries: 1 };
  const cluster = {
    name: 'a',
    connections: 2,
    pending: 3,
    requests: 5,
    retries: 1,
    highPending: 1,
    highRequests: 1,
    highRetries: 0,
    limits,
    highLimits: { maxConnections: 9, maxPendingRequests: 1, maxRequests: 2 },
  };
  const stats = circuitStats({ clusters: [cluster] }, clusterNames([]), () => false);
  expect(Object.fromEntries(stats.map((stat) => [stat.name, 'value' in stat && stat.value]))).toEqual({
    'cluster.a.circuit_breakers.default.cx_open': 1,
    'cluster.a.circuit_breakers.default.cx_pool_open': 0,
    'cluster.a.circuit_breakers.default.rq_open': 1,
    'cluster.a.circuit_breakers.default.rq_pending_open': 0,
    'cluster.a.circuit_breakers.default.rq_retry_open': 1,
    'cluster.a.circuit_breakers.high.cx_open': 0,
    'cluster.a.circuit_breakers.high.cx_pool_open': 0,
    'cluster.a.circuit_breakers.high.rq_open': 0,
    'cluster.a.circuit_breakers.high.rq_pending_open': 1,
  });
  const calm = { ...cluster, name: 'b', connections: 0, pending: 0, requests: 0, retries: 0 };
  const together = circuitStats(
    { clusters: [cluster, calm] },
    clusterNames([
      { name: 'a', statName: 'both' },
      { name: 'b', statName: 'both' },
    ]),
    remainingTracked([
      { name: 'a', limits: { trackRemaining: true } },
      { name: 'b', limits: { trackRemaining: true } },
    ]),
  );
  expect(together.filter(({ name }) => name.endsWith('default.cx_open'))).toMatchObject([
    { name: 'cluster.both.circuit_breakers.default.cx_open', value: 1 },
  ]);
  expect(
    Object.fromEntries(
      together
        .filter(({ name }) => name.includes('remaining'))
        .map((stat) => [
          stat.name.replace('cluster.both.circuit_breakers.', ''),
          'value' in stat && stat.value,
        ]),
    ),
  ).toEqual({
    'default.remaining_cx': 0,
    'default.remaining_pending': 1,
    'default.remaining_rq': 0,
    'default.remaining_retries': 0,
  });
  expect(statsPrometheus(stats)).toContain(
    'envoy_cluster_circuit_breakers_high_rq_pending_open{envoy_cluster_name="a"} 1',
  );
});
