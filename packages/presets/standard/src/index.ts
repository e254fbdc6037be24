/**
 * What ships with Tulle: the standard filters and exporters, as plain lists.
 * @packageDocumentation
 */
export { standardFilters } from './standard-filters.ts';
export { standardTelemetry } from './standard-telemetry.ts';
export type { StandardTelemetryOptions } from './standard-telemetry.ts';
