import { BODY_CHUNKED, BODY_NONE, type EncodeFault } from '@tulle/http1';
import { attemptAnswered, attemptFailed, responseBroken, responseWhole } from '../attempts/attempts.ts';
import { upstreamDrained } from '../chain/request-body.ts';
import { responseData, responseEnd } from '../chain/response.ts';
import { Outbox } from '../outbox.ts';
import type { Socket, SocketEvents, SocketFault } from '../ports.ts';
import { PAUSE_FLOW, type PauseReason, type UpstreamLine, type UpstreamStream } from '../sides.ts';
import { connectionNumber } from '../stream/connection-number.ts';
import type { Stream } from '../stream/stream.ts';
import type { TurnTask } from '../turn.ts';
import { addressesOf } from './connect-endpoint.ts';
import type { EndpointPool } from './endpoint-pool.ts';
import { plainHeader, writeProxyHeader } from './proxy-header.ts';

const EMPTY: Buffer = Buffer.alloc(0);

/**
 * A connection to an endpoint that is spoken to in bytes: a request's content goes out as it comes, and what comes back is the
 * content of an answer that is made here. It serves one request (model `ConnectTermination`).
 */
export class BytesConnection implements SocketEvents, UpstreamStream, UpstreamLine, TurnTask {
  readonly socket: Socket;
  readonly id: number = connectionNumber();
  readonly protocol = 'TCP';
  readonly reused = false;
  readonly provesUnsent = false;
  readonly #pool: EndpointPool;
  readonly #outbox: Outbox;
  #stream: Stream | undefined;
  #answered = false;
  /** Reasons of {@link PauseReason} added up. */
  #paused = 0;
  #handedOver = false;
  #closed = false;

  constructor(pool: EndpointPool, socket: Socket) {
    const { engine } = pool.cluster;
    this.#pool = pool;
    this.socket = socket;
    this.#outbox = new Outbox(socket, engine.turn);
    socket.events = this;
    // Until the caller was answered.
    socket.pause();
    engine.connections.add(this);
  }

  get line(): UpstreamLine {
    return this;
  }

  get identity(): string | undefined {
    return this.socket.tls?.identity;
  }

  // — UpstreamStream —

  sendHead(stream: Stream): EncodeFault | undefined {
    this.#stream = stream;
    const action = stream.route?.action;
    const version = action?.kind === 'forward' ? action.connect?.proxyProtocol : undefined;
    if (version !== undefined) {
      this.#outbox
        .writer()
        .bytes(writeProxyHeader(plainHeader(version), addressesOf(stream.downstream.connection)));
      // What gathers leaves after a relay's first bytes.
      this.#outbox.flush();
    }
    if (stream.expectsContinue) {
      stream.expectsContinue = false;
      stream.downstream.writeContinue(stream);
    }
    this.#pool.cluster.engine.turn.later(this);
    return undefined;
  }

  /** The connection is the answer: that comes when the request knows of it. */
  endOfTurn(): void {
    this.#inTurn((stream) => {
      this.#answered = true;
      const { isConnect, responseHead: head } = stream;
      head.reset();
      head.status = 200;
      head.reason = 'OK';
      head.bodyKind = isConnect ? BODY_NONE : BODY_CHUNKED;
      head.tunnel = isConnect;
      attemptAnswered(stream);
      if (this.#stream !== undefined && this.#paused === 0) this.socket.resume();
    });
  }

  sendData(chunk: Buffer, start: number, end: number, owned: boolean): boolean {
    return this.#stream !== undefined && this.#outbox.piece(chunk, start, end, owned, undefined);
  }

  /** Trailers are no bytes of the content. The end of a tunnel comes later. */
  sendEnd(): void {
    if (this.#stream?.isConnect === false) this.#outbox.end();
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
    if (reason === PAUSE_FLOW && (this.#paused & PAUSE_FLOW) === 0)
      this.#pool.cluster.metrics.flowPaused.add();
    this.#paused |= reason;
    this.socket.pause();
  }

  resumeResponse(reason: PauseReason): void {
    this.#paused &= ~reason;
    if (this.#paused === 0 && this.#answered && this.#stream !== undefined) this.socket.resume();
  }

  handOver(): Socket {
    this.#stream = undefined;
    this.#handedOver = true;
    return this.socket;
  }

  tunnelOver(): void {
    this.#leave();
  }

  /** Nothing was read before. */
  takeHeld(): Buffer {
    return EMPTY;
  }

  abandon(): void {
    this.close();
  }

  /** Closes the connection, whatever it does. */
  close(): void {
    this.#stream = undefined;
    this.socket.destroy(true);
    this.#leave();
  }

  /** It leaves the counts of its pool. */
  #leave(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#outbox.close();
    this.#pool.cluster.engine.connections.delete(this);
    this.#pool.bytesGone(this.socket);
  }

  // — SocketEvents, until a relay takes the socket —

  onOpen(): void {}

  onRead(chunk: Buffer, start: number, end: number): void {
    this.#inTurn((stream) => {
      if (responseData(stream, chunk, start, end, this.socket.ownedReads)) this.socket.keepRead();
    });
  }

  /** The endpoint has said all: the answer is whole, and what it did not take of the request is nobody's. */
  onEnd(): void {
    this.#inTurn((stream) => {
      this.#stream = undefined;
      stream.upstream = undefined;
      const whole = stream.attemptRequestEnded;
      responseWhole(stream, undefined);
      if (!whole) stream.discardRequest = true;
      responseEnd(stream, undefined);
      // Else both directions end, and with them the connection.
      if (!whole || this.#outbox.queuedBytes > 0) this.close();
    });
  }

  onDrain(): void {
    this.#outbox.drained();
    this.#inTurn((stream) => upstreamDrained(stream));
  }

  onClose(_fault: SocketFault | undefined): void {
    if (this.#handedOver) return;
    const answered = this.#answered;
    this.#inTurn((stream) => {
      this.#stream = undefined;
      stream.upstream = undefined;
      this.#pool.cluster.metrics.resets.add();
      if (answered) responseBroken(stream, 'TULLE_UPSTREAM_RESET_AFTER_START');
      else attemptFailed(stream, 'TULLE_UPSTREAM_RESET', false, undefined);
    });
    this.#pool.cluster.engine.inTurn(
      () => this.close(),
      () => {},
    );
  }

  #inTurn(run: (stream: Stream) => void): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    const { engine } = this.#pool.cluster;
    engine.turn.begin();
    try {
      run(stream);
    } catch (defect) {
      this.close();
      stream.upstream = undefined;
      engine.defect(stream, defect);
    } finally {
      engine.turn.end();
    }
  }
}
