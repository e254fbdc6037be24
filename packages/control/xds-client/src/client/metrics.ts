import type { Counter, Meter } from '@tulle/telemetry';

/** Instruments of the client. */
export interface ClientMetrics {
  readonly accepted: Counter;
  readonly refused: Counter;
  readonly lost: Counter;
  readonly snapshotErrors: Counter;
  close(): void;
}

export function createClientMetrics(meter: Meter, connected: () => number): ClientMetrics {
  const stop = meter.observed(
    'tulle_xds_client_connected',
    { help: 'Whether a control plane answers' },
    connected,
  );
  return {
    accepted: meter.counter('tulle_xds_client_changes_total', { help: 'Changes taken into use' }),
    refused: meter.counter('tulle_xds_client_refused_resources_total', {
      help: 'Resources that were refused',
    }),
    lost: meter.counter('tulle_xds_client_lost_streams_total', {
      help: 'Streams that ended or could not be opened',
    }),
    snapshotErrors: meter.counter('tulle_xds_client_snapshot_errors_total', {
      help: 'Snapshots that could not be read or written',
    }),
    close: stop,
  };
}
