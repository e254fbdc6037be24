import type { Registry } from '@tulle/metrics';
import type { Meter, TelemetryPlugin, TracingSettings } from '@tulle/telemetry';
import { Environment } from './environment.ts';
import type { MetricExportCounts } from './metric-export.ts';
import { metricPart } from './metric-part.ts';
import type { OtlpOptions } from './options.ts';
import { resourceAttributes } from './resource.ts';
import type { SpanCounts } from './span-queue.ts';
import { tracePart } from './trace-part.ts';

/** The exporter: a plugin with its sink there, and what it has done. */
export interface OtlpPlugin extends TelemetryPlugin {
  readonly sink: Required<NonNullable<TelemetryPlugin['sink']>>;
  readonly tracing?: TracingSettings;
  /** There where metrics are exported from a registry of the exporter's own. */
  readonly meter?: Registry;
  /** What became of spans; undefined without traces. */
  readonly spans: SpanCounts | undefined;
  /** What became of metrics; undefined without them. */
  readonly metrics: MetricExportCounts | undefined;
}

/**
 * OpenTelemetry over OTLP/HTTP: `createProxy({ telemetry: [otlp({ endpoint: 'http://127.0.0.1:4318' })] })`. The SDK is
 * loaded in the background when this is called, not when the package is imported.
 * @throws TulleError `TULLE_CONFIG_INVALID` naming every option and environment variable that cannot be meant
 */
export function otlp(options: OtlpOptions = {}): OtlpPlugin {
  const env = new Environment(options.env ?? process.env);
  const off = env.flag('OTEL_SDK_DISABLED');
  const resource = resourceAttributes(options, env);
  const traces = off ? undefined : tracePart(options, resource, env);
  const metrics = off ? undefined : metricPart(options, resource, env);
  env.check();
  const queue = traces?.start(seldom(options.onError, `traces to ${hostOf(traces.url)}`));
  const round = metrics?.start(seldom(options.onError, `metrics to ${hostOf(metrics.url)}`));
  const meter = options.meter ?? (options.registry || metrics?.registry);
  const stops = meter === undefined ? [] : observe(meter, queue?.counts, round?.counts);

  return {
    name: 'otlp',
    ...(traces === undefined ? {} : { tracing: traces.settings }),
    ...(metrics?.ownsRegistry === true && metrics.registry !== undefined ? { meter: metrics.registry } : {}),
    spans: queue?.counts,
    metrics: round?.counts,
    sink: {
      name: 'otlp',
      record(record) {
        metrics?.requests.record(record);
        if (record.sampled && record.kind === 'http') queue?.add(record);
      },
      async flush() {
        await Promise.all([queue?.flush(), round?.flush()]);
      },
      async close() {
        await Promise.all([queue?.close(), round?.close()]);
        for (const stop of stops) stop();
      },
    },
  };
}

/**
 * Whether the environment names a collector, so that `otlp()` without options has somewhere to send to: how a main decides
 * whether to use it at all.
 */
export function otlpConfigured(env: Readonly<Record<string, string | undefined>> = process.env): boolean {
  return ['', 'TRACES_', 'METRICS_'].some(
    (signal) => (env[`OTEL_EXPORTER_OTLP_${signal}ENDPOINT`]?.trim() ?? '') !== '',
  );
}

/** Host and port: a URL may hold credentials. */
const hostOf = (url: string): string => new URL(url).host;

/** Complaints heard at most once a minute. */
const COMPLAINT_INTERVAL_MS = 60_000;

function seldom(onError: OtlpOptions['onError'], what: string): (message: string) => void {
  let quietUntilMs = 0;
  return (message) => {
    const nowMs = performance.now();
    if (onError === undefined || nowMs < quietUntilMs) return;
    quietUntilMs = nowMs + COMPLAINT_INTERVAL_MS;
    onError(`otlp: ${what}: ${message}`);
  };
}

function observe(
  meter: Meter,
  spans: SpanCounts | undefined,
  metrics: MetricExportCounts | undefined,
): (() => void)[] {
  const failed = 'Exports that failed, after their retries.';
  const dropped = 'Spans not delivered: the queue was full, or the collector did not take them.';
  const stops: (() => void)[] = [];
  const count = (
    name: string,
    help: string,
    read: () => number,
    labels: Record<string, string> = {},
  ): void => {
    stops.push(meter.observed(`tulle_otlp_${name}`, { help, labels }, read));
  };
  if (spans !== undefined) {
    count('spans_exported_total', 'Spans that the collector took.', () => spans.exported);
    count('spans_queued', 'Spans held, those under way included.', () => spans.queued);
    count('spans_dropped_total', dropped, () => spans.droppedFull, { reason: 'queue_full' });
    count('spans_dropped_total', dropped, () => spans.droppedFailed, { reason: 'export_failed' });
    count('exports_failed_total', failed, () => spans.failures, { signal: 'traces' });
  }
  if (metrics !== undefined) {
    count('points_exported_total', 'Data points of metrics that the collector took.', () => metrics.points);
    count('exports_failed_total', failed, () => metrics.failures, { signal: 'metrics' });
    count(
      'rounds_skipped_total',
      'Metric exports left out because one was still under way.',
      () => metrics.skipped,
    );
  }
  return stops;
}
