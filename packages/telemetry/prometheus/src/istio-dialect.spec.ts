import { parseMetricsPage, streamRecord, type ParsedSample } from '@tulle/testkit';
import { describe, expect, it } from 'vitest';
import { prometheus, type PrometheusOptions, type PrometheusPlugin } from './prometheus.ts';

const NOW = 1_700_000_000_000;
const plugin = (options: PrometheusOptions = {}): PrometheusPlugin =>
  prometheus({
    self: {
      workload: 'web-v1',
      app: 'web',
      service: 'web',
      namespace: 'shop',
      version: 'v1',
      cluster: 'east',
      principal: 'spiffe://mesh.local/ns/shop/sa/web',
    },
    dialects: ['istio'],
    processMetrics: false,
    epochMs: () => NOW,
    ...options,
  });

const samples = (of: PrometheusPlugin, name: string): ParsedSample[] => {
  const text = [...(of.adminPages[0]?.render(new URLSearchParams()) ?? [])].join('');
  return [...parseMetricsPage(text, 'prometheus').values()]
    .flatMap((f) => f.samples)
    .filter((s) => s.name === name);
};
const labels = (of: PrometheusPlugin, name = 'istio_requests_total'): ParsedSample['labels'][] =>
  samples(of, name).map((sample) => sample.labels);

/** By what Kiali groups its graph; a label that is missing merges nodes into "unknown". */
const KIALI = [
  'source_cluster',
  'source_workload_namespace',
  'source_workload',
  'source_canonical_service',
  'source_canonical_revision',
  'destination_cluster',
  'destination_service_namespace',
  'destination_service',
  'destination_service_name',
  'destination_workload_namespace',
  'destination_workload',
  'destination_canonical_service',
  'destination_canonical_revision',
  'request_protocol',
  'response_code',
  'grpc_response_status',
  'response_flags',
];

