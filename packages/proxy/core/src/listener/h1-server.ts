import type { FieldTable } from '@tulle/fields';
import {
  BODY_CHUNKED, BODY_CLOSE, BODY_LENGTH, BODY_NONE, CONNECTION_CLOSE, CONNECTION_KEEP_ALIVE, CONNECTION_PERSIST, CONNECTION_UPGRADE,
  CONTINUE_RESPONSE, RequestDecoder, stripHopByHop, writeChunkHeader, writeLastChunk, writeResponseHead,
  type BodyKind, type ConnectionMode, type Http1Fault, type OutgoingFraming, type RequestHead, type RequestSink, type ResponseHead,
} from '@tulle/http1';
import type { WheelTimer } from '@tulle/time';
import { completeStream } from '../chain/complete.ts';
import { requestData, requestEnd } from '../chain/request-body.ts';
import { downstreamDrained } from '../chain/response.ts';
import { beginStream } from '../chain/walk.ts';
import type { HttpChain } from '../compile/compiled.ts';
import type { Engine } from '../engine.ts';
import { Outbox } from '../outbox.ts';
import type { Socket, SocketEvents, SocketFault } from '../ports.ts';
import { rescue, rescueFault } from '../rescue.ts';
import type { Downstream, PauseReason, UpstreamStream } from '../sides.ts';
import type { Stream } from '../stream/stream.ts';
import type { TurnTask } from '../turn.ts';
import type { ConnectionFacts } from './connection-facts.ts';
import { tunnelStream } from './tunnel.ts';
import type { ListenerConnection, ServingListener } from './serving.ts';

const EMPTY: Buffer = Buffer.alloc(0);
const CRLF: Buffer = Buffer.from('\r\n', 'latin1');

/** Reused for every head: the encoder reads it and keeps nothing. */
const framing: { -readonly [K in keyof OutgoingFraming]: OutgoingFraming[K] } = {
  bodyKind: BODY_NONE as BodyKind, contentLength: -1, connection: CONNECTION_PERSIST as ConnectionMode, upgrade: undefined,
};

/** Where a connection takes its chain from; a new configuration puts another chain there. */
export interface ChainSlot {
  current: HttpChain | undefined;
}

/**
 * One HTTP/1.1 connection of a caller. Requests are served one after the other, in order; what is pipelined behind
 * waits here, bounded.
 */
export class ServerConnection implements SocketEvents, RequestSink, Downstream, TurnTask, ListenerConnection {
  readonly connection: ConnectionFacts;
  readonly #engine: Engine;
  readonly #listener: ServingListener;
  readonly #slot: ChainSlot;
  readonly #socket: Socket;
  readonly #outbox: Outbox;
  readonly #decoder: RequestDecoder;
  readonly #idleTimer: WheelTimer;
  readonly #headTimer: WheelTimer;
  readonly #bufferLimitBytes: number;
  /** The stream that is being served. */
  #stream: Stream | undefined = undefined;
  /** Whose head the decoder fills. */
  #next: Stream | undefined = undefined;
  /** The request of `#stream` is whole. */
  #requestDone = false;
  #trailers: FieldTable | undefined = undefined;
  #sentKind: BodyKind = BODY_NONE;
  /** The connection ends with the response under way. */
  #closeAfter = false;
  #discarded = 0;
  /** Reasons of {@link PauseReason} added up. */
  #paused = 0;
  #socketPaused = false;
  #reading = false;
  #fromHeld = false;
  /** Pipelined bytes, or the rest of a read while the request is paused. */
  #held: Buffer = EMPTY;
  #scheduled = false;
  #peerEnded = false;
  #lingering = false;
  #closed = false;
  #restingSinceMs: number;
  #tunnelled = false;

