/**
 * Metrics: a bounded registry on typed arrays, and its text as Prometheus and OpenMetrics read it. No platform imports.
 * @packageDocumentation
 */
export { createRegistry, DEFAULT_BUCKETS } from './registry.ts';
export type { Family, Registry, RegistryOptions } from './registry.ts';
export type { Series } from './instruments.ts';
export type { CellRun } from './cells.ts';
export { CONTENT_TYPES, renderText } from './render.ts';
export type { TextFormat } from './render.ts';
