import type { Meter } from '@tulle/telemetry';

/** Instruments of the API. */
export interface ApiMetrics {
  /** Resources of a request that was read without fault. */
  valid(resources: number): void;
  /** A request that was refused, since what it brought is invalid. */
  invalid(): void;
  /** A connection was turned away (`maxConnections`). */
  connectionDropped(): void;
  /** A connection whose request was not there in time (`requestTimeoutMs`). */
  requestTimedOut(): void;
}

/** The API's own numbers; those named `galley_` are what dashboards of Istio ask for. */
export function apiMetrics(meter: Meter): ApiMetrics {
  const passed = meter.counter('galley_validation_passed', {
    help: 'Resources of REST that are valid',
  });
  const failed = meter.counter('galley_validation_failed', {
    help: 'Requests of REST refused as invalid, nothing of them applied',
  });
  const dropped = meter.counter('tulle_api_connections_dropped_total', {
    help: 'Connections to REST that were turned away for want of room',
  });
  const timedOut = meter.counter('tulle_api_requests_timed_out_total', {
    help: 'Connections to REST that were ended since their request was not there in time',
  });
  return {
    valid: (resources) => passed.add(resources),
    invalid: () => failed.add(),
    connectionDropped: () => dropped.add(),
    requestTimedOut: () => timedOut.add(),
  };
}
