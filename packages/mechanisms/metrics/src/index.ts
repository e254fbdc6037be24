/**
 * Metrics: a bounded registry on typed arrays, and its text as Prometheus and OpenMetrics read it. No platform imports.
 * @packageDocumentation
 */
export { createRegistry, DEFAULT_BUCKETS } from './registry.ts';
export type { Family, Registry, RegistryOptions } from './registry.ts';
export { HistogramSeries } from './instruments.ts';
export type { Exemplar, Series } from './instruments.ts';
export { createCellStore } from './cells.ts';
export type { CellRun, CellStore } from './cells.ts';
export { parseLabelText } from './label-text.ts';
export { CONTENT_TYPES, renderText } from './render.ts';
export type { TextFormat } from './render.ts';
