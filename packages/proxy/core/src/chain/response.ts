import type { FieldTable } from '@tulle/fields';
import { tellSession } from '../attempts/sessions.ts';
import { BODY_CHUNKED, BODY_LENGTH, BODY_NONE, stripHopByHop } from '@tulle/http1';
import { canEndAsGrpc, writeGrpcTrailers } from '../grpc/grpc-reply.ts';
import { PAUSE_FLOW, PAUSE_HOOK } from '../sides.ts';
import { AT_END, AT_RESPONSE, type Stream } from '../stream/stream.ts';
import { BodyPipe, type PipeOutlet } from './body.ts';
import { appendField } from './append-field.ts';
import { chosenSteps } from './body-steps.ts';
import { completeIfOver, completeStream } from './complete.ts';
import { takeOperation, tellOperation } from './decorator.ts';
import { editFields } from './edits.ts';
import { adoptReply, recordBareFailure, recordFailure } from './reply.ts';
import { RESPONSE_HEADERS, RESPONSE_TRAILERS } from './phases.ts';
import { BUFFER, TRANSFORM, type DataStep } from './tables.ts';
import type { Bytes } from '../bytes.ts';

/** The response, from the endpoint or from Tulle itself, through the filters in reverse to the caller. */

/** Delivers the endpoint's response, whose head is `stream.responseHead`. */
export function deliver(stream: Stream): void {
  const head = stream.responseHead;
  stream.phase = AT_RESPONSE;
  stream.perTryTimer?.cancel();
  stream.responseBodyKind = head.bodyKind;
  stream.responseLength = head.contentLength;
  stream.ownReason = true;
  if (stream.target !== undefined && stream.target.responseEdits.length > 0)
    editFields(stream, stream.responseFields, stream.target.responseEdits);
  if (stream.chain.settings.decorates === 'endpoint') takeOperation(stream, stream.responseFields);
  if (stream.hashCookie !== '') stream.responseFields.add('set-cookie', stream.hashCookie);
  const action = stream.route?.action;
  if (action?.kind === 'forward' && action.persistence !== null) tellSession(stream, action.persistence);
  ownFields(stream, stream.responseFields);
  if (head.tunnel) return openTunnel(stream);
  if (stream.table.responseHeaders === null) responseHeadDone(stream);
  else stream.engine.doors.advance(stream, RESPONSE_HEADERS, 0);
}

/** Fields by which this proxy speaks of itself, as its handler says. */
function ownFields(stream: Stream, fields: FieldTable): void {
  const { chain, headers, requestId, http2, attemptCount } = stream;
  const action = stream.route?.action;
  // Of a failed attempt too: only what was never sent anywhere has no count.
  if (attemptCount > 0 && action?.kind === 'forward' && action.countsToCaller)
    fields.put('x-envoy-attempt-count', String(attemptCount));
  const { serverHeader, serverHeaderIfAbsent, via, requestId: ids, decorates } = chain.settings;
  if (decorates === 'caller') tellOperation(stream, fields);
  if (serverHeader !== undefined && !(serverHeaderIfAbsent && fields.has('server')))
    fields.put('server', serverHeader);
  if (via !== '') appendField(fields, 'via', `${http2 ? '2' : '1.1'} ${via}`);
  if (ids.inResponse && (ids.generate || headers.has('x-request-id'))) fields.put('x-request-id', requestId);
}

/** Makes the endpoint's head the stream's response as far as `attemptEnd` hooks look at it. */
export function showResponse(stream: Stream): void {
  const head = stream.responseHead;
  stripHopByHop(head.fields, head.connectionNames);
  stream.responseFields = head.fields;
  stream.status = head.status;
  stream.ownReason = true;
  stream.responseLocal = false;
}

/** Answers with what `recordReply` or `recordFailure` wrote down; attempts end. */
export function carryOutReply(stream: Stream): void {
  if (stream.phase === AT_END) return;
  if (stream.responseStarted) return abortResponse(stream);
  stream.engine.doors.cancelAttempt(stream);
  discardRequest(stream);
  stream.responsePipe?.revoke();
  stream.responsePipe = undefined;
  const again = stream.phase === AT_RESPONSE && stream.responseHeadDone;
  stream.phase = AT_RESPONSE;
  adoptReply(stream);
  ownFields(stream, stream.localFields);
  // After response head hooks ran for another response, they do not run twice.
  if (again) writeLocal(stream);
  else if (stream.table.responseHeaders === null) responseHeadDone(stream);
  else stream.engine.doors.advance(stream, RESPONSE_HEADERS, 0);
}

