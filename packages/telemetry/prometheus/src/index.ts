/**
 * Prometheus metrics for Tulle proxies: the request metrics, and the pages to scrape.
 * @packageDocumentation
 */
export { prometheus } from './prometheus.ts';
export type { DialectName, PrometheusOptions, PrometheusPlugin } from './prometheus.ts';
export { nativeDialect } from './native-dialect.ts';
export type { NativeDialectOptions } from './native-dialect.ts';
export { ISTIO_BUCKETS, istioDialect } from './istio-dialect.ts';
export type { IstioDialectOptions } from './istio-dialect.ts';
export type { Dialect } from './dialect.ts';
export type { SelfLabels } from '@tulle/parties';
