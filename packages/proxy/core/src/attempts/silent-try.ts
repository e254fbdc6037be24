import type { Stream } from '../stream/stream.ts';
import { attemptFailed, responseBroken } from './attempts.ts';
import { isExcused } from './try-timers.ts';

const DETAILS = 'upstream_per_try_idle_timeout';

/**
 * The route's time for a silent attempt may be over (Envoy `per_try_idle_timeout`): nothing came of its endpoint since, or the timer
 * goes on for what is left. Bytes that move arm nothing.
 */
export function silentTry(stream: Stream): void {
  const { upstream, engine, downstream, cluster, endpoint, attempt } = stream;
  const action = stream.route?.action;
  // Between two attempts, or when all of the answer is there, nobody is waited for.
  if (upstream === undefined || action?.kind !== 'forward' || !stream.live) return;
  const leftMs = stream.movedMs + action.perTryIdleMs - engine.turn.nowMs;
  if (leftMs > 0) return stream.armTryIdleTimer(leftMs);
  // The endpoint is held up by a caller that takes nothing, or may take its time.
  if (downstream.full || isExcused(stream, action)) return stream.armTryIdleTimer(action.perTryIdleMs);
  cluster?.metrics.perTryIdleTimeouts.add();
  if (endpoint !== undefined) endpoint.data.counts.timeouts++;
  if (!attempt.running) return responseBroken(stream, 'TULLE_PER_TRY_TIMEOUT', DETAILS);
  upstream.abandon();
  attemptFailed(stream, 'TULLE_PER_TRY_TIMEOUT', attempt.unsent, DETAILS);
}
