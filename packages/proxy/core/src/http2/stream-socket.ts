import type { FieldTable } from '@tulle/fields';
import { H2_CANCEL, H2_CONNECT_ERROR, type Http2Session, type Http2Stream } from '@tulle/http2';
import {
  WRITE_TAKEN,
  type Socket,
  type SocketEvents,
  type SocketFault,
  type TlsPeer,
  type WriteResult,
} from '../ports.ts';
import type { Turn, TurnTask } from '../turn.ts';

/** The stream that became a tunnel: it reads, and knows when it is read on. */
export interface TunnelledStream<U> {
  /** `undefined` once it is over. */
  h2: Http2Stream<U> | undefined;
  pauseTunnel(): void;
  resumeTunnel(): void;
  /** The tunnel is over for this side; the HTTP/2 stream too. */
  tunnelClosed(): void;
}

const RESET: SocketFault = { kind: 'reset', reason: 'RST_STREAM', message: 'the peer reset the stream' };
const NOBODY: SocketEvents = { onOpen() {}, onRead() {}, onEnd() {}, onDrain() {}, onClose() {} };

/**
 * One HTTP/2 stream as a socket, for what follows CONNECT or an upgrade: DATA frames are the bytes, END_STREAM the
 * half-close, RST_STREAM the reset (RFC 9113 §8.5). So tunnels know one kind of connection.
 */
export class StreamSocket<U> implements Socket, TurnTask {
  events: SocketEvents = NOBODY;
  /** Is told of trailers, which are lent; `undefined`: they are for nobody. */
  onTrailers: ((trailers: FieldTable) => void) | undefined = undefined;
  readonly #session: Http2Session<U>;
  readonly #owner: TunnelledStream<U>;
  /** Of the connection that carries the stream. */
  readonly #socket: Socket;
  readonly #turn: Turn;
  #closed = false;
  #fault: SocketFault | undefined = undefined;

  constructor(session: Http2Session<U>, owner: TunnelledStream<U>, socket: Socket, turn: Turn) {
    this.#session = session;
    this.#owner = owner;
    this.#socket = socket;
    this.#turn = turn;
  }

  get remoteAddress(): string {
    return this.#socket.remoteAddress;
  }

  get remotePort(): number {
    return this.#socket.remotePort;
  }

  get localAddress(): string {
    return this.#socket.localAddress;
  }

  get localPort(): number {
    return this.#socket.localPort;
  }

  get tls(): TlsPeer | undefined {
    return this.#socket.tls;
  }

  get queuedBytes(): number {
    const { h2 } = this.#owner;
    return h2 === undefined ? 0 : h2.queuedBytes;
  }

  get unsentBytes(): number {
    return this.queuedBytes;
  }

  get ownedReads(): boolean {
    return this.#socket.ownedReads;
  }

  keepRead(): void {
    this.#socket.keepRead();
  }

  /** Copied: whether the connection below keeps a buffer, and until when, its streams are not told. */
  write(bytes: Buffer): WriteResult {
    const { h2 } = this.#owner;
    if (h2 !== undefined) this.#session.writeData(h2, bytes, 0, bytes.length, false);
    return WRITE_TAKEN;
  }

  cork(): void {}
  uncork(): void {}

  end(): void {
    const { h2 } = this.#owner;
    if (h2 !== undefined) this.#session.writeEnd(h2, undefined);
  }

  destroy(reset = false): void {
    const { h2 } = this.#owner;
    this.#owner.h2 = undefined;
    if (h2 !== undefined) this.#session.reset(h2, reset ? H2_CONNECT_ERROR : H2_CANCEL);
    this.close(undefined);
  }

  pause(): void {
    this.#owner.pauseTunnel();
  }

  resume(): void {
    this.#owner.resumeTunnel();
  }

  setOwnedReads(): void {}

  /** The session took all that was queued. */
  drained(): void {
    if (!this.#closed) this.events.onDrain();
  }

  /** The HTTP/2 stream is over. @param reset out of order */
  streamOver(reset: boolean): void {
    if (!reset) this.events.onDrain();
    this.close(reset ? RESET : undefined);
  }

  /** `onClose` never comes from within a call of the owner's. */
  protected close(fault: SocketFault | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#fault = fault;
    this.#turn.begin();
    this.#turn.later(this);
    this.#turn.end();
  }

  endOfTurn(): void {
    this.events.onClose(this.#fault);
    this.#owner.tunnelClosed();
  }
}
