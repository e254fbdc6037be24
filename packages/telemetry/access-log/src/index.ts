/**
 * Access log for Tulle proxies: JSON, or formats of Envoy's operators.
 * @packageDocumentation
 */
export { accessLog } from './access-log.ts';
export type { AccessLogOptions, AccessLogPlugin } from './access-log.ts';
export { accessLoggers } from './access-loggers.ts';
export type { AccessLoggersOptions, AccessLoggersPlugin } from './access-loggers.ts';
export type { BatchWriterCounts } from './batch-writer.ts';
export type { AccessLogTarget } from './target.ts';
export { createJsonLine } from './json-line.ts';
export type { JsonLineOptions } from './json-line.ts';
export type { AccessLogFormat, JsonFormat } from './formats.ts';
export { ENVOY_FORMAT, ISTIO_FORMAT, ISTIO_JSON_FORMAT, namedFormat } from './presets.ts';
