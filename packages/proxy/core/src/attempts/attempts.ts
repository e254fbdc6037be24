import { errorRow, type ErrorCode } from '@tulle/filter';
import { FieldTable } from '@tulle/fields';
import { isFailure, LOCAL_FAILURE, NEUTRAL, type Outcome } from '@tulle/balance';
import { normalizeHost } from '@tulle/match';
import { appendField } from '../chain/append-field.ts';
import { awaitCluster } from '../chain/await-demand.ts';
import { recordFailure } from '../chain/reply.ts';
import { carryOutReply, deliver, showResponse } from '../chain/response.ts';
import { endAttemptRequest } from '../chain/request-body.ts';
import { ATTEMPT_HEADERS } from '../chain/phases.ts';
import { advance } from '../chain/walk.ts';
import { isEndpointFailure, readGrpcStatus } from '../grpc/grpc-status.ts';
import { takeLoadReport } from './take-load-report.ts';
import { outcomeOf, outcomeOfAnswer } from './outcome-of-answer.ts';
import { passDeadlineOn } from '../grpc/grpc-timeout.ts';
import { rescue } from '../rescue.ts';
import {
  PAUSE_FLOW,
  type OnDemandStreams,
  type UpstreamCluster,
  type UpstreamEndpoint,
  type UpstreamStream,
} from '../sides.ts';
import {
  CLUSTER_ABSENT,
  CLUSTER_DROPS,
  CLUSTER_FULL,
  countsOf,
  SITE_ATTEMPT,
  SITE_CLUSTER,
  SITE_ENDPOINT,
  SITE_GRPC_STATUS,
  SITE_STALE,
} from '../stream/sites.ts';
import { AT_ATTEMPTS, type Stream } from '../stream/stream.ts';
import { chooseEndpoint } from './choose-endpoint.ts';
import { beginRedirected, redirectedTo } from './internal-redirect.ts';
import { hashKey } from './hash-key.ts';
import { isRepeatable, mayBeSentTwice } from './repeat.ts';
import { NO_PIECES } from './replay.ts';
import { asksForRetry, mayRetry, retry, retryOver } from './retry.ts';
import { tellAttempt } from './tell-attempt.ts';
import { armTryTimers } from './try-timers.ts';
import { takeMarker } from './unsent-marker.ts';
import type { Bytes } from '../bytes.ts';

/**
 * The retry loop. One attempt is: {@link nextAttempt} picks an endpoint (minus those tried) → attempt filters →
 * {@link connectAttempt} takes a connection from the pool → {@link sendAttempt} → an outcome, {@link attemptAnswered} or
 * {@link attemptFailed} → {@link decide}: deliver it, or go round again after a delay. Filters propose (attemptEnd), the
 * loop disposes: safety (D5), replay, time left, budget.
 */

/** Fresh tries without a policy for requests that endpoints say they did not look at; more is a refusal to serve. */
const MAX_UNSENT_REPLAYS = 3;

/** The request may go to an endpoint now: its head, and its body where a filter wanted it whole. */
export function beginAttempts(stream: Stream): void {
  stream.phase = AT_ATTEMPTS;
  const cluster = stream.target?.ref.current;
  if (cluster === undefined) {
    if (awaitCluster(stream)) return;
    stream.note(SITE_CLUSTER, CLUSTER_ABSENT, 0);
    const action = stream.route?.action;
    const code = action?.kind === 'forward' ? action.notFound : 'TULLE_CLUSTER_NOT_FOUND';
    return rescue(stream, code, `cluster_not_found{${stream.target?.cluster ?? ''}}`);
  }
  stream.cluster = cluster;
  const drop = cluster.drops?.judge();
  if (drop !== undefined) return refuseDropped(stream, drop);
  const action = stream.route?.action;
  stream.highPriority = action?.kind === 'forward' && action.highPriority;
  if (!cluster.enter(stream.highPriority)) {
    stream.note(SITE_CLUSTER, CLUSTER_FULL, 0);
    return rescue(
      stream,
      'TULLE_UPSTREAM_OVERFLOW',
      'upstream_reset_before_response_started{overflow,requests}',
    );
  }
  stream.admitted = true;
  const nowMs = stream.engine.turn.nowMs;
  cluster.resourcesOf(stream.highPriority).onRequest(nowMs);
  if (action?.kind === 'forward') {
    if (cluster.balancer.hashes) {
      const policy = cluster.hashPolicy ?? action.hashPolicy;
      if (policy !== null) stream.hash = hashKey(stream, policy);
    }
    const { policies } = cluster;
    if (policies !== null) policies.retry?.takeOver(stream);
    if (action.mirrors !== null || (policies !== null && policies.mirrors !== null))
      stream.engine.mirrors.start(stream);
  }
  nextAttempt(stream);
}