describe("Istio's metrics", () => {
  it('have every label that Kiali groups by, of a call that this workload makes', () => {
    const exporter = plugin();
    exporter.sink.record(streamRecord());
    const [of] = labels(exporter);
    expect(Object.keys(of ?? {})).toEqual(expect.arrayContaining(KIALI));
    expect(of).toEqual({
      reporter: 'source',
      source_workload: 'web-v1',
      source_workload_namespace: 'shop',
      source_principal: 'spiffe://mesh.local/ns/shop/sa/web',
      source_app: 'web',
      source_version: 'v1',
      source_cluster: 'east',
      source_canonical_service: 'web',
      source_canonical_revision: 'v1',
      destination_workload: 'reviews-v2',
      destination_workload_namespace: 'default',
      destination_principal: 'spiffe://mesh.local/ns/default/sa/reviews',
      destination_app: 'reviews',
      destination_version: 'v2',
      destination_cluster: 'east',
      destination_canonical_service: 'reviews',
      destination_canonical_revision: 'v2',
      destination_service: 'reviews.default.svc.mesh.local',
      destination_service_name: 'reviews',
      destination_service_namespace: 'default',
      request_protocol: 'http',
      response_code: '200',
      grpc_response_status: '',
      response_flags: '-',
      connection_security_policy: 'mutual_tls',
    });
  });

  it('name the caller by its proven identity and this workload as the called, on the inbound side', () => {
    const exporter = plugin();
    exporter.sink.record(
      streamRecord({
        direction: 'inbound',
        peerIdentity: 'spiffe://mesh.local/ns/front/sa/cart',
        upstreamIdentity: undefined,
        upstreamLabels: {},
        cluster: 'inbound|8080||web.shop.svc.mesh.local',
        status: 503,
        flags: ['UF', 'URX'],
      }),
    );
    exporter.sink.record(
      streamRecord({
        direction: 'inbound',
        upstreamIdentity: undefined,
        upstreamLabels: {},
        cluster: 'inbound|8080||',
      }),
    );
    exporter.sink.record(
      streamRecord({ direction: 'inbound', peerIdentity: 'spiffe://elsewhere.example/ns/a/sa/b' }),
    );
    const [cart, nobody, stranger] = labels(exporter);
    expect(stranger).toMatchObject({ source_workload: 'b', source_cluster: 'unknown' });
    expect(cart).toMatchObject({
      reporter: 'destination',
      source_workload: 'cart',
      source_workload_namespace: 'front',
      source_principal: 'spiffe://mesh.local/ns/front/sa/cart',
      source_canonical_service: 'cart',
      source_canonical_revision: 'latest',
      source_version: 'unknown',
      source_cluster: 'east',
      destination_workload: 'web-v1',
      destination_principal: 'spiffe://mesh.local/ns/shop/sa/web',
      destination_canonical_service: 'web',
      destination_canonical_revision: 'v1',
      destination_cluster: 'east',
      destination_service: 'web.shop.svc.mesh.local',
      destination_service_name: 'web',
      destination_service_namespace: 'shop',
      response_code: '503',
      response_flags: 'UF,URX',
      connection_security_policy: 'mutual_tls',
    });
    expect(nobody).toMatchObject({
      source_workload: 'unknown',
      source_principal: 'unknown',
      source_canonical_revision: 'unknown',
      destination_service: 'web',
      connection_security_policy: 'none',
    });
  });

  it('call what is outside the mesh by its host, and know nothing of it', () => {
    const exporter = plugin({ self: {} });
    exporter.sink.record(
      streamRecord({ cluster: 'api.example.com', upstreamLabels: {}, upstreamIdentity: undefined }),
    );
    exporter.sink.record(
      streamRecord({ cluster: '', upstreamLabels: {}, upstreamIdentity: undefined, status: 404 }),
    );
    expect(labels(exporter)).toMatchObject([
      {
        source_workload: 'unknown',
        destination_service: 'api.example.com',
        destination_service_name: 'api.example.com',
        destination_service_namespace: 'unknown',
        destination_workload: 'unknown',
        destination_cluster: 'unknown',
        destination_principal: 'unknown',
        connection_security_policy: 'none',
      },
      { destination_service: 'unknown', destination_canonical_service: 'unknown', response_code: '404' },
    ]);
  });

  it('count gRPC by its status, and measure time and bodies in the buckets of the dashboards', () => {
    const exporter = plugin();
    exporter.sink.record(
      streamRecord({
        grpcStatus: 14,
        durationMs: 7,
        bytesReceived: 30,
        bytesSent: 2000,
        requestMessages: 2,
        responseMessages: 7,
      }),
    );
    const messages = (way: string) => samples(exporter, `istio_${way}_messages_total`);
    expect(messages('request').map(({ value }) => value)).toEqual([2]);
    expect(messages('response').map(({ value }) => value)).toEqual([7]);
    expect(messages('response')[0]?.labels).toMatchObject({ grpc_response_status: '14' });
    expect(labels(exporter)[0]).toMatchObject({ request_protocol: 'grpc', grpc_response_status: '14' });
    const buckets = (name: string): (string | undefined)[] =>
      samples(exporter, `${name}_bucket`).map((s) => `${s.labels['le']}=${s.value}`);
    expect(buckets('istio_request_duration_milliseconds')).toEqual(
      '0.5=0 1=0 5=0 10=1 25=1 50=1 100=1 250=1 500=1 1000=1 2500=1 5000=1 10000=1 30000=1 60000=1 300000=1 600000=1 1800000=1 3600000=1 +Inf=1'.split(
        ' ',
      ),
    );
    expect(samples(exporter, 'istio_request_bytes_sum')[0]?.value).toBe(30);
    expect(samples(exporter, 'istio_response_bytes_sum')[0]?.value).toBe(2000);
    // Other requests have no messages.
    exporter.sink.record(streamRecord());
    expect(messages('request')).toHaveLength(1);
  });

  it('count TCP connections without a response code', () => {
    const exporter = plugin();
    exporter.sink.record(
      streamRecord({ kind: 'tcp', protocol: 'TCP', status: 0, bytesReceived: 5, bytesSent: 7 }),
    );
    for (const [name, value] of [
      ['istio_tcp_connections_opened_total', 1],
      ['istio_tcp_connections_closed_total', 1],
      ['istio_tcp_received_bytes_total', 5],
      ['istio_tcp_sent_bytes_total', 7],
    ] as const) {
      const [sample] = samples(exporter, name);
      expect([name, sample?.value]).toEqual([name, value]);
      expect(sample?.labels).toMatchObject({ request_protocol: 'tcp', response_flags: '-' });
      expect(sample?.labels).not.toHaveProperty('response_code');
    }
    expect(samples(exporter, 'istio_requests_total')).toEqual([]);
  });

  it('keep two accounts behind equal labels apart, and find equal ends in different objects', () => {
    const exporter = plugin();
    const upstreamLabels = { service: 's', version: 'v1' };
    exporter.sink.record(streamRecord({ upstreamLabels, upstreamIdentity: 'spiffe://mesh.local/ns/a/sa/x' }));
    exporter.sink.record(streamRecord({ upstreamLabels, upstreamIdentity: 'spiffe://mesh.local/ns/a/sa/y' }));
    exporter.sink.record(
      streamRecord({
        upstreamLabels: { ...upstreamLabels },
        upstreamIdentity: 'spiffe://mesh.local/ns/a/sa/y',
      }),
    );
    expect(
      samples(exporter, 'istio_requests_total').map((s) => [s.labels['destination_principal'], s.value]),
    ).toEqual([
      ['spiffe://mesh.local/ns/a/sa/x', 1],
      ['spiffe://mesh.local/ns/a/sa/y', 2],
    ]);
  });

  it('forget what has been idle for ten minutes, give its series back, and start again from nothing', () => {
    let now = NOW;
    const exporter = plugin({ epochMs: () => now });
    const held = exporter.meter.seriesCount;
    exporter.sink.record(streamRecord({ upstreamLabels: { version: 'old' } }));
    exporter.sink.record(streamRecord({ kind: 'tcp', protocol: 'TCP' }));
    exporter.sink.record(streamRecord({ upstreamLabels: { version: 'new' }, startEpochMs: NOW + 590_000 }));
    now += 600_100;
    expect(labels(exporter).map((of) => of['destination_version'])).toEqual(['new']);
    expect(samples(exporter, 'istio_tcp_sent_bytes_total')).toEqual([]);
    now += 2_000_000;
    expect(labels(exporter)).toEqual([]);
    expect(exporter.meter.seriesCount).toBe(held);
    exporter.sink.record(streamRecord({ upstreamLabels: { version: 'old' }, startEpochMs: now }));
    expect(samples(exporter, 'istio_requests_total').map((s) => s.value)).toEqual([1]);
  });

  it('stay within the bound when callers vary without end, and count what they leave out', () => {
    const exporter = plugin({ maxSeries: 50 });
    for (let i = 0; i < 1000; i++)
      exporter.sink.record(
        streamRecord({
          direction: 'inbound',
          peerIdentity: `spiffe://mesh.local/ns/n/sa/s${i}`,
          status: 200 + i,
        }),
      );
    expect(exporter.meter.seriesCount).toBe(50);
    expect(samples(exporter, 'tulle_telemetry_dropped_updates_total')[0]?.value).toBeGreaterThan(900);
  });
});