  constructor(engine: Engine, listener: ServingListener, slot: ChainSlot, chain: HttpChain, socket: Socket, facts: ConnectionFacts) {
    this.#engine = engine;
    this.#listener = listener;
    this.#slot = slot;
    this.#socket = socket;
    this.connection = facts;
    this.#outbox = new Outbox(socket, engine.turn);
    const { settings } = chain;
    this.#bufferLimitBytes = listener.bufferLimitBytes;
    this.#next = engine.streams.take();
    this.#decoder = new RequestDecoder(this, {
      maxHeadBytes: settings.maxRequestHeadersBytes, maxHeaders: settings.maxRequestHeadersCount,
    }, this.#next.requestHead);
    this.#restingSinceMs = engine.clock.nowMs();
    this.#idleTimer = engine.wheel.timer(idleTimerFired, this);
    this.#headTimer = engine.wheel.timer(headTimerFired, this);
    if (settings.idleTimeoutMs > 0) this.#idleTimer.arm(settings.idleTimeoutMs, this.#restingSinceMs);
    socket.events = this;
  }

  // — SocketEvents —

  onOpen(): void {}

  onRead(chunk: Buffer, start: number, end: number): void {
    const { turn } = this.#engine;
    turn.begin();
    try {
      if (this.#lingering || this.#closed) return;
      if (this.#canRead()) this.#feed(chunk, start, end, false);
      else this.#hold(chunk, start, end);
    } catch (defect) {
      this.#defect(defect);
    } finally {
      turn.end();
    }
  }

  onEnd(): void {
    const { turn } = this.#engine;
    turn.begin();
    try {
      this.#peerEnded = true;
      if (this.#lingering) return this.#destroy();
      if (this.#stream === undefined) {
        // At rest, or in the middle of a head: nobody waits for an answer to that.
        this.#closeNow();
      } else {
        // The caller may half-close after its request; it still gets the answer (RFC 9112 §9.6).
        this.#closeAfter = true;
        if (!this.#requestDone && this.#held.length === 0) this.#decoder.finish();
      }
    } catch (defect) {
      this.#defect(defect);
    } finally {
      turn.end();
    }
  }

  onDrain(): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    this.#engine.turn.begin();
    try {
      downstreamDrained(stream);
    } catch (defect) {
      this.#defect(defect);
    } finally {
      this.#engine.turn.end();
    }
  }

  onClose(fault: SocketFault | undefined): void {
    const { turn } = this.#engine;
    turn.begin();
    try {
      if (fault !== undefined) this.#listener.metrics.connectionFault(fault.kind);
      this.#over();
    } catch (defect) {
      this.#engine.logDefect(defect);
    } finally {
      turn.end();
    }
  }

  // — RequestSink —

  onHead(head: RequestHead): void {
    const stream = this.#next as Stream;
    this.#next = undefined;
    this.#headTimer.cancel();
    this.#requestDone = false;
    this.#discarded = 0;
    const chain = this.#slot.current;
    if (chain === undefined) {
      // The chain was taken away while the request was on its way.
      this.#engine.streams.put(stream);
      this.#closeNow();
      return;
    }
    this.#stream = stream;
    this.#listener.metrics.requests.add();
    stream.begin(this, chain, this.#engine.clock.nowMs());
    stream.idleTimeoutMs = chain.settings.streamIdleTimeoutMs;
    stream.replay.maxBytes = chain.settings.maxReplayBytes;
    if (!head.keepAlive) this.#closeAfter = true;
    beginStream(stream);
  }

  onData(chunk: Buffer, start: number, end: number): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    if (stream.discardRequest && (this.#discarded += end - start) > this.#engine.limits.maxDiscardBytes) {
      this.#engine.metrics.drainOverflows.add();
      this.#closeAfter = true;
      if (stream.responseEnded) return this.#endRequest(stream);
    }
    if (requestData(stream, chunk, start, end, this.#fromHeld || this.#socket.ownedReads) && !this.#fromHeld) this.#socket.keepRead();
  }

  onTrailers(trailers: FieldTable): void {
    this.#trailers = trailers;
  }

  onComplete(): void {
    const stream = this.#stream;
    this.#requestDone = true;
    const trailers = this.#trailers;
    this.#trailers = undefined;
    if (stream !== undefined) requestEnd(stream, trailers);
  }

  onFault(fault: Http1Fault): void {
    this.#closeAfter = true;
    this.#headTimer.cancel();
    this.#listener.metrics.protocolError(fault.rule);
    let stream = this.#stream;
    if (stream === undefined) {
      const chain = this.#slot.current;
      if (chain === undefined) return this.#closeNow();
      // There is no request to speak of, but the caller gets an answer, and the operator a record.
      stream = this.#next as Stream;
      this.#next = undefined;
      this.#stream = stream;
      stream.begin(this, chain, this.#engine.clock.nowMs());
      stream.table = chain.unrouted;
      stream.requestId = this.#engine.requestId();
    }
    this.#requestDone = true;
    stream.requestReceived = true;
    if (stream.responseEnded) return completeStream(stream);
    rescueFault(stream, fault);
  }

  // — Downstream —

  get open(): boolean {
    return !this.#closed;
  }

  get full(): boolean {
    return this.#outbox.queuedBytes > this.#bufferLimitBytes;
  }

  writeInterim(stream: Stream, head: ResponseHead): void {
    if (stream.requestHead.minorVersion === 0 || stream.responseStarted) return;
    stripHopByHop(head.fields, head.connectionNames);
    framing.bodyKind = BODY_NONE;
    framing.contentLength = -1;
    framing.connection = CONNECTION_PERSIST;
    writeResponseHead(this.#outbox.writer(), stream.requestHead, head.status, head.reason, head.fields, framing);
  }

  writeContinue(stream: Stream): void {
    if (stream.requestHead.minorVersion === 1) this.#outbox.writer().bytes(CONTINUE_RESPONSE);
  }

  writeHead(stream: Stream): boolean {
    const { requestHead, responseFields } = stream;
    const oldClient = requestHead.minorVersion === 0;
    let kind = stream.responseBodyKind;
    if (kind === BODY_CLOSE || kind === BODY_CHUNKED) kind = oldClient ? BODY_CLOSE : BODY_CHUNKED;
    const switching = stream.status === 101 || (stream.isConnect && stream.status >= 200 && stream.status < 300 && !stream.responseLocal);
    if (kind === BODY_CLOSE || this.#listener.asksToClose() || (!stream.requestReceived && !this.#canDiscard(stream) && !switching)) this.#closeAfter = true;
    framing.bodyKind = kind;
    framing.contentLength = stream.responseLength;
    framing.upgrade = undefined;
    if (stream.status === 101) {
      framing.connection = CONNECTION_UPGRADE;
      framing.upgrade = stream.responseHead.upgrade;
    } else if (switching) framing.connection = CONNECTION_PERSIST;
    else framing.connection = this.#closeAfter ? CONNECTION_CLOSE : oldClient ? CONNECTION_KEEP_ALIVE : CONNECTION_PERSIST;
    if (stream.status !== 101 && !responseFields.has('date')) responseFields.add('date', this.#engine.httpDate());
    const fault = writeResponseHead(this.#outbox.writer(), requestHead, stream.status, stream.reason, responseFields, framing);
    if (fault !== undefined) {
      this.#engine.log.error(`response not sent: ${fault.reason}`, { requestId: stream.requestId, status: stream.status });
      return false;
    }
    this.#sentKind = kind;
    return true;
  }

  writeData(stream: Stream, chunk: Buffer, start: number, end: number, owned: boolean): boolean {
    stream.bytesSent += end - start;
    if (this.#closed || end === start) return false;
    if (this.#sentKind !== BODY_CHUNKED) return this.#outbox.piece(chunk, start, end, owned, undefined);
    writeChunkHeader(this.#outbox.writer(), end - start);
    return this.#outbox.piece(chunk, start, end, owned, CRLF);
  }

  writeEnd(_stream: Stream, trailers: FieldTable | undefined): void {
    if (this.#sentKind === BODY_CHUNKED && !this.#closed) writeLastChunk(this.#outbox.writer(), trailers);
  }

  pauseRequest(stream: Stream, reason: PauseReason): void {
    if (this.#stream !== stream || this.#requestDone) return;
    this.#paused |= reason;
    this.#decoder.pause();
  }

  resumeRequest(stream: Stream, reason: PauseReason): void {
    if (this.#paused === 0 || this.#stream !== stream) return;
    this.#paused &= ~reason;
    if (this.#paused !== 0) return;
    this.#decoder.resume();
    // In the decoder's own call the running loop goes on; else at the end of the turn.
    if (!this.#reading) this.#schedule();
  }

  abort(_stream: Stream): void {
    this.#closeAfter = true;
    if (this.#sentKind === BODY_CLOSE) {
      // A plain close would look like the end of the body.
      this.#outbox.flush();
      this.#outbox.close();
      this.#socket.destroy(true);
    }
  }

  abandonRequest(stream: Stream): void {
    if (this.#stream !== stream) return;
    this.#closeAfter = true;
    this.#endRequest(stream);
  }

  tunnel(stream: Stream, upstream: UpstreamStream): void {
    this.#tunnelled = true;
    this.#idleTimer.cancel();
    this.#headTimer.cancel();
    const early = this.#held;
    this.#held = EMPTY;
    tunnelStream(this.#engine, stream, this.#socket, upstream, early, this.#peerEnded, this.#bufferLimitBytes, () => this.#over());
    this.#resumeSocket();
  }

  streamDone(stream: Stream): void {
    if (this.#stream !== stream) return;
    this.#stream = undefined;
    this.#paused = 0;
    if (this.#tunnelled || this.#closed) return;
    this.#decoder.resume();
    if (this.#closeAfter || this.#peerEnded || this.#slot.current === undefined) return this.#closeNow();
    this.#restingSinceMs = this.#engine.clock.nowMs();
    if (this.#listener.draining && this.#listener.asksToClose() && this.#held.length === 0 && this.#listener.drainEnded) return this.#closeNow();
    if (this.#held.length > 0) this.#schedule();
    else this.#resumeSocket();
  }

  // — the listener's wishes —

  /** Closes the connection when nothing is under way on it. */
  closeIfIdle(): void {
    if (this.#stream === undefined && this.#decoder.phase === 'idle') this.#closeNow();
    else this.#closeAfter = true;
  }

  destroy(): void {
    this.#destroy();
  }

  // — reading —

  endOfTurn(): void {
    this.#scheduled = false;
    if (!this.#canRead() || this.#closed || this.#lingering) return;
    const held = this.#held;
    this.#held = EMPTY;
    try {
      this.#feed(held, 0, held.length, true);
      if (this.#canRead() && this.#held.length === 0) {
        this.#resumeSocket();
        if (this.#peerEnded && this.#stream !== undefined && !this.#requestDone) this.#decoder.finish();
      }
    } catch (defect) {
      this.#defect(defect);
    }
  }

  /** Whether bytes can be decoded now: not while a whole request waits for its answer, nor while its body is paused. */
  #canRead(): boolean {
    return this.#paused === 0 && (this.#stream === undefined || !this.#requestDone) && !this.#tunnelled;
  }

  #feed(chunk: Buffer, start: number, end: number, held: boolean): void {
    const decoder = this.#decoder;
    let at = start;
    this.#reading = true;
    this.#fromHeld = held;
    try {
      do {
        if (this.#stream === undefined && this.#next === undefined) {
          this.#next = this.#engine.streams.take();
          decoder.head = this.#next.requestHead;
        }
        at += decoder.execute(chunk, at, end);
      } while (at < end && this.#canRead() && !this.#closed && !this.#lingering && decoder.phase !== 'failed');
    } finally {
      this.#reading = false;
    }
    if (this.#closed || this.#lingering || decoder.phase === 'failed') return;
    if (this.#tunnelled) return;
    if (at < end) this.#hold(chunk, at, end);
    const { phase } = decoder;
    if (phase === 'body') this.#socket.setOwnedReads(true);
    else {
      this.#socket.setOwnedReads(false);
      if (phase === 'head') this.#awaitHead();
      else if (this.#stream === undefined && this.#next !== undefined && at >= end) this.#giveNextBack();
    }
  }

  /** At rest: the object that would be the next stream serves others meanwhile. */
  #giveNextBack(): void {
    this.#engine.streams.put(this.#next as Stream);
    this.#next = undefined;
  }

  #awaitHead(): void {
    const timeoutMs = this.#slot.current?.settings.requestHeadTimeoutMs ?? 0;
    if (timeoutMs > 0 && !this.#headTimer.armed) this.#headTimer.arm(timeoutMs);
  }

  #hold(chunk: Buffer, start: number, end: number): void {
    const bytes = chunk.subarray(start, end);
    this.#held = this.#held.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#held, bytes]);
    if (this.#socketPaused) return;
    if (this.#paused !== 0 || this.#held.length >= this.#engine.limits.maxPipelinedBytes) {
      this.#socketPaused = true;
      this.#socket.pause();
    }
  }

  #resumeSocket(): void {
    if (!this.#socketPaused) return;
    this.#socketPaused = false;
    this.#socket.resume();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#engine.turn.later(this);
  }

  // — closing —

  /** After an early answer: whether the rest of the request is worth reading, so that the connection can go on. */
  #canDiscard(stream: Stream): boolean {
    if (stream.expectsContinue) return false; // the caller may never send it (RFC 9110 §10.1.1)
    if (stream.requestBodyKind !== BODY_LENGTH) return true;
    return stream.requestLength - stream.bytesReceived <= this.#engine.limits.maxDiscardBytes;
  }

  /** The rest of the request will not be read. */
  #endRequest(stream: Stream): void {
    this.#requestDone = true;
    stream.requestReceived = true;
    completeStream(stream);
  }

  /** Says goodbye: what is written still leaves, then FIN; what still comes is thrown away for a moment, lest a reset eat the answer. */
  #closeNow(): void {
    if (this.#closed || this.#lingering) return;
    this.#lingering = true;
    this.#held = EMPTY;
    if (this.#next !== undefined) this.#giveNextBack();
    this.#idleTimer.cancel();
    this.#outbox.end();
    if (this.#peerEnded) this.#engine.turn.flushLater({ endOfTurn: () => this.#destroyWhenWritten() });
    else {
      this.#resumeSocket();
      this.#headTimer.arm(this.#engine.limits.lingerMs);
    }
  }

  #destroyWhenWritten(): void {
    if (this.#socket.queuedBytes === 0) this.#socket.destroy();
    else this.#headTimer.arm(this.#engine.limits.lingerMs);
  }

  #destroy(): void {
    if (this.#closed) return;
    this.#socket.destroy();
  }

  /** The socket is gone. */
  #over(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#idleTimer.cancel();
    this.#headTimer.cancel();
    this.#outbox.close();
    if (this.#next !== undefined) this.#giveNextBack();
    this.#listener.connectionOver(this);
    const stream = this.#stream;
    if (stream === undefined) return;
    if (stream.responseEnded) this.#endRequest(stream);
    else {
      stream.code = 'TULLE_DOWNSTREAM_CLOSED';
      stream.details = 'downstream_remote_disconnect';
      stream.flag('DC');
      completeStream(stream);
    }
  }

  idleTimerDue(): void {
    const settings = this.#slot.current?.settings;
    if (this.#closed || settings === undefined || settings.idleTimeoutMs === 0) return;
    if (this.#stream !== undefined) return this.#idleTimer.arm(settings.idleTimeoutMs);
    const leftMs = this.#restingSinceMs + settings.idleTimeoutMs - this.#engine.clock.nowMs();
    if (leftMs > 0) return this.#idleTimer.arm(leftMs);
    this.#listener.metrics.idleTimeouts.add();
    this.#inTurn(() => this.#closeNow());
  }

  headTimerDue(): void {
    if (this.#closed) return;
    if (this.#lingering) return this.#destroy();
    this.#inTurn(() => {
      const chain = this.#slot.current;
      const stream = this.#next;
      if (chain === undefined || stream === undefined || this.#stream !== undefined) return this.#closeNow();
      this.#listener.metrics.headTimeouts.add();
      this.#closeAfter = true;
      this.#next = undefined;
      this.#stream = stream;
      this.#requestDone = true;
      stream.begin(this, chain, this.#engine.clock.nowMs());
      stream.table = chain.unrouted;
      stream.requestId = this.#engine.requestId();
      stream.requestReceived = true;
      rescue(stream, 'TULLE_REQUEST_HEAD_TIMEOUT');
    });
  }

  #inTurn(run: () => void): void {
    this.#engine.turn.begin();
    try {
      run();
    } catch (defect) {
      this.#defect(defect);
    } finally {
      this.#engine.turn.end();
    }
  }

  #defect(defect: unknown): void {
    const stream = this.#stream;
    if (stream === undefined) {
      this.#engine.logDefect(defect);
      this.#destroy();
    } else {
      this.#closeAfter = true;
      this.#engine.defect(stream, defect);
    }
  }
}

function idleTimerFired(connection: ServerConnection): void {
  connection.idleTimerDue();
}

function headTimerFired(connection: ServerConnection): void {
  connection.headTimerDue();
}