/** The control plane has a share of the requests refused. The fields are Envoy's. */
function refuseDropped(stream: Stream, code: 'TULLE_DROP_OVERLOAD' | 'TULLE_DROP_ALL'): void {
  stream.note(SITE_CLUSTER, CLUSTER_DROPS, 0);
  recordFailure(stream, code, undefined);
  const name = code === 'TULLE_DROP_ALL' ? 'x-envoy-unconditional-drop-overload' : 'x-envoy-drop-overload';
  stream.localFields.add(name, 'true');
  carryOutReply(stream);
}

/** One more round: an endpoint is chosen. */
export function nextAttempt(stream: Stream): void {
  const { cluster, attempt, tried } = stream;
  if (cluster === undefined || stream.phase !== AT_ATTEMPTS) return;
  const nowMs = stream.engine.turn.nowMs;
  stream.attemptCount++;
  attempt.begin(cluster.name, stream.microsAt(nowMs));
  stream.attemptRequestEnded = false;
  // Also for connecting: the request is there, so the attempt's time runs.
  if (stream.requestEnded) armAttemptTimers(stream);
  if (cluster.onDemand !== undefined) return findEndpoint(stream, cluster.onDemand);
  const endpoint = chooseEndpoint(stream, cluster, nowMs);
  const { usable, size } = cluster.balancer;
  // That all could be picked goes without saying.
  if (tried.length > 0 || usable < size || usable === 0)
    stream.note(SITE_ENDPOINT, tried.length, countsOf(usable, size));
  if (endpoint === undefined) {
    cluster.metrics.noEndpoint.add();
    return attemptFailed(stream, 'TULLE_UPSTREAM_NO_ENDPOINT', true, undefined);
  }
  endpointChosen(stream, endpoint);
}

/** The request itself says where it goes; it waits where that is not known yet. */
function findEndpoint(stream: Stream, endpoints: OnDemandStreams): void {
  stream.endpoint = undefined;
  const found = endpoints.find(stream);
  if (found === undefined) stream.waiting = true;
  else if (typeof found === 'string') {
    stream.cluster?.metrics.noEndpoint.add();
    attemptFailed(stream, 'TULLE_UPSTREAM_NO_ENDPOINT', true, found);
  } else endpointChosen(stream, found);
}

/** Where the attempt goes is known. */
export function endpointChosen(stream: Stream, endpoint: UpstreamEndpoint): void {
  const { attempt } = stream;
  stream.endpoint = endpoint;
  takeHost(stream, endpoint);
  attempt.address = endpoint.address;
  const { attemptHeaders } = stream.table;
  if (attemptHeaders !== null) keepFields(stream);
  if (stream.trace.sampled) (stream.chain.tracer?.tracing ?? stream.engine.tracing)?.traceAttempt(stream);
  if (attemptHeaders === null) return connectAttempt(stream);
  advance(stream, ATTEMPT_HEADERS, 0);
}

/** Where the route says so, an attempt asks its endpoint by the endpoint's own name (Envoy `auto_host_rewrite`). */
function takeHost(stream: Stream, { endpoint }: UpstreamEndpoint): void {
  const action = stream.route?.action;
  if (action?.kind !== 'forward' || action.rewrite?.hostOfEndpoint !== true || stream.target?.host !== '')
    return;
  const host = normalizeHost(endpoint.hostname ?? '');
  if (host === '' || host === stream.authority) return;
  if (action.rewrite.forwardHost && stream.attemptCount === 1)
    appendField(stream.headers, 'x-forwarded-host', stream.authority);
  stream.authority = host;
}