describe('pages', () => {
  const render = (of: PrometheusPlugin, path: string): string =>
    [...(of.adminPages.find((page) => page.path === path)?.render(new URLSearchParams()) ?? ['absent'])].join(
      '',
    );

  it('show all dialects together, and each for itself, with what is of none', () => {
    const exporter = plugin({ dialects: ['native', 'istio'], buildVersion: '1.2.3' });
    exporter.sink.record(streamRecord());
    const names = (path: string): string[] =>
      [...parseMetricsPage(render(exporter, path), 'prometheus').keys()].filter((name) =>
        /requests_total|build|series$/.test(name),
      );
    const common = ['tulle_telemetry_series', 'tulle_build_info', 'istio_build'];
    expect(names('/stats/prometheus')).toEqual([...common, 'tulle_requests_total', 'istio_requests_total']);
    expect(names('/stats/prometheus/native')).toEqual([...common, 'tulle_requests_total']);
    expect(names('/stats/prometheus/istio')).toEqual([...common, 'istio_requests_total']);
    expect(render(plugin(), '/stats/prometheus/istio')).toBe('absent');
    expect(samples(exporter, 'istio_build')[0]?.labels).toEqual({ component: 'proxy', tag: '1.2.3' });
  });

  it('are OpenMetrics for who prefers it, with the traces of sampled requests as exemplars', () => {
    const exporter = plugin({ dialects: ['native', 'istio'] });
    const traced = { sampled: true, traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) };
    exporter.sink.record(streamRecord({ ...traced, durationMs: 7, startEpochMs: NOW }));
    exporter.sink.record(streamRecord({ durationMs: 70, traceId: 'c'.repeat(32) }));
    const [page] = exporter.adminPages;
    expect(page?.contentType).toBe('text/plain; version=0.0.4; charset=utf-8');
    const [open] = page?.alternatives ?? [];
    expect(open?.contentType).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8');
    const families = parseMetricsPage(
      [...(open?.render(new URLSearchParams()) ?? [])].join(''),
      'openmetrics',
    );
    for (const [name, value] of [
      ['tulle_request_duration_seconds', 0.007],
      ['istio_request_duration_milliseconds', 7],
    ] as const)
      expect(families.get(name)?.samples.flatMap(({ exemplar }) => exemplar ?? [])).toEqual([
        {
          labels: { trace_id: traced.traceId, span_id: traced.spanId },
          value,
          epochSeconds: NOW / 1000 + 0.007,
        },
      ]);
    parseMetricsPage(render(exporter, '/stats/prometheus'), 'prometheus');
  });
});
