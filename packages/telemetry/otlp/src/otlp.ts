import type { TelemetryPlugin, TracingSettings } from '@tulle/telemetry';
import { createBuildSpans } from './build-spans.ts';
import { Environment } from './environment.ts';
import type { OtlpOptions, OtlpTraceOptions } from './options.ts';
import { resourceAttributes } from './resource.ts';
import type { SpanScope } from './span.ts';
import { SpanQueue, type SpanCounts } from './span-queue.ts';
import { resolveTarget } from './target.ts';
import { tracingSettings } from './tracing-settings.ts';

/** The exporter: a plugin with its sink there, and what it has done. */
export interface OtlpPlugin extends TelemetryPlugin {
  readonly sink: Required<NonNullable<TelemetryPlugin['sink']>>;
  readonly tracing?: TracingSettings;
  /** What became of spans; undefined without traces. */
  readonly spans: SpanCounts | undefined;
}

/**
 * OpenTelemetry over OTLP/HTTP: `createProxy({ telemetry: [otlp({ endpoint: 'http://127.0.0.1:4318' })] })`. The SDK is
 * loaded in the background when this is called, not when the package is imported.
 * @throws TulleError `TULLE_CONFIG_INVALID` naming every option and environment variable that cannot be meant
 */
export function otlp(options: OtlpOptions = {}): OtlpPlugin {
  const env = new Environment(options.env ?? process.env);
  const off = env.flag('OTEL_SDK_DISABLED');
  const wantsTraces =
    options.traces === undefined
      ? env.choice(['OTEL_TRACES_EXPORTER'], ['otlp', 'none']) !== 'none'
      : options.traces !== false;
  const resource = resourceAttributes(options, env);
  const traces = off || !wantsTraces ? undefined : tracePart(options, options.traces || {}, resource, env);
  env.check();
  const queue = traces?.start();
  const stops = queue === undefined ? [] : observe(options, queue);

  return {
    name: 'otlp',
    ...(traces === undefined ? {} : { tracing: traces.settings }),
    spans: queue?.counts,
    sink: {
      name: 'otlp',
      record(record) {
        if (record.sampled && record.kind === 'http') queue?.add(record);
      },
      async flush() {
        await queue?.flush();
      },
      async close() {
        for (const stop of stops) stop();
        await queue?.close();
      },
    },
  };
}

interface TracePart {
  readonly settings: TracingSettings;
  /** Begins to load the SDK; only once everything was found right. */
  start(): SpanQueue;
}

function tracePart(
  options: OtlpOptions,
  traces: OtlpTraceOptions,
  resource: Readonly<Record<string, string>>,
  env: Environment,
): TracePart {
  const count = (
    option: 'maxQueuedSpans' | 'maxBatchSpans' | 'delayMs',
    variable: string,
    byDefault: number,
  ): number => {
    const given = traces[option];
    const value =
      given ?? env.number([variable], option === 'delayMs' ? 'milliseconds' : 'spans', 1, 1e9) ?? byDefault;
    if (!(value >= 1)) env.refuse(`traces.${option}`, `${value} must be at least 1`);
    return value;
  };
  const target = resolveTarget(options, 'TRACES', env);
  const settings = tracingSettings(traces, env);
  const maxQueuedSpans = count('maxQueuedSpans', 'OTEL_BSP_MAX_QUEUE_SIZE', 2048);
  const maxBatchSpans = Math.min(
    count('maxBatchSpans', 'OTEL_BSP_MAX_EXPORT_BATCH_SIZE', 128),
    maxQueuedSpans,
  );
  const delayMs = count('delayMs', 'OTEL_BSP_SCHEDULE_DELAY', 5_000);
  const scope: SpanScope = { resource: undefined, name: '@tulle/telemetry-otlp' };
  return {
    settings,
    start: () =>
      new SpanQueue(
        maxQueuedSpans,
        createBuildSpans(options, traces, scope),
        async (onExported) => {
          const { createTracePipeline } = await import('./sdk-traces.ts');
          const pipeline = await createTracePipeline({
            target,
            resource,
            maxQueuedSpans,
            maxBatchSpans,
            delayMs,
            onExported,
          });
          scope.resource = pipeline.resource;
          return pipeline;
        },
        seldom(options.onError, `traces to ${new URL(target.url).host}`),
      ),
  };
}

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

function observe({ meter }: OtlpOptions, { counts }: SpanQueue): (() => void)[] {
  if (meter === undefined) return [];
  const dropped = { help: 'Spans not delivered: the queue was full, or the collector did not take them.' };
  return [
    meter.observed(
      'tulle_otlp_spans_exported_total',
      { help: 'Spans that the collector took.' },
      () => counts.exported,
    ),
    meter.observed(
      'tulle_otlp_spans_queued',
      { help: 'Spans held, those under way included.' },
      () => counts.queued,
    ),
    meter.observed(
      'tulle_otlp_spans_dropped_total',
      { ...dropped, labels: { reason: 'queue_full' } },
      () => counts.droppedFull,
    ),
    meter.observed(
      'tulle_otlp_spans_dropped_total',
      { ...dropped, labels: { reason: 'export_failed' } },
      () => counts.droppedFailed,
    ),
    meter.observed(
      'tulle_otlp_exports_failed_total',
      { help: 'Exports that failed, after their retries.', labels: { signal: 'traces' } },
      () => counts.failures,
    ),
  ];
}