/** Each attempt's filters begin with the same fields, whatever an earlier attempt's did to them. */
function keepFields(stream: Stream): void {
  // Not by the number of the attempt: the first may have had no endpoint. None are left from a request before.
  if (stream.savedFields !== undefined) stream.headers.copyFrom(stream.savedFields);
  else (stream.savedFields = new FieldTable()).copyFrom(stream.headers);
}

/** Attempt filters passed: a connection is needed. */
export function connectAttempt(stream: Stream): void {
  const { endpoint } = stream;
  if (endpoint === undefined || stream.phase !== AT_ATTEMPTS) return;
  endpoint.onStart();
  stream.attempt.counted = true;
  const connection = endpoint.data.take(stream);
  if (connection !== undefined) sendAttempt(stream, connection);
}

/** A connection is there: the request is sent, as far as it came. */
export function sendAttempt(stream: Stream, connection: UpstreamStream): void {
  const { attempt, keptReplay: replay, endpoint } = stream;
  stream.waiting = false;
  stream.upstream = connection;
  attempt.reused = connection.reused;
  attempt.identity = connection.identity;
  attempt.line = connection.line;
  attempt.connectedUs = stream.microsAt(stream.engine.turn.nowMs);
  if (stream.deadlineMs !== 0) tellDeadline(stream);
  for (const counters of stream.counters) counters.attempted();
  const action = stream.route?.action;
  if (action?.kind === 'forward' && (action.countsToEndpoint || action.tellsTimeoutRetry))
    tellAttempt(stream, action);
  const fault = connection.sendHead(stream);
  if (fault !== undefined) {
    connection.abandon();
    stream.upstream = undefined;
    // What the endpoint does with it would be its own affair; some end the connection, with the requests of others.
    if (fault.rule === 'size') return rescue(stream, fault.code, 'request_headers_too_large{endpoint}');
    stream.engine.log.error(`request not sent: ${fault.reason}`, { requestId: stream.requestId });
    return rescue(stream, fault.code, 'request_head_not_encodable');
  }
  attempt.unsent = false;
  if (endpoint !== undefined) endpoint.data.counts.sent++;
  const pieces = replay === undefined ? NO_PIECES : replay.pieces;
  for (let i = 0; i < pieces.length; i++) {
    const piece = pieces[i] as Bytes;
    connection.sendData(piece, 0, piece.length, true);
  }
  if (replay !== undefined && replay.bytes > 0 && (replay.overfull || !mayBeSentTwice(stream))) replay.drop();
  stream.sent = true;
  if (stream.requestEnded) {
    endAttemptRequest(stream);
    armAttemptTimers(stream);
  } else if (!connection.full && !stream.requestReceived) stream.downstream.resumeRequest(stream, PAUSE_FLOW);
}

function tellDeadline(stream: Stream): void {
  const action = stream.route?.action;
  if (action?.kind === 'forward') passDeadlineOn(stream, action, stream.engine.turn.nowMs);
}

/**
 * Request and per-try timeout run from the end of the request, so that a slow upload is the idle timeout's matter. The
 * deadline of a gRPC call runs already, from its beginning.
 */
export function armAttemptTimers(stream: Stream): void {
  const action = stream.route?.action;
  if (action?.kind !== 'forward' || stream.upgrade !== undefined) return;
  const { toldTimeoutMs } = stream;
  const limitMs =
    toldTimeoutMs >= 0 ? toldTimeoutMs : stream.grpc ? action.grpcTimeoutMs : action.requestTimeoutMs;
  const { deadlineMs, requestTimer } = stream;
  if (limitMs > 0 && !stream.limited && (deadlineMs !== 0 || requestTimer?.armed !== true)) {
    const endMs = stream.engine.turn.nowMs + limitMs;
    stream.limitEndMs = endMs;
    if (deadlineMs === 0 || endMs < deadlineMs) stream.armRequestTimer(limitMs);
  }
  armTryTimers(stream, action);
}

