import { FIELD_KEEP_ALIVE, type FieldTable } from '@tulle/fields';
import {
  BODY_CHUNKED,
  BODY_NONE,
  CONNECTION_PERSIST,
  CONNECTION_UPGRADE,
  ResponseDecoder,
  ResponseHead,
  writeChunkHeader,
  writeLastChunk,
  writeRequestHead,
  type BodyKind,
  type Http1Fault,
  type OutgoingFraming,
  type ResponseSink,
  type EncodeFault,
} from '@tulle/http1';
import { attemptAnswered, attemptFailed, responseBroken, responseWhole } from '../attempts/attempts.ts';
import { upstreamDrained } from '../chain/request-body.ts';
import { responseData, responseEnd } from '../chain/response.ts';
import { Outbox } from '../outbox.ts';
import type { Socket, SocketEvents, SocketFault } from '../ports.ts';
import {
  PAUSE_FLOW,
  PAUSE_HOOK,
  type PauseReason,
  type UpstreamLine,
  type UpstreamStream,
} from '../sides.ts';
import { connectionNumber } from '../stream/connection-number.ts';
import type { Stream } from '../stream/stream.ts';
import type { EndpointPool } from './endpoint-pool.ts';
import { requestKind, requestTarget } from './request-form.ts';

const EMPTY: Buffer = Buffer.alloc(0);
const CRLF: Buffer = Buffer.from('\r\n', 'latin1');

const RESTING = 1;
const BUSY = 2;
const CLOSED = 3;

/** Reused for every head: the encoder reads it and keeps nothing. */
const framing: { -readonly [K in keyof OutgoingFraming]: OutgoingFraming[K] } = {
  bodyKind: BODY_NONE,
  contentLength: -1,
  connection: CONNECTION_PERSIST,
  upgrade: undefined,
};

/** A decoder at rest fills no head; each stream brings its own. */
const restingHead: ResponseHead = new ResponseHead();

/** One open HTTP/1.1 connection to an endpoint: one stream at a time. */
export class UpstreamConnection implements SocketEvents, ResponseSink, UpstreamStream, UpstreamLine {
  readonly socket: Socket;
  readonly id: number = connectionNumber();
  readonly protocol = 'HTTP/1.1';
  idleSinceMs = 0;
  reused = false;
  readonly provesUnsent = false;
  /** Of its pool, when it was made. */
  readonly #generation: number;
  readonly #pool: EndpointPool;
  readonly #outbox: Outbox;
  readonly #decoder: ResponseDecoder;
  #state: typeof RESTING | typeof BUSY | typeof CLOSED = RESTING;
  #stream: Stream | undefined = undefined;
  #served = 0;
  /** The request under way went out whole. */
  #requestSent = false;
  #requestKind: BodyKind = BODY_NONE;
  /** The response under way is whole. */
  #responseDone = false;
  #headSeen = false;
  /** The endpoint lets the connection be used again. */
  #keepAlive = true;
  /** The response is read only to keep the connection: bytes left that it is worth. */
  #drainLeft = -1;
  #reading = false;
  /** Reasons of {@link PauseReason} added up. */
  #paused = 0;
  #held: Buffer = EMPTY;
  /** The bytes being decoded are `#held`, a copy of ours. */
  #fromHeld = false;
  #endHeld = false;
  #handedOver = false;

  constructor(pool: EndpointPool, socket: Socket) {
    const { engine } = pool.cluster;
    this.#pool = pool;
    this.#generation = pool.generation;
    this.socket = socket;
    this.#outbox = new Outbox(socket, engine.turn);
    this.#decoder = new ResponseDecoder(this, engine.responseLimits, restingHead);
    socket.events = this;
    engine.connections.add(this);
  }

  /** Proven id of the endpoint. */
  get identity(): string | undefined {
    return this.socket.tls?.identity;
  }

