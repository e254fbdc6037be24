/**
 * Prometheus metrics for Tulle proxies: a registry on typed arrays, the request metrics, and the pages to scrape.
 * @packageDocumentation
 */
export { prometheus } from './prometheus.ts';
export type { PrometheusOptions, PrometheusPlugin } from './prometheus.ts';
export { createRegistry, DEFAULT_BUCKETS } from './registry.ts';
export type { Family, Registry, RegistryOptions } from './registry.ts';
export { CONTENT_TYPES, renderText } from './render.ts';
export type { TextFormat } from './render.ts';
export { nativeDialect } from './native-dialect.ts';
export type { NativeDialectOptions } from './native-dialect.ts';
export type { Dialect, SelfLabels } from './dialect.ts';
