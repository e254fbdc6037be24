import { createRegistry, type Registry } from '@tulle/metrics';
import type { Environment } from './environment.ts';
import { RequestMetrics } from './request-metrics.ts';
import { MetricExport } from './metric-export.ts';
import type { OtlpMetricOptions, OtlpOptions } from './options.ts';
import { SCOPE } from './resource.ts';
import { resolveTarget } from './target.ts';

/** Metrics, found right and not yet begun. */
export interface MetricPart {
  readonly requests: RequestMetrics;
  readonly registry: Registry | undefined;
  /** Whether the registry is the exporter's own, so that it is to be the proxy's meter. */
  readonly ownsRegistry: boolean;
  /** Begins to load the SDK. @param onError hears of each failed export */
  start(onError: (message: string) => void): MetricExport;
  readonly url: string;
}

/** Reads the settings of metrics; what is wrong goes to `env`. @returns undefined where no metrics are wanted */
export function metricPart(
  options: OtlpOptions,
  resource: Readonly<Record<string, string>>,
  env: Environment,
): MetricPart | undefined {
  const wanted =
    options.metrics === undefined
      ? env.choice(['OTEL_METRICS_EXPORTER'], ['otlp', 'none']) === 'otlp'
      : options.metrics !== false;
  if (!wanted) return undefined;
  const metrics: OtlpMetricOptions = typeof options.metrics === 'object' ? options.metrics : {};
  const atLeast = (option: keyof OtlpMetricOptions, value: number, min: number): number => {
    if (!(value >= min)) env.refuse(`metrics.${option}`, `${value} must be at least ${min}`);
    return value;
  };
  const target = resolveTarget(options, 'METRICS', env);
  const temporality = env.text('OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE');
  if (temporality !== undefined && temporality.value.toLowerCase() !== 'cumulative')
    env.refuse(temporality.name, `${JSON.stringify(temporality.value)} is not done here; only cumulative is`);
  const intervalMs = atLeast(
    'intervalMs',
    metrics.intervalMs ??
      env.number(['OTEL_METRIC_EXPORT_INTERVAL'], 'milliseconds', 1, 2 ** 31 - 1) ??
      60_000,
    1,
  );
  const maxBatchPoints = atLeast('maxBatchPoints', metrics.maxBatchPoints ?? 500, 1);
  const maxSeries = atLeast('maxSeries', metrics.maxSeries ?? 2_000, 1);
  const idleSeriesMs = atLeast('idleSeriesMs', metrics.idleSeriesMs ?? 600_000, 0);
  const requests = new RequestMetrics(maxSeries, idleSeriesMs);
  const registry = options.registry === false ? undefined : (options.registry ?? createRegistry());
  const epochMs = options.epochMs ?? Date.now;
  return {
    requests,
    registry,
    ownsRegistry: options.registry === undefined,
    url: target.url,
    start: (onError) =>
      new MetricExport(
        { requests, registry, startEpochMs: epochMs() },
        { intervalMs, maxBatchPoints, epochMs },
        async () => {
          const { createMetricPipeline } = await import('./sdk-metrics.ts');
          return createMetricPipeline(target, resource, SCOPE);
        },
        onError,
      ),
  };
}