  /** Open, at rest, and nothing speaks against another request. */
  get reusable(): boolean {
    const { cluster, generation } = this.#pool;
    return (
      this.#state === RESTING &&
      this.#keepAlive &&
      this.#generation === generation &&
      (cluster.maxRequestsPerConnection === 0 || this.#served < cluster.maxRequestsPerConnection)
    );
  }

  /** Takes the connection for a stream. @returns false when it has rested too long or is gone */
  startsAgain(stream: Stream, nowMs: number, idleLimitMs: number): boolean {
    if (this.#state !== RESTING || nowMs - this.idleSinceMs >= idleLimitMs) return false;
    this.#state = BUSY;
    this.#stream = stream;
    this.reused = this.#served > 0;
    this.#served++;
    this.#requestSent = false;
    this.#responseDone = false;
    this.#headSeen = false;
    this.#drainLeft = -1;
    return true;
  }

  // — UpstreamStream —

  get line(): UpstreamLine {
    return this;
  }

  sendHead(stream: Stream): EncodeFault | undefined {
    const kind = requestKind(stream);
    this.#requestKind = kind;
    framing.bodyKind = kind;
    framing.contentLength = stream.requestLength;
    framing.upgrade = stream.upgrade;
    framing.connection = stream.upgrade === undefined ? CONNECTION_PERSIST : CONNECTION_UPGRADE;
    if (stream.requestHead.expectContinue && !stream.expectsContinue) stream.headers.drop('expect');
    const fault = writeRequestHead(
      this.#outbox.writer(),
      stream.method,
      requestTarget(stream),
      stream.authority,
      stream.headers,
      framing,
    );
    if (fault !== undefined) return fault;
    this.#decoder.head = stream.responseHead;
    this.#decoder.expect(stream.method, stream.upgrade);
    return undefined;
  }

  sendData(chunk: Buffer, start: number, end: number, owned: boolean): boolean {
    if (this.#state !== BUSY) return false;
    if (this.#requestKind !== BODY_CHUNKED) return this.#outbox.piece(chunk, start, end, owned, undefined);
    writeChunkHeader(this.#outbox.writer(), end - start);
    return this.#outbox.piece(chunk, start, end, owned, CRLF);
  }

  sendEnd(trailers: FieldTable | undefined): void {
    if (this.#state !== BUSY) return;
    if (this.#requestKind === BODY_CHUNKED) writeLastChunk(this.#outbox.writer(), trailers);
    this.#requestSent = true;
  }

  get full(): boolean {
    return this.#outbox.exceeds(this.#pool.cluster.bufferLimitBytes);
  }

  get ownedReads(): boolean {
    return this.socket.ownedReads;
  }

  keepRead(): void {
    this.socket.keepRead();
  }

  pauseResponse(reason: PauseReason): void {
    if (this.#state !== BUSY) return;
    const before = this.#paused;
    if (reason === PAUSE_FLOW && (before & PAUSE_FLOW) === 0) this.#pool.cluster.metrics.flowPaused.add();
    this.#paused |= reason;
    if (before !== 0) return;
    this.#decoder.pause();
    this.socket.pause();
  }

  resumeResponse(reason: PauseReason): void {
    if (this.#paused === 0) return;
    this.#paused &= ~reason;
    if (this.#paused !== 0) return;
    this.#decoder.resume();
    if (this.#state === CLOSED) return;
    this.socket.resume();
    if (this.#reading) return; // the running loop goes on
    const held = this.#held;
    this.#held = EMPTY;
    this.#feed(held, 0, held.length, true);
    if (this.#endHeld && this.#paused === 0) this.#finish();
  }

  abandon(): void {
    if (this.#state !== BUSY || this.#stream === undefined) return;
    this.#stream = undefined;
    if (!this.#requestSent || !this.#headSeen || this.#decoder.phase === 'tunnel') return this.close();
    this.#drainLeft = this.#pool.cluster.engine.limits.maxResponseDrainBytes;
    this.resumeResponse(PAUSE_HOOK);
    this.resumeResponse(PAUSE_FLOW);
  }

  handOver(): Socket {
    this.#state = CLOSED;
    this.#stream = undefined;
    this.#handedOver = true;
    return this.socket;
  }

  tunnelOver(): void {
    this.#pool.gone(this, false);
    this.#pool.cluster.engine.connections.delete(this);
  }

  takeHeld(): Buffer {
    const held = this.#held;
    this.#held = EMPTY;
    return held;
  }

  /** Closes the connection, whatever it does. */
  close(): void {
    if (this.#state === CLOSED) return;
    this.#leavePool(false);
    this.socket.destroy();
  }

  // — SocketEvents —

  onOpen(): void {}

  onRead(chunk: Buffer, start: number, end: number): void {
    const { turn } = this.#pool.cluster.engine;
    turn.begin();
    try {
      if (this.#paused !== 0) this.#hold(chunk, start, end);
      else this.#feed(chunk, start, end, false);
    } catch (defect) {
      this.#defect(defect);
    } finally {
      turn.end();
    }
  }

  onEnd(): void {
    const { turn } = this.#pool.cluster.engine;
    turn.begin();
    try {
      if (this.#paused !== 0) this.#endHeld = true;
      else this.#finish();
    } catch (defect) {
      this.#defect(defect);
    } finally {
      turn.end();
    }
  }

  onDrain(): void {
    this.#outbox.drained();
    const stream = this.#stream;
    const { turn } = this.#pool.cluster.engine;
    turn.begin();
    if (stream !== undefined) upstreamDrained(stream);
    turn.end();
  }

  onClose(fault: SocketFault | undefined): void {
    const { engine } = this.#pool.cluster;
    engine.connections.delete(this);
    engine.turn.begin();
    try {
      this.#outbox.close();
      if (this.#state === CLOSED) return;
      const stream = this.#stream;
      this.#leavePool(fault === undefined || fault.kind === 'reset');
      if (stream !== undefined) this.#broken(stream);
    } catch (defect) {
      this.#defect(defect);
    } finally {
      engine.turn.end();
    }
  }

  // — ResponseSink —

  onInformational(head: ResponseHead): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    if (head.status === 100) stream.expectsContinue = false;
    stream.downstream.writeInterim(stream, head);
  }

  onHead(head: ResponseHead): void {
    this.#headSeen = true;
    this.#keepAlive = head.keepAlive;
    if (head.fields.indexOfId(FIELD_KEEP_ALIVE) >= 0)
      this.#pool.resting.learnKeepAlive(head.fields.get('keep-alive') ?? '');
    if (this.#stream !== undefined) attemptAnswered(this.#stream);
  }

  onData(chunk: Buffer, start: number, end: number): void {
    const stream = this.#stream;
    if (stream !== undefined) {
      if (
        responseData(stream, chunk, start, end, this.#fromHeld || this.socket.ownedReads) &&
        !this.#fromHeld
      )
        this.socket.keepRead();
      return;
    }
    if (this.#handedOver) return this.#hold(chunk, start, end);
    this.#drainLeft -= end - start;
    if (this.#drainLeft >= 0) return;
    this.#pool.cluster.metrics.drainOverflow.add();
    this.close();
  }

  onTrailers(trailers: FieldTable): void {
    const stream = this.#stream;
    // Copied: hooks may look at them when the decoder has another stream already.
    if (stream !== undefined) (stream.savedTrailers ??= stream.engine.newTable()).copyFrom(trailers);
    this.#trailers = stream?.savedTrailers;
  }

  #trailers: FieldTable | undefined = undefined;

  onComplete(): void {
    this.#responseDone = true;
    const stream = this.#stream;
    this.#stream = undefined;
    const trailers = this.#trailers;
    this.#trailers = undefined;
    if (stream === undefined) return;
    stream.upstream = undefined;
    responseWhole(stream, trailers);
    if (!stream.attemptRequestEnded) {
      // The endpoint answered whole before it had the whole request: the rest is nobody's, the connection is done for.
      stream.discardRequest = true;
      this.#keepAlive = false;
    }
    responseEnd(stream, trailers);
  }

  onFault(fault: Http1Fault): void {
    const { metrics } = this.#pool.cluster;
    const stream = this.#stream;
    if (fault.rule === 'truncated') {
      this.close();
      if (stream !== undefined) this.#broken(stream);
      return;
    }
    metrics.protocolError(fault.rule);
    this.close();
    if (stream === undefined) return;
    stream.upstream = undefined;
    const code = 'TULLE_UPSTREAM_PROTOCOL';
    const when = this.#headSeen ? 'after' : 'before';
    const details = `upstream_reset_${when}_response_started{protocol_error,${fault.rule}}`;
    if (this.#headSeen) responseBroken(stream, code, details);
    else attemptFailed(stream, code, false, details);
  }

  // — inside —

  #feed(chunk: Buffer, start: number, end: number, held: boolean): void {
    if (this.#state !== BUSY) {
      if (this.#state === CLOSED || end === start) return;
      this.#pool.cluster.metrics.protocolError('response-unasked');
      return this.close();
    }
    const decoder = this.#decoder;
    let at = start;
    this.#reading = true;
    this.#fromHeld = held;
    try {
      do at += decoder.execute(chunk, at, end);
      while (
        at < end &&
        this.#paused === 0 &&
        !this.#responseDone &&
        this.#state === BUSY &&
        decoder.phase !== 'tunnel' &&
        decoder.phase !== 'failed'
      );
    } finally {
      this.#reading = false;
    }
    if (this.#handedOver && at < end) this.#hold(chunk, at, end);
    if (this.#state !== BUSY) return;
    if (this.#responseDone) return this.#afterResponse(end - at);
    if (at < end) this.#hold(chunk, at, end);
    if (decoder.phase === 'body') this.socket.setOwnedReads(true);
  }

  #afterResponse(leftBytes: number): void {
    this.socket.setOwnedReads(false);
    if (leftBytes > 0) {
      // More than one answer, or garbage behind it: whose it is cannot be told (RFC 9112 §9.2).
      this.#pool.cluster.metrics.protocolError('response-unasked');
      return this.close();
    }
    if (!this.#requestSent || !this.#keepAlive) return this.close();
    this.#state = RESTING;
    this.#decoder.head = restingHead;
    this.#pool.give(this);
  }

  #hold(chunk: Buffer, start: number, end: number): void {
    const bytes = chunk.subarray(start, end);
    this.#held = this.#held.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#held, bytes]);
  }

  /** The endpoint sends nothing more. */
  #finish(): void {
    this.#endHeld = false;
    if (this.#state === CLOSED) return;
    if (this.#state !== BUSY || this.#responseDone) {
      this.#leavePool(true);
      this.socket.destroy();
      return;
    }
    this.#keepAlive = false;
    this.#decoder.finish();
    if (this.#responseDone) this.#afterResponse(0);
    else this.close();
  }

  /** The connection ended in the middle of a stream. */
  #broken(stream: Stream): void {
    this.#stream = undefined;
    this.#pool.cluster.metrics.resets.add();
    stream.upstream = undefined;
    if (this.#headSeen) responseBroken(stream, 'TULLE_UPSTREAM_RESET_AFTER_START');
    else attemptFailed(stream, 'TULLE_UPSTREAM_RESET', false, undefined);
  }

  #leavePool(byPeer: boolean): void {
    const resting = byPeer && this.#state === RESTING;
    this.#state = CLOSED;
    this.#pool.gone(this, resting);
  }

  #defect(defect: unknown): void {
    const { engine } = this.#pool.cluster;
    const stream = this.#stream;
    this.#stream = undefined;
    this.close();
    if (stream === undefined) engine.logDefect(defect);
    else {
      stream.upstream = undefined;
      engine.defect(stream, defect);
    }
  }
}