/** The head of the endpoint's response came. */
export function attemptAnswered(stream: Stream): void {
  const { attempt, cluster, engine } = stream;
  const { status } = stream.responseHead;
  retryOver(stream);
  const nowMs = engine.turn.nowMs;
  stream.perTryTimer?.cancel();
  if (cluster?.balancer.readsLoad === true) takeLoadReport(stream, stream.responseHead.fields);
  const grpcStatus = stream.grpc ? readGrpcStatus(stream.responseHead.fields) : -1;
  const outcome = outcomeOf(cluster, status, grpcStatus, stream.responseHead.fields);
  attempt.answered(status, grpcStatus, outcome, stream.microsAt(nowMs));
  cluster?.metrics.answered(status, attempt.headMs);
  if (cluster?.checksHealth === true && stream.responseHead.fields.get(IMMEDIATE_FAIL) !== undefined)
    sayUnwell(stream, cluster);
  stream.note(SITE_ATTEMPT, 0, status);
  if (grpcStatus >= 0) stream.note(SITE_GRPC_STATUS, grpcStatus, 0);
  showResponse(stream);
  // Only an answer that reports a failure is worth a look.
  if ((status >= 500 || grpcStatus > 0) && takeMarker(stream)) attempt.unsent = true;
  attempt.repeatable = isRepeatable(stream, attempt.unsent);
  if (stream.table.attemptEnd !== null && asksForRetry(stream) && mayRetry(stream, nowMs)) {
    stream.upstream?.abandon();
    stream.upstream = undefined;
    stream.status = 0;
    releaseEndpoint(stream, attempt.outcome);
    if (stream.endpoint !== undefined) stream.tried = [...stream.tried, stream.endpoint];
    return retry(stream);
  }
  if (status < 400 && status >= 300 && leadsOn(stream)) return;
  stream.served = true;
  deliver(stream);
}

/** In an answer: its endpoint is to be taken for ill at once, where it is checked (Envoy). */
const IMMEDIATE_FAIL = 'x-envoy-immediate-health-check-fail';

function sayUnwell({ endpoint }: Stream, cluster: UpstreamCluster): void {
  if (endpoint !== undefined) cluster.saysUnwell(endpoint);
}

/** @returns whether the stream went on to where the answer leads */
function leadsOn(stream: Stream): boolean {
  const next = redirectedTo(stream);
  if (next === undefined) return false;
  stream.upstream?.abandon();
  stream.upstream = undefined;
  releaseEndpoint(stream, stream.attempt.outcome);
  beginRedirected(stream, next);
  return true;
}

/**
 * The attempt ended without a response head.
 * @param unsent provably (D5): connect or handshake failed, no byte was handed over, the endpoint says so (HTTP/2)
 * @param stale it says nothing about the endpoint: a kept-alive connection had gone, or took no more requests
 */
export function attemptFailed(
  stream: Stream,
  code: ErrorCode,
  unsent: boolean,
  details: string | undefined,
  stale: boolean = stream.attempt.reused && code === 'TULLE_UPSTREAM_RESET',
): void {
  if (stream.phase !== AT_ATTEMPTS) return;
  retryOver(stream);
  const { attempt, engine, endpoint, tried } = stream;
  const nowMs = engine.turn.nowMs;
  attempt.failure = code;
  attempt.unsent = unsent;
  attempt.repeatable = isRepeatable(stream, unsent);
  stream.upstream = undefined;
  stream.waiting = false;
  stream.perTryTimer?.cancel();
  const row = errorRow(code);
  // That a kept-alive connection had gone says nothing about the endpoint.
  endAttempt(stream, stale || code === 'TULLE_UPSTREAM_OVERFLOW' ? NEUTRAL : LOCAL_FAILURE, nowMs);
  stream.note(SITE_ATTEMPT, row?.reason ?? 0, 0);
  if (row !== undefined && row.retryable) {
    const asked = stream.table.attemptEnd !== null && asksForRetry(stream);
    // The endpoint closed an idle connection while the request was on its way: one fresh try needs no policy. Where it
    // says that it did not look at it, the next connection may be leaving too.
    if (!asked && stale && attempt.repeatable && stream.staleReplays < (unsent ? MAX_UNSENT_REPLAYS : 1)) {
      stream.staleReplays++;
      stream.note(SITE_STALE, stream.attemptCount, 0);
      stream.cluster?.metrics.staleReplays.add();
      return nextAttempt(stream);
    }
    if (endpoint !== undefined && !stale) stream.tried = [...tried, endpoint];
    if (asked && mayRetry(stream, nowMs)) return retry(stream);
  }
  if (stream.attemptCount > 1) stream.flag('URX');
  rescue(stream, code, details);
}

