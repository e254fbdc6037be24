import type { FieldTable } from '@tulle/fields';
import {
  BODY_CLOSE,
  RequestDecoder,
  type Http1Fault,
  type RequestHead,
  type RequestSink,
  type ResponseHead,
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
import { HeldBytes } from './held-bytes.ts';
import { isSwitch, isWorthReading, ResponseEncoder } from './response-encoder.ts';
import { tunnelStream } from './tunnel.ts';
import type { ChainSlot, ListenerConnection, ServingListener } from './serving.ts';

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
  readonly #encoder: ResponseEncoder;
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
  /** The connection ends with the response under way. */
  #closeAfter = false;
  #discarded = 0;
  /** Reasons of {@link PauseReason} added up. */
  #paused = 0;
  #reading = false;
  #fromHeld = false;
  readonly #held: HeldBytes;
  #scheduled = false;
  #peerEnded = false;
  #lingering = false;
  /** At rest, and no further request is served: the caller does not read the answers that it has. */
  #stuck = false;
  /** How long a caller may take nothing of what is queued for it: the idle timeout of its last response; 0: for ever. */
  #stallTimeoutMs: number;
  #unsentBytes = 0;
  #closed = false;
  #restingSinceMs: number;
  #tunnelled = false;

  constructor(
    engine: Engine,
    listener: ServingListener,
    slot: ChainSlot,
    chain: HttpChain,
    socket: Socket,
    facts: ConnectionFacts,
  ) {
    this.#engine = engine;
    this.#listener = listener;
    this.#slot = slot;
    this.#socket = socket;
    this.connection = facts;
    this.#outbox = new Outbox(socket, engine.turn);
    this.#encoder = new ResponseEncoder(engine, this.#outbox);
    this.#held = new HeldBytes(socket, engine.limits.maxPipelinedBytes);
    const { settings } = chain;
    this.#bufferLimitBytes = listener.bufferLimitBytes;
    this.#next = engine.streams.take();
    this.#decoder = new RequestDecoder(
      this,
      {
        maxHeadBytes: settings.maxRequestHeadersBytes,
        maxHeaders: settings.maxRequestHeadersCount,
      },
      this.#next.requestHead,
    );
    this.#restingSinceMs = engine.clock.nowMs();
    this.#stallTimeoutMs = settings.streamIdleTimeoutMs;
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
      if (this.#held.length === 0 && this.#canRead()) this.#feed(chunk, start, end, false);
      else this.#hold(chunk, start, end);
    } catch (defect) {
      this.#defect(defect);
    } finally {
      turn.end();
    }
  }

  onEnd(): void {
    this.#inTurn(() => {
      this.#peerEnded = true;
      if (this.#lingering) return this.#outbox.queuedBytes === 0 ? this.destroy() : undefined;
      // The caller may half-close after its requests; it still gets every answer (RFC 9112 §9.6).
      if (this.#held.length === 0) this.#requestsOver();
    });
  }

  onDrain(): void {
    if (this.#lingering) return this.#linger();
    const stream = this.#stream;
    if (stream !== undefined) return this.#inTurn(() => downstreamDrained(stream));
    if (!this.#stuck) return;
    this.#stuck = false;
    this.#headTimer.cancel();
    this.#inTurn(() => this.#feedLater());
  }

  onClose(fault: SocketFault | undefined): void {
    this.#inTurn(() => {
      if (fault !== undefined) this.#listener.metrics.connectionFault(fault.kind);
      this.#over();
    });
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
    if (requestData(stream, chunk, start, end, this.#fromHeld || this.#socket.ownedReads) && !this.#fromHeld)
      this.#socket.keepRead();
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
    const stream = this.#stream ?? this.#streamWithoutRequest();
    if (stream === undefined) return this.#closeNow();
    this.#requestDone = true;
    stream.requestReceived = true;
    if (stream.responseEnded) return completeStream(stream);
    rescueFault(stream, fault);
  }

  /** There is no request to speak of, but the caller gets an answer, and the operator a record. */
  #streamWithoutRequest(): Stream | undefined {
    const chain = this.#slot.current;
    const stream = this.#next;
    if (chain === undefined || stream === undefined) return undefined;
    this.#next = undefined;
    this.#stream = stream;
    stream.begin(this, chain, this.#engine.clock.nowMs());
    stream.table = chain.unrouted;
    stream.requestId = this.#engine.requestId();
    return stream;
  }

  // — Downstream —

  get open(): boolean {
    return !this.#closed;
  }

  get full(): boolean {
    return this.#outbox.queuedBytes > this.#bufferLimitBytes;
  }

  takesOn(): boolean {
    const before = this.#unsentBytes;
    this.#unsentBytes = this.#socket.unsentBytes;
    return this.#unsentBytes > 0 && this.#unsentBytes !== before;
  }

  writeInterim(stream: Stream, head: ResponseHead): void {
    this.#encoder.writeInterim(stream, head);
  }

  writeContinue(stream: Stream): void {
    this.#encoder.writeContinue(stream);
  }

  writeHead(stream: Stream): boolean {
    const kind = this.#encoder.kindFor(stream);
    const unread = !stream.requestReceived && !isSwitch(stream) && !isWorthReading(stream);
    if (kind === BODY_CLOSE || unread || this.#listener.asksToClose()) this.#closeAfter = true;
    this.#stallTimeoutMs = stream.idleTimeoutMs;
    return this.#encoder.writeHead(stream, kind, this.#closeAfter);
  }

  writeData(stream: Stream, chunk: Buffer, start: number, end: number, owned: boolean): boolean {
    stream.bytesSent += end - start;
    if (this.#closed || end === start) return false;
    return this.#encoder.writeData(chunk, start, end, owned);
  }

  writeEnd(_stream: Stream, trailers: FieldTable | undefined): void {
    if (!this.#closed) this.#encoder.writeEnd(trailers);
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
    if (!this.#reading) this.#feedLater();
  }

  abort(_stream: Stream): void {
    this.#closeAfter = true;
    if (this.#encoder.sentKind === BODY_CLOSE) {
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
    const early = this.#held.take();
    tunnelStream(
      this.#engine,
      stream,
      this.#socket,
      upstream,
      early,
      this.#peerEnded,
      this.#bufferLimitBytes,
      () => this.#over(),
    );
    this.#held.resume();
  }

  streamDone(stream: Stream): void {
    if (this.#stream !== stream) return;
    this.#stream = undefined;
    this.#paused = 0;
    if (this.#tunnelled || this.#closed) return;
    this.#decoder.resume();
    const over = this.#closeAfter || (this.#peerEnded && this.#held.length === 0);
    if (over || this.#slot.current === undefined) return this.#closeNow();
    this.#restingSinceMs = this.#engine.clock.nowMs();
    if (
      this.#listener.draining &&
      this.#listener.asksToClose() &&
      this.#held.length === 0 &&
      this.#listener.drainEnded
    )
      return this.#closeNow();
    if (this.#held.length > 0) this.#feedLater();
    else this.#held.resume();
  }

  // — the listener's wishes —

  /** Closes the connection when nothing is under way on it. */
  closeIfIdle(): void {
    if (this.#stream === undefined && this.#decoder.phase === 'idle') this.#closeNow();
    else this.#closeAfter = true;
  }

  // — reading —

  endOfTurn(): void {
    this.#scheduled = false;
    if (!this.#canRead() || this.#closed || this.#lingering) return;
    const held = this.#held.take();
    try {
      this.#feed(held, 0, held.length, true);
      if (this.#canRead() && this.#held.length === 0) {
        this.#held.resume();
        if (this.#peerEnded) this.#requestsOver();
      }
    } catch (defect) {
      this.#defect(defect);
    }
  }

  /**
   * Whether bytes can be decoded now: not while a whole request waits for its answer, nor while its body is paused, and
   * no further request while the caller leaves its answers unread.
   */
  #canRead(): boolean {
    if (this.#paused !== 0 || this.#tunnelled) return false;
    if (this.#stream !== undefined) return !this.#requestDone;
    return !this.#stuck && (!this.full || this.#hasRoom());
  }

  /** What was gathered leaves; when the caller still has too much before it, `onDrain` goes on. */
  #hasRoom(): boolean {
    this.#outbox.flush();
    if (!this.full) return true;
    this.#stuck = true;
    this.takesOn();
    this.#listener.metrics.flowPaused.add();
    this.#headTimer.cancel();
    if (this.#stallTimeoutMs > 0) this.#headTimer.arm(this.#stallTimeoutMs);
    return false;
  }

  /** The caller sends nothing more, and all that it sent was decoded. */
  #requestsOver(): void {
    // At rest, or in the middle of a head: nobody waits for an answer to that.
    if (this.#stream === undefined) return this.#closeNow();
    this.#closeAfter = true;
    if (!this.#requestDone) this.#decoder.finish();
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
      } while (
        at < end &&
        this.#canRead() &&
        !this.#closed &&
        !this.#lingering &&
        decoder.phase !== 'failed'
      );
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
      const timeoutMs = this.#slot.current?.settings.requestHeadTimeoutMs ?? 0;
      if (phase === 'head' && timeoutMs > 0 && !this.#headTimer.armed) this.#headTimer.arm(timeoutMs);
      if (phase === 'idle' && this.#stream === undefined && this.#next !== undefined && at >= end)
        this.#giveNextBack();
    }
  }

  /** At rest: the object that would be the next stream serves others meanwhile. */
  #giveNextBack(): void {
    this.#engine.streams.put(this.#next as Stream);
    this.#next = undefined;
  }

  #hold(chunk: Buffer, start: number, end: number): void {
    this.#held.add(chunk, start, end, this.#paused !== 0);
  }

  #feedLater(): void {
    if (!this.#scheduled) this.#engine.turn.later(this);
    this.#scheduled = true;
  }

  // — closing —

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
    this.#held.take();
    if (this.#next !== undefined) this.#giveNextBack();
    this.#idleTimer.cancel();
    this.#headTimer.cancel();
    this.#outbox.flush();
    this.#outbox.end();
    this.#held.resume();
    this.#linger();
  }

  /** The moment begins when everything left; until then a caller that takes nothing has the time of an idle stream. */
  #linger(): void {
    if (this.#outbox.queuedBytes > 0) {
      this.takesOn();
      if (this.#stallTimeoutMs > 0) this.#headTimer.arm(this.#stallTimeoutMs);
    } else if (this.#peerEnded) this.destroy();
    else this.#headTimer.arm(this.#engine.limits.lingerMs);
  }

  /** A response that is cut ends with a reset: a plain end would look like that of a body up to the close. */
  destroy(): void {
    if (this.#closed) return;
    const cut = this.#outbox.queuedBytes > 0 || (this.#stream?.responseStarted ?? false);
    this.#socket.destroy(cut && this.#encoder.sentKind === BODY_CLOSE);
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
    if (this.#lingering || this.#stuck) {
      if (this.takesOn()) return this.#headTimer.arm(this.#stallTimeoutMs);
      if (this.#outbox.queuedBytes > 0) this.#listener.metrics.stalled.add();
      return this.destroy();
    }
    this.#inTurn(() => {
      const stream = this.#stream === undefined ? this.#streamWithoutRequest() : undefined;
      if (stream === undefined) return this.#closeNow();
      this.#listener.metrics.headTimeouts.add();
      this.#closeAfter = true;
      this.#requestDone = true;
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
      this.destroy();
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