/** What still comes of the request is read, as far as that is worth it, and thrown away. */
function discardRequest(stream: Stream): void {
  stream.requestPipe?.revoke();
  if (stream.requestReceived) return;
  stream.discardRequest = true;
  stream.downstream.resumeRequest(stream, PAUSE_HOOK);
  stream.downstream.resumeRequest(stream, PAUSE_FLOW);
}

/** A response head hook replied: the reply takes the response's place. @returns false when the stream is over */
export function adoptReplyInResponse(stream: Stream): boolean {
  if (stream.responseStarted) {
    abortResponse(stream);
    return false;
  }
  stream.engine.doors.cancelAttempt(stream);
  discardRequest(stream);
  adoptReply(stream);
  ownFields(stream, stream.localFields);
  return true;
}

/** The response cannot be completed: the caller must see that. A gRPC caller is told why, in trailers. */
export function abortResponse(stream: Stream): void {
  stream.engine.doors.cancelAttempt(stream);
  if (canEndAsGrpc(stream)) {
    stream.responseTrailers = stream.savedTrailers ??= stream.engine.newTable();
    writeGrpcTrailers(stream, stream.responseTrailers);
    return responseTrailersDone(stream);
  }
  stream.downstream.abort(stream);
  completeStream(stream);
}

/** All response head hooks passed. */
export function responseHeadDone(stream: Stream): void {
  stream.responseHeadDone = true;
  const { table } = stream;
  const hasBody = stream.responseBodyKind !== BODY_NONE;
  if (table.responseData !== null) {
    if (hasBody) openPipe(stream, table.responseData);
    else if (stream.method === 'HEAD' && !stream.responseLocal) describeChanged(stream, table.responseData);
  }
  if (!stream.responseHeadHeld && !writeHead(stream)) return;
  if (stream.responseLocal) writeLocalBody(stream);
  else stream.upstream?.resumeResponse(PAUSE_HOOK);
}

/** An answer to HEAD tells what GET would: not the length and validators of a body that filters would change. */
function describeChanged(stream: Stream, all: readonly DataStep[]): void {
  const steps = chosenSteps(all, stream.responseChoices);
  // What a collecting hook would do with the body is not known without one.
  const changes = steps.some(({ mode, recodes }) => mode === BUFFER || (mode === TRANSFORM && !recodes));
  if (!changes && !steps.some(({ recodes }) => recodes)) return;
  stream.responseLength = -1;
  dropValidators(stream, changes);
}

/** The body's way through the data hooks. */
function openPipe(stream: Stream, all: readonly DataStep[]): void {
  const steps = chosenSteps(all, stream.responseChoices);
  if (steps.length === 0) return;
  let transformed = false;
  let recoded = false;
  for (let i = 0; i < steps.length; i++) {
    const { mode, recodes } = steps[i] as DataStep;
    if (mode === BUFFER) stream.responseHeadHeld = true;
    else if (recodes) recoded = true;
    else if (mode === TRANSFORM) transformed = true;
  }
  if (transformed || recoded) changeBodyFields(stream, transformed);
  stream.responsePipe = new BodyPipe(stream, steps, true, OUTLET);
}

/** A failure in the middle of the response hooks, with nothing sent yet: it is answered past them. */
function writeLocal(stream: Stream): void {
  stream.responseHeadHeld = false;
  if (writeHead(stream)) writeLocalBody(stream);
}

function writeLocalBody(stream: Stream): void {
  const body = stream.replyBody;
  if (stream.responseBodyKind !== BODY_NONE && body !== undefined && body.length > 0) {
    if (stream.responsePipe === undefined) stream.downstream.writeData(stream, body, 0, body.length, true);
    else stream.responsePipe.push(body, 0, body.length, true);
  }
  if (!stream.responseEnded && stream.live) responseEnd(stream, undefined);
}

/**
 * A changed body has another length, and the endpoint's validators do not describe it (D12). Where only its coding
 * changed it still means the same: a strong etag becomes weak (RFC 9110 §8.8.1).
 */
function changeBodyFields(stream: Stream, dropEtag: boolean): void {
  stream.responseBodyKind = BODY_CHUNKED;
  stream.responseLength = -1;
  dropValidators(stream, dropEtag);
}

function dropValidators(stream: Stream, dropEtag: boolean): void {
  const fields = stream.responseFields;
  for (const name of ['content-md5', 'digest', 'content-digest', 'repr-digest', 'accept-ranges'])
    fields.drop(name);
  const etag = fields.get('etag');
  if (etag === undefined) return;
  if (dropEtag) fields.drop('etag');
  else if (!etag.startsWith('W/')) fields.put('etag', `W/${etag}`);
}

