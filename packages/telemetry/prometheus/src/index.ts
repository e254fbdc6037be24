/**
 * Prometheus metrics for Tulle proxies: the request metrics, and the pages to scrape.
 * @packageDocumentation
 */
export { prometheus } from './prometheus.ts';
export type { PrometheusOptions, PrometheusPlugin } from './prometheus.ts';
export { nativeDialect } from './native-dialect.ts';
export type { NativeDialectOptions } from './native-dialect.ts';
export type { Dialect } from './dialect.ts';
export type { SelfLabels } from '@tulle/parties';
