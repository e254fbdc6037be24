import { describe, expect, it } from 'vitest';
import { parseMetricsPage, streamRecord, type ParsedSample } from '@tulle/testkit';
import { prometheus, type PrometheusOptions, type PrometheusPlugin } from './prometheus.ts';

const START = 1_700_000_000_000;
const plugin = (options: PrometheusOptions = {}): PrometheusPlugin =>
  prometheus({
    self: { workload: 'web', namespace: 'default' },
    processMetrics: false,
    epochMs: () => START,
    ...options,
  });

const samples = (of: PrometheusPlugin, name: string): ParsedSample[] => {
  const text = [...(of.adminPages[0]?.render(new URLSearchParams()) ?? [])].join('');
  return [...parseMetricsPage(text, 'prometheus').values()]
    .flatMap((f) => f.samples)
    .filter((s) => s.name === name);
};

describe('prometheus exporter', () => {
  it('counts a request by who called whom, which version answered and how it ended', () => {
    const exporter = plugin();
    exporter.sink.record(streamRecord());
    exporter.sink.record(streamRecord());
    expect(samples(exporter, 'tulle_requests_total')).toEqual([
      {
        name: 'tulle_requests_total',
        value: 2,
        labels: {
          direction: 'outbound',
          listener: 'outbound',
          route: 'reviews-route',
          cluster: 'outbound|8080||reviews.default.svc.mesh.local',
          source_workload: 'web',
          source_namespace: 'default',
          destination_service: 'reviews',
          destination_workload: 'reviews-v2',
          destination_namespace: 'default',
          destination_version: 'v2',
          response_code: '200',
          grpc_status: '',
          protocol: 'http',
          outcome: 'success',
          flags: '',
          code: '',
          connection_security: 'mutual_tls',
        },
      },
    ]);
    const [count] = samples(exporter, 'tulle_request_duration_seconds_count');
    expect([count?.value, count?.labels['destination_version'], count?.labels['outcome']]).toEqual([
      2,
      'v2',
      'success',
    ]);
    expect(samples(exporter, 'tulle_request_duration_seconds_sum')[0]?.value).toBeCloseTo(0.024);
    expect(samples(exporter, 'tulle_response_body_bytes_total')[0]?.value).toBe(200);
  });

  it('names the caller by its proven identity on the inbound side, and itself as the called', () => {
    const exporter = plugin();
    exporter.sink.record(
      streamRecord({
        direction: 'inbound',
        peerIdentity: 'spiffe://mesh.local/ns/shop/sa/cart',
        cluster: 'inbound|8080||web.default.svc.mesh.local',
        upstreamLabels: {},
        upstreamIdentity: undefined,
        tls: true,
      }),
    );
    exporter.sink.record(
      streamRecord({
        direction: 'inbound',
        cluster: 'inbound|8080||',
        upstreamLabels: {},
        upstreamIdentity: undefined,
      }),
    );
    const [cart, nobody] = samples(exporter, 'tulle_requests_total').map((s) => s.labels);
    expect(cart).toMatchObject({
      source_workload: 'cart',
      source_namespace: 'shop',
      destination_service: 'web',
      destination_workload: 'web',
      connection_security: 'mutual_tls',
    });
    expect(nobody).toMatchObject({
      source_workload: 'unknown',
      source_namespace: 'unknown',
      connection_security: 'none',
    });
  });

  it('tells failures from successes as Linkerd does, with flags and error code', () => {
    const exporter = plugin();
    const count = (record: Parameters<typeof streamRecord>[0]): void =>
      exporter.sink.record(streamRecord(record));
    count({ status: 404 });
    count({ status: 503, code: 'TULLE_UPSTREAM_NO_ENDPOINT', flags: ['UH', 'URX'] });
    count({ status: 0, code: 'TULLE_DOWNSTREAM_CLOSED', flags: ['DC'] });
    count({ grpcStatus: 0 });
    count({ grpcStatus: 14 });
    count({ grpcStatus: 4000 });
    expect(
      samples(exporter, 'tulle_requests_total').map(({ labels: l }) => [
        l['response_code'],
        l['grpc_status'],
        l['flags'],
        l['code'],
        l['outcome'],
      ]),
    ).toEqual([
      ['404', '', '', '', 'success'],
      ['503', '', 'UH,URX', 'TULLE_UPSTREAM_NO_ENDPOINT', 'failure'],
      ['0', '', 'DC', 'TULLE_DOWNSTREAM_CLOSED', 'failure'],
      ['200', '0', '', '', 'success'],
      ['200', '14', '', '', 'failure'],
      ['200', '4000', '', '', 'failure'],
    ]);
  });

  it('measures what the proxy adds until the response begins, and only where an endpoint answered', () => {
    const exporter = plugin();
    exporter.sink.record(streamRecord({ firstByteMs: 12, upstreamServiceMs: 9 }));
    exporter.sink.record(streamRecord({ firstByteMs: 9, upstreamServiceMs: 9.5 })); // clocks are read by turns
    exporter.sink.record(streamRecord({ firstByteMs: 1, upstreamServiceMs: -1 }));
    exporter.sink.record(streamRecord({ firstByteMs: -1, upstreamServiceMs: -1 }));
    const name = 'tulle_proxy_added_latency_seconds';
    expect(samples(exporter, `${name}_count`)).toMatchObject([
      { labels: { direction: 'outbound' }, value: 2 },
    ]);
    expect(samples(exporter, `${name}_sum`)[0]?.value).toBeCloseTo(0.003);
  });

  it('counts attempts, retries and refused retries by cluster', () => {
    const exporter = plugin();
    const attempt = { cluster: 'c', address: 'h:1', startMs: 0, durationMs: 1, reused: false, spanId: '' };
    exporter.sink.record(
      streamRecord({
        attempts: [
          { ...attempt, status: 0, grpcStatus: -1, failure: 'TULLE_UPSTREAM_CONNECT' },
          { ...attempt, status: 503, grpcStatus: -1, failure: '' },
        ],
        retryRefused: 'budget',
      }),
    );
    expect(
      samples(exporter, 'tulle_upstream_attempts_total').map(({ labels: l, value }) => [
        l['response_code'],
        l['failure'],
        value,
      ]),
    ).toEqual([
      ['', 'TULLE_UPSTREAM_CONNECT', 1],
      ['503', '', 1],
    ]);
    expect(samples(exporter, 'tulle_upstream_retries_total')[0]?.value).toBe(1);
    expect(samples(exporter, 'tulle_upstream_retries_refused_total')[0]).toMatchObject({
      labels: { cluster: 'c', reason: 'budget' },
      value: 1,
    });
  });

  it('keeps TCP connections under names of their own, without a response code', () => {
    const exporter = plugin();
    exporter.sink.record(
      streamRecord({ kind: 'tcp', protocol: 'TCP', status: 0, bytesReceived: 5, bytesSent: 7 }),
    );
    expect(samples(exporter, 'tulle_requests_total')).toEqual([]);
    const [connection] = samples(exporter, 'tulle_tcp_connections_total');
    expect(connection?.labels).not.toHaveProperty('response_code');
    expect(connection?.labels['outcome']).toBe('success');
    expect([
      samples(exporter, 'tulle_tcp_received_bytes_total')[0]?.value,
      samples(exporter, 'tulle_tcp_sent_bytes_total')[0]?.value,
    ]).toEqual([5, 7]);
  });

  it('treats equal labels in different objects as one destination', () => {
    const exporter = plugin();
    exporter.sink.record(streamRecord({ upstreamLabels: { service: 's', version: 'v1' } }));
    exporter.sink.record(streamRecord({ upstreamLabels: { service: 's', version: 'v1' } }));
    expect(samples(exporter, 'tulle_requests_total').map((s) => s.value)).toEqual([2]);
  });

  it('forgets what has been idle for ten minutes, keeps the rest, and starts again from nothing', () => {
    let now = START;
    const exporter = plugin({ epochMs: () => now });
    exporter.sink.record(streamRecord({ upstreamLabels: { version: 'old' } }));
    exporter.sink.record(streamRecord({ upstreamLabels: { version: 'new' }, startEpochMs: START + 590_000 }));
    now += 600_100;
    const versions = (): (string | undefined)[] =>
      samples(exporter, 'tulle_requests_total').map((s) => `${s.labels['destination_version']} ${s.value}`);
    expect(versions()).toEqual(['new 1']);
    exporter.sink.record(streamRecord({ upstreamLabels: { version: 'old' }, startEpochMs: now }));
    expect(versions().toSorted((a = '', b = '') => (a < b ? -1 : 1))).toEqual(['new 1', 'old 1']);
    now += 2_000_000;
    expect(versions()).toEqual([]);
    expect(exporter.meter.seriesCount).toBe(4); // its own three, and the time that the proxy adds
  });

  it('stays within its bound when callers vary without end, says so, and recovers when they are gone', () => {
    let now = START;
    const exporter = plugin({ maxSeries: 100, epochMs: () => now });
    for (let i = 0; i < 1000; i++)
      exporter.sink.record(
        streamRecord({ direction: 'inbound', peerIdentity: `spiffe://mesh.local/ns/n/sa/s${i}` }),
      );
    expect(exporter.meter.seriesCount).toBe(100);
    expect(samples(exporter, 'tulle_telemetry_dropped_updates_total')[0]?.value).toBeGreaterThan(900);
    now += 700_000;
    expect(samples(exporter, 'tulle_requests_total')).toEqual([]);
    exporter.sink.record(streamRecord({ startEpochMs: now }));
    expect(samples(exporter, 'tulle_requests_total')).toHaveLength(1);
  });

  it('serves the same numbers as OpenMetrics, and its process and build when asked', () => {
    const exporter = plugin({ processMetrics: true, buildVersion: '0.1.0' });
    exporter.sink.record(streamRecord());
    const text = [...(exporter.adminPages[1]?.render(new URLSearchParams()) ?? [])].join('');
    const families = parseMetricsPage(text, 'openmetrics');
    expect(families.get('tulle_requests')?.samples[0]?.value).toBe(1);
    expect(families.get('tulle_build_info')?.samples[0]?.labels).toEqual({ version: '0.1.0' });
    expect(families.get('process_resident_memory_bytes')?.samples[0]?.value).toBeGreaterThan(1e6);
  });
});
