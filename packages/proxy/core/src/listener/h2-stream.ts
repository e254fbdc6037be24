import { websocketKey } from './websocket-key.ts';
import type { FieldTable } from '@tulle/fields';
import {
  BODY_LENGTH,
  BODY_NONE,
  stripHopByHop,
  TARGET_AUTHORITY,
  TARGET_ORIGIN,
  type RequestHead,
  type ResponseHead,
} from '@tulle/http1';
import {
  errorCodeName,
  H2_CANCEL,
  H2_INTERNAL_ERROR,
  H2_NO_ERROR,
  type Http2Fault,
  type Http2Stream,
  type ResetCause,
  type ServerSession,
} from '@tulle/http2';
import type { WheelTimer } from '@tulle/time';
import { completeStream } from '../chain/complete.ts';
import { requestData, requestEnd } from '../chain/request-body.ts';
import { downstreamDrained } from '../chain/response.ts';
import { beginStream } from '../chain/walk.ts';
import type { HttpChain } from '../compile/compiled.ts';
import type { Engine } from '../engine.ts';
import { StreamSide, type SideHost } from '../http2/stream-side.ts';
import { COPY_BYTES } from '../outbox.ts';
import { rescue } from '../rescue.ts';
import { PAUSE_FLOW, type Downstream, type PauseReason, type UpstreamStream } from '../sides.ts';
import { Stack } from '../stack.ts';
import type { Stream } from '../stream/stream.ts';
import type { ConnectionFacts } from './connection-facts.ts';
import { isSwitch } from './response-encoder.ts';
import { tunnelStream } from './tunnel.ts';
import type { ServingListener } from './serving.ts';

/** The connection of an {@link Http2ServerStream}. */
export interface ServerStreamHost extends SideHost<Http2ServerStream> {
  readonly session: ServerSession<Http2ServerStream>;
  readonly connection: ConnectionFacts;
  readonly listener: ServingListener;
  /** Bytes that the socket has not taken; changes as the caller reads. */
  readonly unsentBytes: number;
  /** A response goes out: while draining, the connection may ask the caller to leave. */
  responseBegins(): void;
  /** A tunnel begins or ends. */
  tunnels(change: 1 | -1): void;
  /** The stream is over, for the engine and on the wire. */
  streamOver(): void;
}

/** `:status` with what its line counts (RFC 9113 §6.5.2). */
const STATUS_BYTES = ':status200'.length + 32;

/** Kept for reuse; more are left to the garbage collector. */
const MAX_SPARE = 1024;
const spare: Stack<Http2ServerStream> = new Stack<Http2ServerStream>();

/** Of a caller that sends what nobody wants, or does not take what it asked for. Most are neither. */
class Laggard {
  /** Body that came behind an answer, and went nowhere. */
  discardedBytes = 0;
  /** What it had not taken when that was looked at last. */
  unsentBytes = 0;
  /** Belongs to the engine that made it. */
  takeTimer: WheelTimer | undefined = undefined;
}

/** One stream of a caller's HTTP/2 connection: the downstream side of one request. Pooled. */
export class Http2ServerStream extends StreamSide<Http2ServerStream> implements Downstream {
  declare host: ServerStreamHost;
  /** Until the engine is done with it. */
  stream: Stream | undefined = undefined;
  #stallTimeoutMs = 0;
  /** Made when it is needed: most callers take what they asked for. */
  #laggard: Laggard | undefined = undefined;

  // — what the session tells —

  head(chain: HttpChain, endStream: boolean): void {
    const stream = this.stream as Stream;
    const { engine } = this.host;
    const head = stream.requestHead;
    stream.begin(this, chain, engine.turn.nowMs);
    stream.http2 = true;
    stream.idleTimeoutMs = chain.settings.streamIdleTimeoutMs;
    stream.maxReplayBytes = chain.settings.maxReplayBytes;
    this.#stallTimeoutMs = chain.settings.streamIdleTimeoutMs;
    this.peerEnded = endStream;
    const { generation } = this;
    const tunnel = this.wantsTunnel(head);
    if (tunnel) this.awaitTunnel();
    beginStream(stream);
    if ((endStream || tunnel) && this.stream === stream && this.generation === generation)
      requestEnd(stream, undefined);
  }