/** The per-try timeout fired. */
export function perTryTimeout(stream: Stream): void {
  if (stream.phase !== AT_ATTEMPTS || !stream.attempt.running) return;
  stream.cluster?.metrics.perTryTimeouts.add();
  if (stream.endpoint !== undefined) stream.endpoint.data.counts.timeouts++;
  stream.upstream?.abandon();
  stopWaiting(stream);
  attemptFailed(stream, 'TULLE_PER_TRY_TIMEOUT', stream.attempt.unsent, undefined);
}

/** The stream does not want the attempt's outcome any more: it is over, or it is answered otherwise. */
export function cancelAttempt(stream: Stream): void {
  retryOver(stream);
  stream.retryTimer?.cancel();
  stream.requestTimer?.cancel();
  stream.perTryTimer?.cancel();
  stopWaiting(stream);
  const { upstream } = stream;
  stream.upstream = undefined;
  if (upstream !== undefined) upstream.abandon();
  const { attempt, code } = stream;
  if (!attempt.counted && !attempt.running) return;
  // A caller that does not take its answer says nothing about the endpoint.
  const late = (code === 'TULLE_REQUEST_TIMEOUT' || code === 'TULLE_STREAM_IDLE') && !stream.downstream.full;
  const outcome = late ? LOCAL_FAILURE : isFailure(attempt.outcome) ? attempt.outcome : NEUTRAL;
  if (attempt.running) {
    attempt.failure = attempt.failure || code || 'cancelled';
    endAttempt(stream, outcome, stream.engine.turn.nowMs);
  } else releaseEndpoint(stream, outcome);
}

/**
 * The endpoint has nothing more to do for the stream: its response is whole, its tunnel over, or nobody listens any
 * more. Once an attempt; what is told later counts for nothing.
 */
export function releaseEndpoint(stream: Stream, outcome: Outcome): void {
  const { attempt, engine } = stream;
  if (!attempt.counted) return;
  attempt.counted = false;
  const { nowMs } = engine.turn;
  stream.endpoint?.onEnd(
    outcome,
    attempt.headMs >= 0 ? attempt.headMs : nowMs - stream.attemptStartMs,
    nowMs,
  );
}

/** The endpoint's response is whole: what a gRPC call says in its trailers counts for its endpoint too. */
export function responseWhole(stream: Stream, trailers: FieldTable | undefined): void {
  const { attempt } = stream;
  if (trailers !== undefined && stream.cluster?.balancer.readsLoad === true) takeLoadReport(stream, trailers);
  if (stream.grpc && trailers !== undefined && attempt.grpcStatus < 0) {
    attempt.grpcStatus = readGrpcStatus(trailers);
    stream.note(SITE_GRPC_STATUS, attempt.grpcStatus, 0);
    if (isEndpointFailure(attempt.grpcStatus) && (stream.cluster?.policies?.failed ?? null) === null)
      attempt.outcome = outcomeOfAnswer(200, attempt.grpcStatus);
  }
  releaseEndpoint(stream, attempt.outcome);
}

/** The response broke behind its head: that counts, though there is no other attempt. */
export function responseBroken(stream: Stream, code: ErrorCode, details?: string): void {
  releaseEndpoint(stream, LOCAL_FAILURE);
  rescue(stream, code, details);
}

function stopWaiting(stream: Stream): void {
  if (!stream.waiting) return;
  stream.waiting = false;
  if (stream.endpoint === undefined) stream.cluster?.onDemand?.forget(stream);
  else stream.endpoint.data.stopWaiting(stream);
}

function endAttempt(stream: Stream, outcome: Outcome, nowMs: number): void {
  const { attempt } = stream;
  if (!attempt.running) return;
  releaseEndpoint(stream, outcome);
  attempt.end(stream.microsAt(nowMs));
}
