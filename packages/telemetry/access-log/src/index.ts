/**
 * JSON access log for Tulle proxies.
 * @packageDocumentation
 */
export { accessLog } from './access-log.ts';
export type { AccessLogOptions, AccessLogPlugin } from './access-log.ts';
export type { BatchWriterCounts } from './batch-writer.ts';
export type { AccessLogTarget } from './target.ts';
export { createJsonLine } from './json-line.ts';
export type { JsonLineOptions } from './json-line.ts';
