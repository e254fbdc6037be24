import type { CompiledForward } from '../compile/compiled.ts';
import type { Stream } from '../stream/stream.ts';

/** Tells the endpoint of an attempt what its route says: which one it is, and whether the one before took too long. */
export function tellAttempt(stream: Stream, action: CompiledForward): void {
  const { headers, attemptCount, attempt, cluster } = stream;
  if (action.countsToEndpoint) headers.put('x-envoy-attempt-count', String(attemptCount));
  if (!action.tellsTimeoutRetry || attemptCount === 1) return;
  const before = attempt.records(cluster?.name ?? '').at(-1);
  headers.put('x-envoy-is-timeout-retry', String(before?.failure === 'TULLE_PER_TRY_TIMEOUT'));
}
