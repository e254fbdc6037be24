import { createRegistry } from '@tulle/metrics';
import { runChain, streamRecord } from '@tulle/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { startCollector, type Collector, type ReceivedPoint } from '@tulle/otlp-collector';
import { otlp, type OtlpMetricOptions, type OtlpOptions, type OtlpPlugin } from './index.ts';

const undo: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).toReversed()) await step();
});

const NOW = 1_700_000_060_000;

async function exporting(
  metrics: OtlpMetricOptions | true,
  options: Partial<OtlpOptions> = {},
): Promise<{ collector: Collector; plugin: OtlpPlugin }> {
  const collector = await startCollector();
  undo.push(async () => collector.close());
  const plugin = otlp({
    endpoint: collector.url,
    env: {},
    traces: false,
    timeoutMs: 200,
    epochMs: () => NOW,
    metrics,
    ...options,
  });
  undo.push(async () => plugin.sink.close());
  return { collector, plugin };
}

const named = (collector: Collector, name: string): ReceivedPoint[] =>
  collector.points.filter((point) => point.name === name);

describe.each(['http/protobuf', 'http/json'] as const)('metrics over %s', (protocol) => {
  it('are the durations of requests and attempts, in seconds, by their outcome', async () => {
    const { collector, plugin } = await exporting(true, {
      protocol,
      self: { workload: 'web', namespace: 'shop' },
    });
    const [attempt] = streamRecord().attempts;
    for (let i = 0; i < 3; i++)
      plugin.sink.record(streamRecord({ durationMs: 80, routePattern: '/reviews' }));
    plugin.sink.record(
      streamRecord({
        status: 503,
        code: 'TULLE_UPSTREAM_RESET',
        method: 'PURGE',
        tls: true,
        attempts: [
          { ...attempt!, status: 503 },
          { ...attempt!, status: 0, failure: 'TULLE_UPSTREAM_RESET' },
        ],
      }),
    );
    plugin.sink.record(streamRecord({ kind: 'tcp' }));
    await plugin.sink.flush();
    expect(new Set(collector.exports.map(({ path }) => path))).toEqual(new Set(['/v1/metrics']));
    const server = named(collector, 'http.server.request.duration');
    expect(server.map(({ attributes }) => attributes)).toEqual([
      {
        'http.request.method': 'GET',
        'http.response.status_code': 200,
        'http.route': '/reviews',
        'network.protocol.name': 'http',
        'network.protocol.version': '1.1',
        'url.scheme': 'http',
      },
      {
        'error.type': 'TULLE_UPSTREAM_RESET',
        'http.request.method': '_OTHER',
        'http.response.status_code': 503,
        'http.route': '/',
        'network.protocol.name': 'http',
        'network.protocol.version': '1.1',
        'url.scheme': 'https',
      },
    ]);
    expect(server[0]).toMatchObject({
      unit: 's',
      type: 'histogram',
      temporality: 2,
      scope: '@tulle/telemetry-otlp',
    });
    expect(server[0]?.resource['service.name']).toBe('web.shop');
    const point = server[0]?.point as Record<string, unknown>;
    expect(point['explicitBounds']).toEqual([
      0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
    ]);
    expect((point['bucketCounts'] as unknown[]).map(Number)).toEqual([
      0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ]);
    expect(Number(point['count'])).toBe(3);
    expect(point['sum']).toBeCloseTo(0.24);
    expect(BigInt(point['timeUnixNano'] as string)).toBe(BigInt(NOW) * 1_000_000n);
    expect(BigInt(point['startTimeUnixNano'] as string)).toBe(1_700_000_000_000n * 1_000_000n);
    const client = named(collector, 'http.client.request.duration');
    expect(
      client.map(({ attributes: a, point: p }) => [
        a['server.address'],
        a['server.port'],
        a['error.type'],
        Number(p['count']),
      ]),
    ).toEqual([
      ['reviews.default.svc.mesh.local', 8080, undefined, 3],
      ['reviews.default.svc.mesh.local', 8080, '503', 1],
      ['reviews.default.svc.mesh.local', 8080, 'TULLE_UPSTREAM_RESET', 1],
    ]);
  });

  it('are the durations of gRPC calls as well, by method where a route names it, and by status', async () => {
    const { collector, plugin } = await exporting(true, { protocol });
    const path = '/shop.Reviews/List';
    const [attempt] = streamRecord().attempts;
    const call = { method: 'POST', path, protocol: 'HTTP/2', durationMs: 80 } as const;
    plugin.sink.record(streamRecord({ ...call, routePattern: path, grpcStatus: 0 }));
    plugin.sink.record(streamRecord({ ...call, routePattern: '/', grpcStatus: 5 }));
    plugin.sink.record(
      streamRecord({
        ...call,
        routePattern: path,
        grpcStatus: 14,
        code: 'TULLE_NO_HEALTHY_UPSTREAM',
        attempts: [{ ...attempt!, status: 0, failure: 'TULLE_NO_HEALTHY_UPSTREAM' }],
      }),
    );
    plugin.sink.record(streamRecord());
    await plugin.sink.flush();
    const server = named(collector, 'rpc.server.call.duration');
    expect(server.map(({ attributes }) => attributes)).toEqual([
      { 'rpc.system.name': 'grpc', 'rpc.method': 'shop.Reviews/List', 'rpc.status_code': 'OK' },
      { 'rpc.system.name': 'grpc', 'rpc.method': '_OTHER', 'rpc.status_code': 'NOT_FOUND' },
      {
        'rpc.system.name': 'grpc',
        'rpc.method': 'shop.Reviews/List',
        'rpc.status_code': 'UNAVAILABLE',
        'error.type': 'TULLE_NO_HEALTHY_UPSTREAM',
      },
    ]);
    expect(server[0]).toMatchObject({ unit: 's', type: 'histogram' });
    expect(server[0]?.point['sum']).toBeCloseTo(0.08);
    const client = named(collector, 'rpc.client.call.duration');
    expect(
      client.map(({ attributes: a, point: p }) => [
        a['rpc.status_code'],
        a['error.type'],
        a['server.address'],
        a['server.port'],
        Number(p['count']),
      ]),
    ).toEqual([
      ['OK', undefined, 'reviews.default.svc.mesh.local', 8080, 1],
      ['NOT_FOUND', 'NOT_FOUND', 'reviews.default.svc.mesh.local', 8080, 1],
    ]);
  });

  it('are what is in the registry, under its names', async () => {
    const registry = createRegistry();
    registry.counter('mails_total', { help: 'Mails.', labels: { kind: 'a "b"\n' } }).add(5);
    registry.gauge('queue_bytes', { help: 'Queue.' }).set(-1.5);
    registry.histogram('wait_seconds', { help: 'Wait.', buckets: [0.1, 1] }).observe(0.5);
    registry.observed('loops_total', { help: 'Loops.', labels: { of: 'x' } }, () => 7);
    registry.observed('broken', { help: 'Broken.' }, () => {
      throw new Error('broken');
    });
    const { collector, plugin } = await exporting(true, { protocol, registry });
    await plugin.sink.flush();
    const shown = (name: string): unknown =>
      named(collector, name).map(({ type, unit, monotonic, temporality, attributes, point }) => [
        type,
        unit,
        monotonic ?? false,
        temporality,
        attributes,
        point['asDouble'] ?? [(point['bucketCounts'] as unknown[]).map(Number), point['sum']],
      ]);
    expect(shown('mails_total')).toEqual([['sum', '', true, 2, { kind: 'a "b"\n' }, 5]]);
    expect(shown('queue_bytes')).toEqual([['gauge', 'By', false, undefined, {}, -1.5]]);
    expect(shown('wait_seconds')).toEqual([['histogram', 's', false, 2, {}, [[0, 1, 0], 0.5]]]);
    expect(shown('loops_total')).toEqual([['sum', '', true, 2, { of: 'x' }, 7]]);
    expect(named(collector, 'broken')).toEqual([]);
    expect(named(collector, 'tulle_telemetry_series')).toHaveLength(1);
    expect(plugin.meter).toBeUndefined();
  });
});

