import type { Supervisor } from '@tulle/supervisor';
import type { Meter } from '@tulle/telemetry';

/** What the processes that move bytes do as processes; what they count themselves stands beside it. */
export function observeSupervisor(meter: Meter, supervisor: Pick<Supervisor, 'status'>): void {
  meter.observed(
    'tulle_supervisor_workers',
    { help: 'Processes that take new connections' },
    () => supervisor.status().processes.filter(({ state }) => state === 'ready').length,
  );
  meter.observed(
    'tulle_supervisor_crashes_total',
    { help: 'Processes that ended unasked, or could not start' },
    () => supervisor.status().crashes,
  );
  meter.observed(
    'tulle_supervisor_connections_moved_total',
    { help: 'Connections that went to another process than the one that accepted them, since that had more' },
    () => supervisor.status().connectionsMoved,
  );
}
