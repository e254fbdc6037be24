import { nextAttempt, perTryTimeout } from '../attempts/attempts.ts';
import { silentTry } from '../attempts/silent-try.ts';
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
  if (stream.attempt.running && stream.endpoint !== undefined) stream.endpoint.data.counts.timeouts++;
  rescue(stream, 'TULLE_REQUEST_TIMEOUT');
}

export function onPerTryTimeout(stream: Stream): void {
  inTurn(stream, perTryTimeout);
}

export function onTryIdle(stream: Stream): void {
  inTurn(stream, silentTry);
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
  rescue(stream, 'TULLE_STREAM_IDLE', undefined, lateStatus(stream));
}

/** Envoy `request_timeout`: the whole request did not come in time. */
export function onReceiveTimeout(stream: Stream): void {
  // Once an answer has begun it is no longer of interest: what is under way is not broken off.
  if (stream.live && !stream.requestReceived && !stream.responseStarted) inTurn(stream, notReceived);
}

function notReceived(stream: Stream): void {
  rescue(stream, 'TULLE_REQUEST_HEAD_TIMEOUT', 'request_overall_timeout', 408);
}

/** Envoy `max_stream_duration`: request and response are not over in time. */
export function onDurationTimeout(stream: Stream): void {
  if (stream.live) inTurn(stream, outlasted);
}

function outlasted(stream: Stream): void {
  // Its response is out; the rest of the request is not worth waiting for.
  if (stream.responseEnded) return stream.downstream.abandonRequest(stream);
  rescue(stream, 'TULLE_REQUEST_TIMEOUT', 'max_duration_timeout', lateStatus(stream));
}

/** Envoy `access_log_flush_interval`: the stream goes on, and its chain's logs are told so. */
export function onLogInterval(stream: Stream): void {
  if (stream.live) inTurn(stream, logGoing);
}

function logGoing(stream: Stream): void {
  const { logMoments } = stream.chain.settings;
  if (logMoments === undefined) return;
  stream.engine.recorder.logMoment(stream, 'periodic');
  stream.armLogTimer(logMoments.everyMs);
}

/**
 * Whom it is to blame on: 408 a caller whose request is not there yet, 504 what is behind (RFC 9110 §15.5.9, §15.6.5). While a request
 * waits for the proxy itself, for its turn or for a filter, it is not read on: then nothing that is missing is the caller's fault.
 */
function lateStatus({ requestReceived, pendingHooks, routed }: Stream): number {
  return requestReceived || pendingHooks > 0 || !routed ? 504 : 408;
}