  /** CONNECT has no content: what comes behind it is the tunnel's. */
  private wantsTunnel(head: RequestHead): boolean {
    const { protocol } = this.h2 as Http2Stream<Http2ServerStream>;
    if (head.targetForm !== TARGET_AUTHORITY && protocol === undefined) return false;
    head.bodyKind = BODY_NONE;
    head.contentLength = -1;
    if (protocol === undefined) return true;
    // RFC 8441 §4: what HTTP/1.1 calls GET with Upgrade.
    this.extended = true;
    // RFC 8441 §5 leaves out what RFC 6455 §4.1 asks for; a proxy that carries a caller of HTTP/1.1 passes its key on.
    this.ownKey = protocol === 'websocket' && !head.fields.has('sec-websocket-key');
    if (this.ownKey) head.fields.add('sec-websocket-key', websocketKey(this.host.engine.random));
    head.method = 'GET';
    head.targetForm = TARGET_ORIGIN;
    head.upgrade = protocol;
    return true;
  }

  /** The head broke a rule that has a status of its own. */
  headFault(chain: HttpChain, fault: Http2Fault, endStream: boolean): void {
    const stream = this.stream as Stream;
    const { engine } = this.host;
    stream.begin(this, chain, engine.turn.nowMs);
    stream.http2 = true;
    stream.table = chain.unrouted;
    stream.requestId = engine.requestId();
    // As far as the head was read: by it a gRPC caller is known.
    stream.method = stream.requestHead.method;
    stream.requestReceived = true;
    this.peerEnded = endStream;
    rescue(stream, fault.code, `http2.codec_error{${fault.rule}}`, fault.status);
  }

  protected deliver(chunk: Buffer, start: number, end: number, owned: boolean): boolean {
    const { stream } = this;
    if (stream === undefined) return false;
    if (stream.discardRequest) this.discard(stream, end - start);
    if (this.stream !== stream) return false;
    return requestData(stream, chunk, start, end, owned);
  }

