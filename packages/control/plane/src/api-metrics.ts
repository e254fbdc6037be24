import type { Meter } from '@tulle/telemetry';

/** Instruments of the API. */
export interface ApiMetrics {
  /** Resources of a request that was read without fault. */
  valid(resources: number): void;
  /** A request that was refused, since what it brought is invalid. */
  invalid(): void;
}

/** The API's own numbers; those named `galley_` are what dashboards of Istio ask for. */
export function apiMetrics(meter: Meter): ApiMetrics {
  const passed = meter.counter('galley_validation_passed', {
    help: 'Resources of REST that are valid',
  });
  const failed = meter.counter('galley_validation_failed', {
    help: 'Requests of REST refused as invalid, nothing of them applied',
  });
  return { valid: (resources) => passed.add(resources), invalid: () => failed.add() };
}
