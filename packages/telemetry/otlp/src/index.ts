/**
 * OpenTelemetry for Tulle proxies: traces over OTLP/HTTP.
 * @packageDocumentation
 */
export { otlp } from './otlp.ts';
export type { OtlpPlugin } from './otlp.ts';
export type { OtlpOptions, OtlpTarget, OtlpTraceOptions } from './options.ts';
export type { SpanCounts } from './span-queue.ts';
