/**
 * OpenTelemetry for Tulle proxies: traces and metrics over OTLP/HTTP.
 * @packageDocumentation
 */
export { otlp, otlpConfigured } from './otlp.ts';
export type { OtlpPlugin } from './otlp.ts';
export type { MetricExportCounts } from './metric-export.ts';
export type { OtlpMetricOptions, OtlpOptions, OtlpTarget, OtlpTraceOptions } from './options.ts';
export { tracers } from './tracers.ts';
export type { TracersOptions, TracersPlugin } from './tracers.ts';
export type { SpanCounts } from './span-queue.ts';
