import { nextAttempt, perTryTimeout } from '../attempts/attempts.ts';
import { rescue } from '../rescue.ts';
import type { Stream } from './stream.ts';

/** What a stream's timers do. Module-level functions: a timer is made once with its stream and allocates nothing. */

function inTurn(stream: Stream, run: (stream: Stream) => void): void {
  const { engine } = stream;
  engine.turn.begin();
  try {
    run(stream);
  } catch (defect) {
    engine.defect(stream, defect);
  } finally {
    engine.turn.end();
  }
}

export function onRequestTimeout(stream: Stream): void {
  inTurn(stream, timeOut);
}

function timeOut(stream: Stream): void {
  stream.cluster?.metrics.timeouts.add();
  rescue(stream, 'TULLE_REQUEST_TIMEOUT');
}

export function onPerTryTimeout(stream: Stream): void {
  inTurn(stream, perTryTimeout);
}

export function onRetryDelay(stream: Stream): void {
  inTurn(stream, nextAttempt);
}

export function onIdleTimeout(stream: Stream): void {
  if (!stream.live) return;
  const nowMs = stream.engine.turn.nowMs;
  const leftMs = stream.movedMs + stream.idleTimeoutMs - nowMs;
  // Bytes moved since it was armed: wait for the rest.
  if (leftMs > 0) return stream.armIdleTimer(leftMs, nowMs);
  if (stream.downstream.takesOn()) return stream.armIdleTimer(stream.idleTimeoutMs, nowMs);
  inTurn(stream, idle);
}

function idle(stream: Stream): void {
  // Answered already, and the rest of the request does not come: the connection is not worth waiting for.
  if (stream.responseEnded) return stream.downstream.abandonRequest(stream);
  rescue(stream, 'TULLE_STREAM_IDLE');
}
