import type { FieldTable } from '@tulle/fields';
import { BODY_CHUNKED, BODY_LENGTH, BODY_NONE } from '@tulle/http1';
import { mayBeSentTwice } from '../attempts/repeat.ts';
import { PAUSE_FLOW, PAUSE_HOOK } from '../sides.ts';
import { AT_ATTEMPTS, AT_REQUEST, type Stream } from '../stream/stream.ts';
import { actOnBody } from './act.ts';
import { BodyPipe, type PipeOutlet } from './body.ts';
import { completeIfOver } from './complete.ts';
import { dropIdentityFields } from './hygiene.ts';
import { carryOutReply } from './response.ts';
import { REQUEST_TRAILERS } from './phases.ts';
import { collectsRequest, requestSteps } from './body-steps.ts';
import type { Bytes } from '../bytes.ts';

/** The request's body, from the caller through the data hooks to the attempt. Called by the downstream side. */

/** A piece of body. @returns whether `chunk` is kept (D1) */
export function requestData(
  stream: Stream,
  chunk: Bytes,
  start: number,
  end: number,
  owned: boolean,
): boolean {
  stream.bytesReceived += end - start;
  stream.moved(stream.engine.turn.nowMs);
  stream.expectsContinue = false;
  if (stream.discardRequest) return false;
  const steps = requestSteps(stream);
  if (steps === null) return forwardPiece(stream, chunk, start, end, owned);
  return (stream.requestPipe ??= new BodyPipe(stream, steps, false, OUTLET)).push(chunk, start, end, owned);
}

/** The request is whole. @param trailers checked, valid until the stream is over; `undefined` without */
export function requestEnd(stream: Stream, trailers: FieldTable | undefined): void {
  stream.requestReceived = true;
  stream.receivedAt(stream.engine.turn.nowMs);
  if (stream.discardRequest) return completeIfOver(stream);
  // A claim behind the body is none either: no peer has to make one there.
  if (trailers !== undefined && stream.chain.settings.stripIdentityHeaders) dropIdentityFields(trailers);
  stream.requestTrailers = trailers;
  const steps = requestSteps(stream);
  if (steps !== null && stream.requestBodyKind !== BODY_NONE) {
    (stream.requestPipe ??= new BodyPipe(stream, steps, false, OUTLET)).end();
    return;
  }
  bodyDone(stream);
}

const OUTLET: PipeOutlet = {
  onPiece(stream, bytes, end) {
    if (stream.phase === AT_REQUEST) {
      if (end) {
        // Only a buffering hook holds the whole body back: now its length is known.
        stream.requestBodyKind = BODY_LENGTH;
        stream.requestLength = bytes.length;
      } else if (stream.requestPipe?.changed === true) {
        stream.requestBodyKind = BODY_CHUNKED;
        stream.requestLength = -1;
      }
      if (stream.grpc) stream.countRequest(bytes, 0, bytes.length);
      stream.replay.hold(bytes, 0, bytes.length);
      // A hook that wants the beginning alone has it: the rest goes to the endpoint as it comes.
      if (!end) actOnBody(stream);
      return false;
    }
    return forwardPiece(stream, bytes, 0, bytes.length, true);
  },
  onBodyEnd(stream) {
    if (stream.phase === AT_REQUEST && collectsRequest(stream) && (stream.keptReplay?.bytes ?? 0) === 0) {
      stream.requestBodyKind = BODY_LENGTH;
      stream.requestLength = 0;
    }
    bodyDone(stream);
  },
  onStopped(stream) {
    carryOutReply(stream);
  },
  onWaiting(stream, waiting) {
    if (waiting) stream.downstream.pauseRequest(stream, PAUSE_HOOK);
    else stream.downstream.resumeRequest(stream, PAUSE_HOOK);
  },
};

function bodyDone(stream: Stream): void {
  if (stream.requestTrailers !== undefined && stream.table.requestTrailers !== null)
    stream.engine.doors.advance(stream, REQUEST_TRAILERS, 0);
  else requestTrailersDone(stream);
}

/** Body and trailers passed every hook. */
export function requestTrailersDone(stream: Stream): void {
  stream.requestEnded = true;
  if (stream.phase === AT_REQUEST) {
    if (collectsRequest(stream) && stream.requestBodyKind !== BODY_NONE) actOnBody(stream);
    return;
  }
  if (stream.mirrors !== undefined) stream.mirrors.end(stream.requestTrailers);
  if (stream.phase === AT_ATTEMPTS) stream.engine.doors.armAttemptTimers(stream);
  endAttemptRequest(stream);
}

/** Tells the attempt that the request is whole, when there is one that does not know. */
export function endAttemptRequest(stream: Stream): void {
  if (stream.upstream === undefined || stream.attemptRequestEnded || stream.waiting) return;
  stream.attemptRequestEnded = true;
  stream.attempt.sentUs = stream.microsAt(stream.engine.turn.nowMs);
  stream.upstream.sendEnd(stream.requestTrailers);
}

function forwardPiece(stream: Stream, chunk: Bytes, start: number, end: number, owned: boolean): boolean {
  const { upstream, replay } = stream;
  if (stream.grpc) stream.countRequest(chunk, start, end);
  if (stream.mirrors !== undefined) stream.mirrors.data(chunk, start, end);
  if (upstream === undefined) {
    // No connection yet: hold it, and stop reading when it gets much.
    replay.hold(chunk, start, end);
    if (replay.overfull) stream.downstream.pauseRequest(stream, PAUSE_FLOW);
    return false;
  }
  if (replay.complete) {
    if (mayBeSentTwice(stream)) replay.add(chunk, start, end);
    else replay.drop();
  }
  const kept = upstream.sendData(chunk, start, end, owned);
  if (upstream.full) stream.downstream.pauseRequest(stream, PAUSE_FLOW);
  return kept;
}

/** The endpoint's connection has room again. */
export function upstreamDrained(stream: Stream): void {
  stream.moved(stream.engine.turn.nowMs);
  if (!stream.requestReceived) stream.downstream.resumeRequest(stream, PAUSE_FLOW);
}
