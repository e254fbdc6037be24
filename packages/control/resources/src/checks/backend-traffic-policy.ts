import { parseDurationMs } from '../duration.ts';
import type { BackendTrafficPolicy } from '../kinds/backend-traffic-policy.ts';
import { noRepeats, type CheckHost } from './check-host.ts';
import { checkSessionPersistence } from './session-persistence.ts';

/** Shortest window in which requests are counted (model `RetryBudget.intervalMs`). */
const LEAST_INTERVAL_MS = 10;

export function checkBackendTrafficPolicy({ spec }: BackendTrafficPolicy, host: CheckHost): void {
  noRepeats(
    host,
    spec.targetRefs,
    ({ group, kind, name }) => `${kind}.${group} ${name}`,
    (i) => `/spec/targetRefs/${i}`,
    () => 'the target is listed twice',
  );
  checkSessionPersistence(spec.sessionPersistence, '/spec/sessionPersistence', host);
  for (const part of ['budget', 'minRetryRate'] as const) {
    const interval = spec.retryConstraint?.[part]?.interval;
    if (interval !== undefined && (parseDurationMs(interval) ?? 0) < LEAST_INTERVAL_MS)
      host.report(
        'TULLE0204',
        `/spec/retryConstraint/${part}/interval`,
        `${interval} is too short to count anything in; ${LEAST_INTERVAL_MS}ms is the least`,
      );
  }
}