describe('metric export', () => {
  it('goes in slices, the next after the answer to the one before; together they are everything once', async () => {
    const registry = createRegistry();
    for (let i = 0; i < 95; i++) registry.counter('c_total', { help: 'C.', labels: { i: String(i) } }).add(i);
    const { collector, plugin } = await exporting({ maxBatchPoints: 10 }, { registry });
    await plugin.sink.flush();
    const counters = named(collector, 'c_total').map(({ attributes, point }) => [
      attributes['i'],
      point['asDouble'],
    ]);
    expect(counters).toEqual(Array.from({ length: 95 }, (_, i) => [String(i), i]));
    expect(collector.exports.length).toBeGreaterThanOrEqual(10);
    expect(collector.connections).toBe(1);
    expect(plugin.metrics?.points).toBe(collector.points.length);
  });

  it('brings a meter of its own where it is given none: what the engine counts goes out', async () => {
    const collector = await startCollector();
    undo.push(async () => collector.close());
    const plugin = otlp({ endpoint: collector.url, env: {}, traces: { sampleRatio: 1 }, metrics: true });
    // The testkit's own telemetry brings a meter as well, so this one stands alone.
    plugin.meter?.counter('tulle_config_updates_total', { help: 'Configurations taken into use' }).add();
    await plugin.sink.close();
    expect(named(collector, 'tulle_config_updates_total')[0]?.point['asDouble']).toBe(1);
    expect(named(collector, 'tulle_otlp_spans_queued')).toHaveLength(1);
  });

  it('counts what runs through an engine', async () => {
    const collector = await startCollector();
    undo.push(async () => collector.close());
    await runChain({
      filters: [],
      request: [{ path: '/a' }, { path: '/b' }],
      telemetry: [
        otlp({
          endpoint: collector.url,
          env: {},
          traces: false,
          metrics: true,
          registry: false,
          epochMs: () => Date.UTC(2026, 0, 1), // where the testkit's clock starts
        }),
      ],
    });
    const [point] = named(collector, 'http.server.request.duration').slice(-1);
    expect(Number(point?.point['count'])).toBe(2);
    expect(point?.attributes['http.route']).toBe('/');
  });

  it('comes again every interval with running totals', async () => {
    const { collector, plugin } = await exporting({ intervalMs: 20 }, { registry: false });
    plugin.sink.record(streamRecord());
    await collector.until(() => named(collector, 'http.server.request.duration').length > 0);
    plugin.sink.record(streamRecord());
    await collector.until(() =>
      named(collector, 'http.server.request.duration').some(({ point }) => Number(point['count']) === 2),
    );
  });

  it('keeps within its bound by one series for all the rest, and forgets what is idle', async () => {
    let now = NOW;
    const { collector, plugin } = await exporting({ maxSeries: 3 }, { epochMs: () => now, registry: false });
    for (let i = 0; i < 100; i++)
      plugin.sink.record(streamRecord({ routePattern: `/${i}`, startEpochMs: NOW, attempts: [] }));
    await plugin.sink.flush();
    const server = named(collector, 'http.server.request.duration');
    expect(
      server.map(({ attributes: a, point }) => [
        a['http.route'] ?? a['otel.metric.overflow'],
        Number(point['count']),
      ]),
    ).toEqual([
      ['/0', 1],
      ['/1', 1],
      ['/2', 1],
      [true, 97],
    ]);
    now += 700_000;
    collector.points.length = 0;
    await plugin.sink.flush();
    expect(collector.points).toEqual([]);
    plugin.sink.record(streamRecord({ routePattern: '/new', startEpochMs: now, attempts: [] }));
    await plugin.sink.flush();
    expect(
      collector.points.map(({ attributes: a, point }) => [a['http.route'], Number(point['count'])]),
    ).toEqual([['/new', 1]]);
  });

  it('touches nothing where the collector is away or slow, and tells everything once it is back', async () => {
    const errors: string[] = [];
    const { collector, plugin } = await exporting(true, {
      registry: false,
      onError: (message) => errors.push(message),
    });
    plugin.sink.record(streamRecord());
    for (const behaviour of ['reset', 'silence', 400] as const) {
      collector.behaviour = behaviour;
      await plugin.sink.flush();
    }
    expect(plugin.metrics).toMatchObject({ points: 0, failures: 3 });
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatch(/^otlp: metrics to 127\.0\.0\.1:\d+: /);
    collector.behaviour = 'ok';
    plugin.sink.record(streamRecord());
    await plugin.sink.flush();
    expect(Number(named(collector, 'http.server.request.duration')[0]?.point['count'])).toBe(2);
  });

  it('leaves a round out while one is under way', async () => {
    const { collector, plugin } = await exporting({ intervalMs: 10 }, { registry: false, timeoutMs: 10_000 });
    collector.behaviour = 'silence';
    plugin.sink.record(streamRecord());
    await expect.poll(() => plugin.metrics?.skipped).toBeGreaterThan(2);
    expect(collector.exports).toHaveLength(1);
  });

  it('is off by default, and as the environment says', async () => {
    const off = otlp({ env: {}, traces: false });
    expect(off.metrics).toBeUndefined();
    const on = otlp({
      env: { OTEL_METRICS_EXPORTER: 'otlp', OTEL_METRIC_EXPORT_INTERVAL: '5000' },
      traces: false,
    });
    expect(on.metrics).toBeDefined();
    await on.sink.close();
    expect(() =>
      otlp({
        env: { OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: 'delta', OTEL_METRIC_EXPORT_INTERVAL: '0' },
        metrics: { maxSeries: 0 },
        traces: false,
      }),
    ).toThrow(
      'otlp: OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: "delta" is not done here; only cumulative is; ' +
        'OTEL_METRIC_EXPORT_INTERVAL: "0" is no number of milliseconds, 1 to 2147483647; metrics.maxSeries: 0 must be at least 1',
    );
  });
});