  private discard(stream: Stream, bytes: number): void {
    const { engine } = this.host;
    const laggard = (this.#laggard ??= new Laggard());
    const before = laggard.discardedBytes;
    laggard.discardedBytes += bytes;
    if (before > engine.limits.maxDiscardBytes || laggard.discardedBytes <= engine.limits.maxDiscardBytes)
      return;
    engine.metrics.drainOverflows.add();
    // The caller may send no more than its window until the answer is out, and then nothing.
    if (stream.responseEnded) this.abandonRequest(stream);
    else this.pause(PAUSE_FLOW);
  }

  protected finish(trailers: FieldTable | undefined): void {
    const { stream } = this;
    if (stream === undefined) return;
    if (trailers !== undefined) {
      // The session reads others into its own; hooks may look at them later.
      const copy = stream.engine.newTable();
      copy.copyFrom(trailers);
      requestEnd(stream, copy);
    } else requestEnd(stream, undefined);
  }

  /** The stream ended out of order. */
  wasReset(code: number, cause: ResetCause, rule: string): void {
    this.h2 = undefined;
    this.tunnelSocket?.streamOver(true);
    const { stream } = this;
    if (stream === undefined) return this.leaveIfOver();
    if (this.tunnelSocket !== undefined) return;
    if (!stream.live) {
      // Its head was malformed: there never was a request.
      this.stream = undefined;
      stream.engine.streams.put(stream);
      return this.leaveIfOver();
    }
    if (cause === 'peer') this.host.listener.metrics.resetsReceived.add();
    if (cause !== 'connection') return this.breakOff(stream, code, cause, rule);
    // It may have ended in the middle of what is written for this stream: that comes to its end first.
    this.lost = true;
    stream.engine.turn.later(this);
  }

  private breakOff(stream: Stream, code: number, cause: ResetCause, rule: string): void {
    if (stream.responseEnded) return this.abandonRequest(stream);
    stream.code = cause === 'protocol' ? 'TULLE_DOWNSTREAM_PROTOCOL' : 'TULLE_DOWNSTREAM_CLOSED';
    stream.details =
      cause === 'protocol'
        ? `http2.codec_error{${rule}}`
        : cause === 'peer'
          ? `http2.remote_reset{${errorCodeName(code)}}`
          : 'downstream_remote_disconnect';
    stream.flag(cause === 'protocol' ? 'DPE' : 'DC');
    completeStream(stream);
  }

  drained(): void {
    if (this.tunnelSocket !== undefined) this.tunnelSocket.drained();
    else if (this.stream !== undefined) downstreamDrained(this.stream);
  }

  /** Both sides ended in order, and the last frame left. */
  wasClosed(): void {
    this.h2 = undefined;
    this.tunnelSocket?.streamOver(false);
    this.leaveIfOver();
  }

  // — Downstream —

  get connection(): ConnectionFacts {
    return this.host.connection;
  }

  get open(): boolean {
    return this.h2 !== undefined;
  }

  get full(): boolean {
    return this.h2 !== undefined && !this.h2.writable;
  }

  takesOn(): boolean {
    const laggard = (this.#laggard ??= new Laggard());
    const before = laggard.unsentBytes;
    const queuedBytes = this.h2 === undefined ? 0 : this.h2.queuedBytes;
    // What waits for a window of its own says more than what all streams wait for.
    laggard.unsentBytes = queuedBytes > 0 ? queuedBytes : this.host.unsentBytes;
    return laggard.unsentBytes > 0 && laggard.unsentBytes !== before;
  }

  writeInterim(stream: Stream, head: ResponseHead): void {
    if (this.h2 === undefined || stream.responseStarted || head.status === 101) return;
    stripHopByHop(head.fields, head.connectionNames);
    this.host.session.writeInterim(this.h2, head.status, head.fields);
  }

  writeContinue(): void {
    if (this.h2 !== undefined) this.host.session.writeInterim(this.h2, 100, undefined);
  }

  writeHead(stream: Stream): boolean {
    const { h2, host } = this;
    if (h2 === undefined) return true;
    const { responseFields } = stream;
    const tunnel = isSwitch(stream);
    const { status } = stream;
    // To an extended CONNECT any 2xx says that the protocol is spoken from now on (RFC 8441 §4).
    if (this.extended && !tunnel && status < 300) return false;
    if (!tunnel && !responseFields.has('date')) responseFields.add('date', host.engine.httpDate());
    if (tunnel && this.ownKey) responseFields.drop('sec-websocket-accept');
    const kind = stream.responseBodyKind;
    const ends = kind === BODY_NONE && !tunnel;
    const length = !tunnel && (ends || kind === BODY_LENGTH) ? stream.responseLength : -1;
    // A reply of our own is small, and better than none.
    if (!stream.responseLocal && !host.session.takesHead(responseFields, STATUS_BYTES)) {
      host.engine.log.warn(
        'response not sent: its head is larger than the caller says that it takes (SETTINGS_MAX_HEADER_LIST_SIZE)',
        { requestId: stream.requestId, status },
      );
      return false;
    }
    const fault = host.session.writeHead(h2, status === 101 ? 200 : status, responseFields, length, ends);
    if (fault !== undefined) {
      host.engine.log.error(`response not sent: ${fault.reason}`, { requestId: stream.requestId, status });
      return false;
    }
    this.localEnded = ends;
    this.#stallTimeoutMs = stream.idleTimeoutMs;
    host.responseBegins();
    return true;
  }

  writeData(stream: Stream, chunk: Buffer, start: number, end: number, owned: boolean): boolean {
    stream.bytesSent += end - start;
    const { h2 } = this;
    if (h2 === undefined || end === start || this.localEnded) return false;
    // A small piece that waits would keep the whole read that it stands in.
    return this.host.session.writeData(h2, chunk, start, end, owned && end - start > COPY_BYTES);
  }

  writeEnd(stream: Stream, trailers: FieldTable | undefined): void {
    const { h2 } = this;
    if (h2 !== undefined && !this.localEnded) this.sendLast(h2, trailers, stream.requestId);
    this.localEnded = true;
    if (stream.requestReceived || h2 === undefined) return;
    this.checkEnd = true;
    stream.engine.turn.later(this);
  }

  override endOfTurn(): void {
    const { stream } = this;
    if (this.lost) {
      this.lost = false;
      if (stream !== undefined) return this.breakOff(stream, H2_CANCEL, 'connection', '');
    }
    if (this.checkEnd) {
      this.checkEnd = false;
      // Answered before its request was whole: what still comes is not wanted (RFC 9113 §8.1).
      if (stream !== undefined && stream.responseEnded && (this.h2?.queuedBytes ?? 0) === 0)
        return this.abandonRequest(stream);
    }
    super.endOfTurn();
  }

  pauseRequest(stream: Stream, reason: PauseReason): void {
    if (this.stream !== stream) return;
    if (this.pause(reason) && reason === PAUSE_FLOW) this.host.listener.metrics.flowPaused.add();
  }

  resumeRequest(stream: Stream, reason: PauseReason): void {
    if (this.stream === stream) this.resume(reason);
  }

  abort(): void {
    this.resetWire(H2_INTERNAL_ERROR);
  }

  abandonRequest(stream: Stream): void {
    if (this.stream !== stream) return;
    stream.requestReceived = true;
    completeStream(stream);
  }

  tunnel(stream: Stream, upstream: UpstreamStream): void {
    const { host } = this;
    const { engine } = host;
    if (this.h2 === undefined) return rescue(stream, 'TULLE_DOWNSTREAM_CLOSED');
    const early = this.takeHeld();
    const caller = this.openTunnel();
    host.tunnels(1);
    tunnelStream(
      engine,
      stream,
      caller,
      upstream,
      early,
      this.peerEnded,
      host.listener.bufferLimitBytes,
      () => host.tunnels(-1),
    );
    // Behind the early bytes, which go at the end of the turn.
    engine.turn.later({ endOfTurn: () => caller.resume() });
  }

  tunnelClosed(): void {
    this.tunnelSocket = undefined;
    this.leaveIfOver();
  }

  streamDone(stream: Stream): void {
    if (this.stream !== stream) return;
    this.stream = undefined;
    const { h2 } = this;
    if (h2 === undefined || this.tunnelSocket !== undefined) return this.leaveIfOver();
    if (!this.localEnded) this.resetWire(H2_CANCEL);
    else if (!this.peerEnded && h2.queuedBytes === 0) this.resetWire(H2_NO_ERROR);
    else if (h2.queuedBytes > 0) {
      // It waits for the caller to take it, which nobody else looks after now.
      this.takesOn();
      this.armTake();
    }
    this.leaveIfOver();
  }

  private armTake(): void {
    const { engine } = this.host;
    const delayMs = this.peerEnded ? this.#stallTimeoutMs : engine.limits.lingerMs;
    if (delayMs <= 0) return;
    const laggard = (this.#laggard ??= new Laggard());
    (laggard.takeTimer ??= engine.wheel.timer(takeTimerFired, this)).arm(delayMs);
  }

  takeTimerDue(): void {
    const { h2, host } = this;
    if (h2 === undefined || this.stream !== undefined) return;
    const { turn } = host.engine;
    turn.begin();
    if (h2.queuedBytes > 0 && this.takesOn()) this.armTake();
    else {
      if (h2.queuedBytes > 0) host.listener.metrics.stalled.add();
      this.resetWire(this.peerEnded ? H2_CANCEL : H2_NO_ERROR);
      this.leaveIfOver();
    }
    turn.end();
  }

  private resetWire(code: number): void {
    const { h2 } = this;
    if (h2 === undefined) return;
    this.h2 = undefined;
    this.host.listener.metrics.resetsSent.add();
    this.host.session.reset(h2, code);
  }

  /** Back to the pool, when neither the engine nor the session knows it any more. */
  private leaveIfOver(): void {
    if (this.stream !== undefined || this.h2 !== undefined || this.tunnelSocket !== undefined) return;
    const { host } = this;
    if (!this.resetSide()) return;
    this.#laggard?.takeTimer?.cancel();
    this.#laggard = undefined;
    if (spare.size < MAX_SPARE) spare.push(this);
    host.streamOver();
  }
}

/** The object for a stream that begins. */
export function takeServerStream(
  host: ServerStreamHost,
  h2: Http2Stream<Http2ServerStream>,
  engine: Engine,
): Http2ServerStream {
  const side = spare.pop() ?? new Http2ServerStream();
  side.takeIntoUse();
  side.host = host;
  side.h2 = h2;
  side.stream = engine.streams.take();
  return side;
}

function takeTimerFired(side: Http2ServerStream): void {
  side.takeTimerDue();
}
