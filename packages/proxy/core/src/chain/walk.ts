import {
  explainPathRefusal,
  hasEscapedSlashes,
  hasPathParameters,
  hostOf,
  normalizeHost,
  normalizePath,
  portOf,
  stripPathParameters,
} from '@tulle/match';
import { stripHopByHop, TARGET_AUTHORITY, TARGET_ORIGIN } from '@tulle/http1';
import { putOff } from '../overload/put-off.ts';
import { refuse } from '../overload/refuse.ts';
import { FIELD_TE } from '@tulle/fields';
import { isGrpcCall } from '../grpc/grpc-call.ts';
import { rescue } from '../rescue.ts';
import { PAUSE_HOOK } from '../sides.ts';
import {
  HYGIENE_CALLER_UNKNOWN,
  HYGIENE_PATH_NORMALIZED,
  RAN_ALL,
  RAN_STOPPED,
  RAN_WAITING,
  SITE_HYGIENE,
  SITE_PHASE,
} from '../stream/sites.ts';
import type { HttpSettings } from '../compile/compiled.ts';
import type { Stream } from '../stream/stream.ts';
import { act, refusesUpgrade } from './act.ts';
import { takeOperation } from './decorator.ts';
import { slashesOf } from './escaped-slashes.ts';
import { editFields } from './edits.ts';
import { awaitRoute } from './await-demand.ts';
import { addRequestFields, treatUnderscores } from './hygiene.ts';
import { recordReply } from './reply.ts';
import { matchRoute } from './route.ts';
import { requestTrailersDone } from './request-body.ts';
import { responseHeadDone, responseTrailersDone, adoptReplyInResponse, carryOutReply } from './response.ts';
import {
  ATTEMPT_HEADERS,
  BEFORE_ROUTE,
  REQUEST_HEADERS,
  REQUEST_TRAILERS,
  RESPONSE_HEADERS,
  RESPONSE_TRAILERS,
  type HeadPhase,
} from './phases.ts';
import { DONE, PENDING, runSteps, stepsOf } from './run.ts';

/**
 * A request's walk through the chain, in order:
 *
 * 1. `beginStream`: the head is checked and cleaned: one path, one host, no hop-by-hop and no claimed identity.
 * 2. Before-route filters, the route, then the route's own filters ({@link advance} runs a phase, {@link followUp} says
 *    what comes after it).
 * 3. `act`: redirect, direct response, or on to the attempts.
 * 4. `response.ts`: the response head through the filters in reverse, then the body.
 * 5. `complete.ts`: the record, and the stream goes back to its pool.
 */
export function beginStream(stream: Stream): void {
  const head = stream.requestHead;
  stream.method = head.method;
  stream.requestBodyKind = head.bodyKind;
  stream.requestLength = head.contentLength;
  stream.expectsContinue = head.expectContinue;
  stream.table = stream.chain.unrouted;
  const target = head.path;
  const { settings } = stream.chain;
  const slashes = slashesOf(settings);
  if (head.targetForm === TARGET_AUTHORITY) {
    stream.isConnect = true;
    stream.originalPath = stream.path = '/';
  } else if (head.queryIndex === target.length) {
    stream.originalPath = target;
    stream.path = normalizePath(target, slashes);
  } else {
    const path = target.slice(0, head.queryIndex);
    stream.originalPath = path;
    stream.originalQuery = stream.query = target.slice(head.queryIndex + 1);
    stream.path = normalizePath(path, slashes);
  }
  const { connection } = stream.downstream;
  const authority =
    head.authority === ''
      ? settings.defaultHost || hostOfListener(connection.localAddress, connection.localPort)
      : head.authority;
  stream.authority = normalizeHost(authority);
  if (settings.stripPort !== undefined && !stream.isConnect) stripPort(stream, settings.stripPort);
  if (stream.idleTimeoutMs > 0) stream.armIdleTimer(stream.idleTimeoutMs, stream.startMs);
  const trailers = takesTrailers(stream);
  stripHopByHop(stream.headers, head.connectionNames);
  if (trailers) stream.headers.add('te', 'trailers');
  stream.grpc = isGrpcCall(stream);
  if (settings.earlyEdits !== null) editFields(stream, stream.headers, settings.earlyEdits);
  const cleaned = addRequestFields(stream, connection);
  if (settings.decorates === 'caller') takeOperation(stream, stream.headers);
  const done = stream.path === stream.originalPath ? cleaned : cleaned | HYGIENE_PATH_NORMALIZED;
  if (done !== 0) stream.note(SITE_HYGIENE, done, 0);
  (stream.chain.tracer?.tracing ?? stream.engine.tracing)?.begin(stream);
  if ((done & HYGIENE_CALLER_UNKNOWN) !== 0) return refuseUnknownCaller(stream);
  if (stream.path === '') {
    stream.path = stream.originalPath;
    return rescue(
      stream,
      'TULLE_PATH_REFUSED',
      `path_normalization_failed{${explainPathRefusal(stream.originalPath, slashes)}}`,
    );
  }
  if (stream.authority === '') {
    stream.authority = authority;
    return rescue(stream, 'TULLE_DOWNSTREAM_PROTOCOL', 'http1.codec_error{host}');
  }
  const { overload } = stream.engine;
  if (stream.startMs > overload.admitUntilMs && (refuse(stream, overload) || putOff(stream, overload)))
    return;
  beginRequest(stream);
}

