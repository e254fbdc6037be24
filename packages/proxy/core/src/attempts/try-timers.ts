import type { CompiledForward } from '../compile/compiled.ts';
import type { Stream } from '../stream/stream.ts';

/** Starts what bounds one attempt, whose request is there: its time, and its time without a byte, which begins when it is sent. */
export function armTryTimers(stream: Stream, { perTryTimeoutMs, perTryIdleMs }: CompiledForward): void {
  if (perTryTimeoutMs > 0 && stream.attempt.running && stream.perTryTimer?.armed !== true) {
    stream.armPerTryTimer(perTryTimeoutMs);
    if (perTryIdleMs > 0) stream.tryEndMs = stream.engine.turn.nowMs + perTryTimeoutMs;
  }
  if (perTryIdleMs > 0 && stream.upstream !== undefined) stream.armTryIdleTimer(perTryIdleMs);
}

/**
 * Whether the attempt's time passed within its answer since the last byte of that. Who waits then may wait until the next one, as in
 * Envoy, where the end of the one time ends the other (`UpstreamRequest::onPerTryTimeout`).
 */
export function isExcused(stream: Stream, { perTryTimeoutMs }: CompiledForward): boolean {
  if (perTryTimeoutMs === 0 || stream.attempt.running) return false;
  const { tryEndMs } = stream;
  return stream.movedMs <= tryEndMs && tryEndMs <= stream.engine.turn.nowMs;
}
