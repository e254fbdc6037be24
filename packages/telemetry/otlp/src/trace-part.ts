import type { StreamRecord, TracingSettings } from '@tulle/telemetry';
import { createBuildSpans } from './build-spans.ts';
import type { Environment } from './environment.ts';
import type { OtlpOptions, OtlpTraceOptions } from './options.ts';
import { SCOPE } from './resource.ts';
import type { SpanScope } from './span.ts';
import { SpanQueue } from './span-queue.ts';
import { resolveTarget } from './target.ts';
import { tracingSettings } from './tracing-settings.ts';

/** Traces, found right and not yet begun. */
export interface TracePart {
  readonly settings: TracingSettings;
  /** Begins to load the SDK. @param onError hears of each failed export */
  start(onError: (message: string) => void): SpanQueue;
  readonly url: string;
}

/** Reads the settings of traces; what is wrong goes to `env`. @returns undefined where no traces are wanted */
export function tracePart(
  options: OtlpOptions,
  resource: Readonly<Record<string, string>>,
  env: Environment,
): TracePart | undefined {
  const wanted =
    options.traces === undefined
      ? env.choice(['OTEL_TRACES_EXPORTER'], ['otlp', 'none']) !== 'none'
      : options.traces !== false;
  if (!wanted) return undefined;
  const traces: OtlpTraceOptions = options.traces || {};
  const count = (
    option: 'maxQueuedSpans' | 'maxBatchSpans' | 'delayMs',
    variable: string,
    byDefault: number,
  ): number => {
    const what = option === 'delayMs' ? 'milliseconds' : 'spans';
    const value = traces[option] ?? env.number([variable], what, 1, 1e9) ?? byDefault;
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
  const scope: SpanScope = { resource: undefined, name: SCOPE };
  const build = createBuildSpans(options, traces, scope);
  return {
    settings,
    url: target.url,
    start: (onError) =>
      new SpanQueue(
        maxQueuedSpans,
        (record: StreamRecord) => build(record),
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
        onError,
      ),
  };
}
