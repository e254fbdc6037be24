import type { FieldTable } from '@tulle/fields';
import {
  BODY_CLOSE,
  RequestDecoder,
  type Http1Fault,
  type RequestHead,
  type RequestSink,
  type ResponseHead,
} from '@tulle/http1';
import { completeStream } from '../chain/complete.ts';
import { requestData, requestEnd } from '../chain/request-body.ts';
import { downstreamDrained } from '../chain/response.ts';
import { beginStream } from '../chain/walk.ts';
import type { HttpChain, HttpSettings } from '../compile/compiled.ts';
import type { Engine } from '../engine.ts';
import { Outbox } from '../outbox.ts';
import type { Socket, SocketEvents, SocketFault } from '../ports.ts';
import { rescue, rescueFault } from '../rescue.ts';
import { PAUSE_FLOW, type Downstream, type PauseReason, type UpstreamStream } from '../sides.ts';
import type { Stream } from '../stream/stream.ts';
import type { TurnTask } from '../turn.ts';
import { CallerWaits, type WaitingConnection } from './caller-waits.ts';
import type { ConnectionFacts } from './connection-facts.ts';
import { HeldBytes } from './held-bytes.ts';
import { isSwitch, isWorthReading, ResponseEncoder } from './response-encoder.ts';
import { tunnelStream } from './tunnel.ts';
import type { ChainSlot, ListenerConnection, ServingListener } from './serving.ts';

/**
 * One HTTP/1.1 connection of a caller. Requests are served one after the other, in order; what is pipelined behind
 * waits here, bounded.
 */
export class ServerConnection
  implements SocketEvents, RequestSink, Downstream, TurnTask, ListenerConnection, WaitingConnection
{
  readonly connection: ConnectionFacts;
  readonly #engine: Engine;
  readonly #listener: ServingListener;
  readonly #slot: ChainSlot;
  readonly #socket: Socket;
  readonly #outbox: Outbox;
  readonly #encoder: ResponseEncoder;
  readonly #decoder: RequestDecoder;
  readonly #waits: CallerWaits;
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
  #closed = false;
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
    this.#held = new HeldBytes(socket, engine.limits.maxPipelinedBytes, listener.metrics.pipelinePaused);
    this.#bufferLimitBytes = listener.bufferLimitBytes;
    this.#next = engine.streams.take();
    this.#decoder = new RequestDecoder(this, chain.settings.codecLimits, this.#next.requestHead);
    this.#waits = new CallerWaits(this, engine, socket, this.#outbox, listener.metrics);
    listener.metrics.http1Connections.add();
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
    this.#outbox.drained();
    if (this.#lingering) return this.#waits.linger(this.#peerEnded);
    const stream = this.#stream;
    if (stream !== undefined) return this.#inTurn(() => downstreamDrained(stream));
    if (!this.#waits.stuck) return;
    this.#waits.unstick();
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
    this.#waits.headCame();
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
    stream.begin(this, chain, this.#engine.turn.nowMs);
    stream.idleTimeoutMs = chain.settings.streamIdleTimeoutMs;
    stream.maxReplayBytes = chain.settings.maxReplayBytes;
    if (!head.keepAlive || this.#waits.isWornOut()) this.#closeAfter = true;
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
    this.#waits.headCame();
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
    stream.begin(this, chain, this.#engine.turn.nowMs);
    stream.table = chain.unrouted;
    stream.method = stream.requestHead.method; // as far as it was read: an answer to HEAD has no content
    stream.requestId = this.#engine.requestId();
    return stream;
  }

  // — Downstream —

  get open(): boolean {
    return !this.#closed;
  }

  get full(): boolean {
    return this.#outbox.exceeds(this.#bufferLimitBytes);
  }

  takesOn(): boolean {
    return this.#waits.takesOn();
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
    this.#waits.stallTimeoutMs = stream.idleTimeoutMs;
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
    if (reason === PAUSE_FLOW && (this.#paused & PAUSE_FLOW) === 0) this.#listener.metrics.flowPaused.add();
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
    this.#waits.stop();
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
    this.#waits.rests();
    if (this.#held.length > 0) this.#feedLater();
    else if (this.#listener.drainEnded) this.#closeNow();
    else this.#held.resume();
  }

  // — the listener's wishes —

  get plain(): 'requests' | 'bytes' | undefined {
    if (this.#socket.tls !== undefined) return undefined;
    return this.#tunnelled ? 'bytes' : 'requests';
  }

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
    return !this.#waits.stuck && (!this.full || this.#waits.hasRoom());
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
    if (this.#closed || this.#lingering || this.#tunnelled || decoder.phase === 'failed') return;
    if (at < end) this.#hold(chunk, at, end);
    const { phase } = decoder;
    if (phase === 'body') this.#socket.setOwnedReads(true);
    else {
      this.#socket.setOwnedReads(false);
      if (phase === 'head') this.#waits.headBegan();
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

  /** Says goodbye; what still comes is thrown away. */
  #closeNow(): void {
    if (this.#closed || this.#lingering) return;
    this.#lingering = true;
    this.#held.take();
    if (this.#next !== undefined) this.#giveNextBack();
    this.#held.resume();
    this.#waits.leave(this.#peerEnded);
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
    this.#waits.stop();
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

  get settings(): HttpSettings | undefined {
    return this.#slot.current?.settings;
  }

  get busy(): boolean {
    return this.#stream !== undefined;
  }

  restOver(): void {
    this.#inTurn(() => this.#closeNow());
  }

  headLate(): void {
    if (this.#closed) return;
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