/** @returns false when the head could not be encoded and the stream went another way */
function writeHead(stream: Stream): boolean {
  if (stream.responseStarted) return true;
  stream.responseHeadHeld = false;
  if (stream.downstream.writeHead(stream)) {
    stream.responseStarted = true;
    stream.answersAt(stream.engine.turn.nowMs);
    return true;
  }
  recordBareFailure(stream, 'TULLE_INTERNAL', 'response_head_not_encodable');
  carryOutReply(stream);
  return false;
}

/** A piece of the endpoint's body. @returns whether `chunk` is kept (D1) */
export function responseData(
  stream: Stream,
  chunk: Bytes,
  start: number,
  end: number,
  owned: boolean,
): boolean {
  stream.moved(stream.engine.turn.nowMs);
  if (stream.grpc) stream.countResponse(chunk, start, end);
  if (stream.responsePipe !== undefined) return stream.responsePipe.push(chunk, start, end, owned);
  return writePiece(stream, chunk, start, end, owned);
}

function writePiece(stream: Stream, chunk: Bytes, start: number, end: number, owned: boolean): boolean {
  const { downstream } = stream;
  const kept = downstream.writeData(stream, chunk, start, end, owned);
  if (downstream.full) stream.upstream?.pauseResponse(PAUSE_FLOW);
  return kept;
}

/** The endpoint's (or the local) body is whole. */
export function responseEnd(stream: Stream, trailers: FieldTable | undefined): void {
  stream.responseTrailers = trailers;
  if (stream.responsePipe !== undefined) stream.responsePipe.end();
  else bodyDone(stream);
}

const OUTLET: PipeOutlet = {
  onPiece(stream, bytes, end) {
    if (stream.responseHeadHeld) {
      const changed = stream.responsePipe?.changed === true;
      if (end) {
        if (changed) dropValidators(stream, true);
        stream.responseBodyKind = BODY_LENGTH;
        stream.responseLength = bytes.length;
      } else if (changed) changeBodyFields(stream, true);
      if (!writeHead(stream)) return false;
    }
    return writePiece(stream, bytes, 0, bytes.length, true);
  },
  onBodyEnd(stream) {
    if (stream.responseHeadHeld) {
      if (stream.responsePipe?.changed === true) dropValidators(stream, true);
      stream.responseBodyKind = BODY_LENGTH;
      stream.responseLength = 0;
      if (!writeHead(stream)) return;
    }
    bodyDone(stream);
  },
  onStopped(stream) {
    carryOutReply(stream);
  },
  onWaiting(stream, waiting) {
    if (waiting) stream.upstream?.pauseResponse(PAUSE_HOOK);
    else stream.upstream?.resumeResponse(PAUSE_HOOK);
  },
};

function bodyDone(stream: Stream): void {
  if (stream.responseTrailers !== undefined && stream.table.responseTrailers !== null)
    stream.engine.doors.advance(stream, RESPONSE_TRAILERS, 0);
  else responseTrailersDone(stream);
}

/** Body and trailers passed every hook. */
export function responseTrailersDone(stream: Stream): void {
  const { responseTrailers } = stream;
  stream.downstream.writeEnd(
    stream,
    responseTrailers === undefined || responseTrailers.length === 0 ? undefined : responseTrailers,
  );
  stream.responseEnded = true;
  // Where the endpoint did not wait for the end of the request, what still comes is nobody's.
  if (!stream.requestReceived) {
    discardRequest(stream);
    // It gets a moment to come; the caller has its answer.
    stream.idleTimeoutMs = stream.engine.limits.lingerMs;
    stream.armIdleTimer(stream.idleTimeoutMs);
    stream.moved(stream.engine.turn.nowMs);
  }
  completeIfOver(stream);
}

function openTunnel(stream: Stream): void {
  const { upstream } = stream;
  if (upstream === undefined || !stream.downstream.writeHead(stream)) {
    recordFailure(stream, 'TULLE_INTERNAL', 'tunnel');
    return carryOutReply(stream);
  }
  stream.responseStarted = true;
  stream.answersAt(stream.engine.turn.nowMs);
  stream.requestTimer?.cancel();
  stream.receiveTimer?.cancel();
  if (stream.chain.settings.logMoments?.tunnel === true) stream.engine.recorder.logMoment(stream, 'tunnel');
  stream.downstream.tunnel(stream, upstream);
}

/** The caller's connection has room again. */
export function downstreamDrained(stream: Stream): void {
  stream.moved(stream.engine.turn.nowMs);
  if (!stream.responseLocal) stream.upstream?.resumeResponse(PAUSE_FLOW);
}