/** A request that its endpoint's answer led on begins anew: its head is clean, and it was let in. */
export function beginAgain(stream: Stream): void {
  stream.table = stream.chain.unrouted;
  if (stream.idleTimeoutMs > 0) stream.armIdleTimer(stream.idleTimeoutMs, stream.startMs);
  stream.grpc = isGrpcCall(stream);
  (stream.chain.tracer?.tracing ?? stream.engine.tracing)?.begin(stream);
  beginRequest(stream);
}

/** The head is clean, and the loop has time for it. */
export function beginRequest(stream: Stream): void {
  const { settings } = stream.chain;
  if (!settings.acceptHttp10 && !stream.http2 && stream.requestHead.minorVersion === 0)
    return rescue(stream, 'TULLE_DOWNSTREAM_PROTOCOL', 'low_version', 426);
  if (!treatUnderscores(stream))
    return rescue(stream, 'TULLE_DOWNSTREAM_PROTOCOL', 'http1.unexpected_underscore');
  if (settings.escapedSlashes === 'redirect' && hasEscapedSlashes(stream.originalPath))
    return redirectUnescaped(stream);
  limitDuration(stream, settings);
  const { pathParameters } = settings;
  if (pathParameters !== 'keep' && hasPathParameters(stream.path)) {
    const path = pathParameters === 'strip' ? stripPathParameters(stream.path) : '';
    if (path === '') return rescue(stream, 'TULLE_PATH_REFUSED', 'path_normalization_failed{parameters}');
    stream.path = path;
  }
  const { logMoments } = settings;
  if (logMoments !== undefined) {
    if (logMoments.everyMs > 0) stream.armLogTimer(logMoments.everyMs);
    if (logMoments.start && stream.chain.beforeRoute !== null)
      stream.engine.recorder.logMoment(stream, 'start');
  }
  if (stream.chain.beforeRoute === null) followUp(stream, BEFORE_ROUTE);
  else advance(stream, BEFORE_ROUTE, 0);
}

/** Envoy `strip_any_host_port` and `strip_matching_host_port`. */
function stripPort(stream: Stream, which: 'any' | 'matching'): void {
  const { authority } = stream;
  const port = portOf(authority);
  if (port !== 0 && (which === 'any' || port === stream.downstream.connection.localPort))
    stream.authority = hostOf(authority);
}

/** Envoy `CustomHeaderConfig.reject_with_status`. */
function refuseUnknownCaller(stream: Stream): void {
  const status = stream.chain.settings.forwarding?.refuseStatus ?? 403;
  recordReply(stream, status, 'TULLE_LOCAL_REPLY', '', undefined, 'rejecting_because_detection_failed');
  carryOutReply(stream);
}

/** Who wrote slashes as escapes is sent where they are slashes, by the same method (RFC 9110 §15.4.8). */
function redirectUnescaped(stream: Stream): void {
  const { path, query } = stream;
  const location = query === undefined ? path : `${path}?${query}`;
  recordReply(stream, 307, 'TULLE_LOCAL_REPLY', '', ['location', location], 'path_normalization{redirect}');
  carryOutReply(stream);
}

function limitDuration(stream: Stream, { requestTimeoutMs, maxStreamDurationMs }: HttpSettings): void {
  if (requestTimeoutMs > 0 && !stream.requestReceived) stream.armReceiveTimer(requestTimeoutMs);
  if (maxStreamDurationMs > 0) stream.armDurationTimer(maxStreamDurationMs);
}

/**
 * Whether the caller says `TE: trailers`, by the rules of its version: that is passed on, since gRPC's servers insist on
 * it (RFC 9110 §10.1.4; encoders of HTTP/1 leave it out).
 */
function takesTrailers({ http2, requestHead, headers }: Stream): boolean {
  if (!http2 && requestHead.connectionNames.length === 0) return false;
  const at = headers.indexOfId(FIELD_TE);
  if (at < 0 || !(http2 || requestHead.connectionNames.includes('te'))) return false;
  return /(?:^|,)[\t ]*trailers[\t ]*(?:,|;|$)/i.test(headers.value(at));
}

/** HTTP/1.0 lets a client leave Host out; what it connected to is what it means. */
function hostOfListener(address: string, port: number): string {
  if (address === '') return 'localhost';
  const bare = address.startsWith('::ffff:') ? address.slice(7) : address;
  return bare.includes(':') ? `[${bare}]:${port}` : `${bare}:${port}`;
}

/** Runs a phase from step `from` on, then what follows it. */
export function advance(stream: Stream, phase: HeadPhase, from: number): void {
  for (let next = from; ;) {
    const steps = stepsOf(stream, phase);
    if (stream.replyPending) {
      // Recorded by a hook whose promise settled with STOP, or that threw.
      stream.note(SITE_PHASE, phase * 4 + RAN_STOPPED, stream.slot);
      if (phase !== RESPONSE_HEADERS) return carryOutReply(stream);
      if (!adoptReplyInResponse(stream)) return;
    }
    if (steps === null) break;
    const result = runSteps(stream, phase, steps, next, advance);
    if (result === PENDING) {
      stream.note(SITE_PHASE, phase * 4 + RAN_WAITING, stream.slot);
      if (phase <= REQUEST_TRAILERS) stream.downstream.pauseRequest(stream, PAUSE_HOOK);
      else if (phase !== ATTEMPT_HEADERS) stream.upstream?.pauseResponse(PAUSE_HOOK);
      return;
    }
    if (result === DONE) {
      stream.note(SITE_PHASE, phase * 4 + RAN_ALL, stream.slot);
      break;
    }
    // The reply takes the response's place; the filters that are still to come see it.
    next = indexAfterSlot(stream, phase);
  }
  followUp(stream, phase);
}

/** In response phases (reverse order): the step after the one that stopped. */
function indexAfterSlot(stream: Stream, phase: HeadPhase): number {
  const steps = stepsOf(stream, phase) ?? [];
  let i = 0;
  while (i < steps.length && (steps[i] as { filter: { slot: number } }).filter.slot >= stream.slot) i++;
  return i;
}

/** What comes when every hook of a phase has passed. */
function followUp(stream: Stream, phase: HeadPhase): void {
  switch (phase) {
    case BEFORE_ROUTE:
      if (stream.chain.beforeRoute !== null) stream.grpc = isGrpcCall(stream);
      matchRoute(stream);
      if (stream.requestHead.upgrade !== undefined && refusesUpgrade(stream))
        return rescue(stream, 'TULLE_UPGRADE_REFUSED');
      if (stream.chain.onDemand !== undefined && awaitRoute(stream)) return;
      if (stream.chain.settings.logMoments?.start === true && stream.chain.beforeRoute === null)
        stream.engine.recorder.logMoment(stream, 'start');
      if (stream.table.requestHeaders !== null) return advance(stream, REQUEST_HEADERS, 0);
      return requestHeadersDone(stream);
    case REQUEST_HEADERS:
      return requestHeadersDone(stream);
    case REQUEST_TRAILERS:
      stream.downstream.resumeRequest(stream, PAUSE_HOOK);
      return requestTrailersDone(stream);
    case RESPONSE_HEADERS:
      return responseHeadDone(stream);
    case RESPONSE_TRAILERS:
      return responseTrailersDone(stream);
    case ATTEMPT_HEADERS:
      return stream.engine.doors.connectAttempt(stream);
  }
}

/** What there was no route or cluster for may be there now. */
export function routeAgain(stream: Stream): void {
  followUp(stream, BEFORE_ROUTE);
}

function requestHeadersDone(stream: Stream): void {
  act(stream);
  if (stream.live) stream.downstream.resumeRequest(stream, PAUSE_HOOK);
}

/** Whether the request's target can be sent on as it came, without being put together again. */
export function targetUnchanged(stream: Stream): boolean {
  return (
    stream.requestHead.targetForm === TARGET_ORIGIN &&
    stream.path === stream.originalPath &&
    stream.query === stream.originalQuery
  );
}
