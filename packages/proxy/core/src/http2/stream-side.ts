import type { FieldTable } from '@tulle/fields';
import type { Http2Session, Http2Stream } from '@tulle/http2';
import type { Engine } from '../engine.ts';
import type { Socket } from '../ports.ts';
import type { PauseReason } from '../sides.ts';
import type { TurnTask } from '../turn.ts';
import { HeldBody } from './held-body.ts';
import { SideFlags } from './side-flags.ts';
import { StreamSocket, type TunnelledStream } from './stream-socket.ts';

/** Beside the reasons of {@link PauseReason}: bytes behind a head that asks for a tunnel wait until it stands. */
const PAUSE_TUNNEL = 4;

const NOTHING: Buffer = Buffer.alloc(0);

/** The connection that carries the stream. */
export interface SideHost<Self> {
  readonly engine: Engine;
  readonly socket: Socket;
  readonly session: Http2Session<Self>;
}

/**
 * The incoming half of one HTTP/2 stream, the same for a caller's request and an endpoint's response. While nobody takes
 * its body, what comes is held here, and as the peer is given no room again, that is one window at most; the other
 * streams of the connection move on.
 *
 * Pooled. `generation` grows with each use, so that who called out can tell whether it is still the same stream.
 */
export abstract class StreamSide<Self> extends SideFlags implements TurnTask, TunnelledStream<Self> {
  generation = 0;
  /** `undefined` once the HTTP/2 stream is over. */
  h2: Http2Stream<Self> | undefined = undefined;
  host!: SideHost<Self>;
  tunnelSocket: StreamSocket<Self> | undefined = undefined;
  /** What waits, body and trailers. Made when it is needed: most bodies are taken as they come. */
  #held: HeldBody | undefined = undefined;
  /** Taken by the other side, and not yet the peer's to send again. */
  #owedBytes = 0;

  /** A piece of body. @returns whether `chunk` is kept (D1) */
  protected abstract deliver(chunk: Buffer, start: number, end: number, owned: boolean): boolean;
  /** The body is over. */
  protected abstract finish(trailers: FieldTable | undefined): void;
  /** Nothing uses the tunnel any more. */
  abstract tunnelClosed(): void;

  get paused(): boolean {
    return this.pauses !== 0;
  }

  // — what the session tells —

  received(chunk: Buffer, start: number, end: number, endStream: boolean): void {
    if (endStream) this.peerEnded = true;
    if (this.pauses !== 0 || this.heldBytes > 0) {
      (this.#held ??= new HeldBody()).add(chunk, start, end);
      if (endStream) this.endHeld = true;
      return;
    }
    const { socket } = this.host;
    if (!this.pass(chunk, start, end, socket.ownedReads, socket)) return;
    if (!endStream) return;
    if (this.pauses === 0) this.bodyOver(undefined);
    else this.endHeld = true;
  }

  /** The peer ended its side, without content in its last frame. */
  ended(trailers: FieldTable | undefined): void {
    this.peerEnded = true;
    if (this.pauses === 0 && this.heldBytes === 0) return this.bodyOver(trailers);
    this.endHeld = true;
    if (trailers === undefined) return;
    // The session's own: it reads others into it.
    const held = (this.#held ??= new HeldBody());
    held.trailers = this.host.engine.newTable();
    held.trailers.copyFrom(trailers);
  }

  /**
   * Ends our half. Trailers that are larger than the peer says that it takes are left out, as whoever passes a message on may
   * do (RFC 9110 §6.5.1): what a peer does with them is its own affair, and some end the connection, with all of its streams.
   */
  protected sendLast(h2: Http2Stream<Self>, trailers: FieldTable | undefined, requestId: string): void {
    const { session, engine } = this.host;
    const fit = trailers === undefined || session.takesHead(trailers);
    if (!fit)
      engine.log.warn(
        'trailers left out: they are larger than the peer says that it takes (SETTINGS_MAX_HEADER_LIST_SIZE)',
        { requestId },
      );
    session.writeEnd(h2, fit ? trailers : undefined);
  }

  // — pausing —

  /** @returns whether it flowed before */
  pause(reason: PauseReason | typeof PAUSE_TUNNEL): boolean {
    const flowed = (this.pauses & reason) === 0;
    this.pauses |= reason;
    return flowed;
  }

  resume(reason: PauseReason | typeof PAUSE_TUNNEL): void {
    if (this.pauses === 0) return;
    this.pauses &= ~reason;
    if (this.pauses !== 0 || this.passing || this.scheduled) return;
    this.scheduled = true;
    const { turn } = this.host.engine;
    turn.begin();
    turn.later(this);
    turn.end();
  }

  /** What was held goes on. */
  endOfTurn(): void {
    this.scheduled = false;
    const { generation } = this;
    while (this.pauses === 0) {
      const piece = this.#held?.shift();
      if (piece === undefined) break;
      if (!this.pass(piece, 0, piece.length, true, undefined)) return;
    }
    if (this.pauses !== 0) return;
    this.credit();
    if (!this.endHeld || this.generation !== generation) return;
    this.endHeld = false;
    const held = this.#held;
    const trailers = held?.trailers;
    if (held !== undefined) held.trailers = undefined;
    this.bodyOver(trailers);
  }

  /** @returns whether it is still the same stream */
  private pass(
    chunk: Buffer,
    start: number,
    end: number,
    owned: boolean,
    keeper: Socket | undefined,
  ): boolean {
    const { generation, tunnelSocket } = this;
    this.passing = true;
    if (tunnelSocket !== undefined) tunnelSocket.events.onRead(chunk, start, end);
    else if (this.deliver(chunk, start, end, owned) && keeper !== undefined) keeper.keepRead();
    if (this.generation !== generation) return false;
    this.passing = false;
    this.#owedBytes += end - start;
    if (this.pauses === 0) this.credit();
    return true;
  }

  private bodyOver(trailers: FieldTable | undefined): void {
    const { tunnelSocket } = this;
    if (tunnelSocket === undefined) return this.finish(trailers);
    if (trailers !== undefined) tunnelSocket.onTrailers?.(trailers);
    tunnelSocket.events.onEnd();
  }

  private credit(): void {
    const bytes = this.#owedBytes;
    if (bytes === 0) return;
    this.#owedBytes = 0;
    if (this.h2 !== undefined) this.host.session.consume(this.h2, bytes);
  }

  private get heldBytes(): number {
    return this.#held === undefined ? 0 : this.#held.bytes;
  }

  // — tunnels —

  /** From the head that asks for one on: what comes behind it waits. */
  awaitTunnel(): void {
    this.pause(PAUSE_TUNNEL);
  }

  /** The stream as a socket, paused. What came already is taken by {@link takeHeld}, or follows when it is resumed. */
  openTunnel(
    socket: StreamSocket<Self> = new StreamSocket<Self>(
      this.host.session,
      this,
      this.host.socket,
      this.host.engine.turn,
    ),
  ): StreamSocket<Self> {
    this.pause(PAUSE_TUNNEL);
    this.tunnelSocket = socket;
    if (this.h2 !== undefined) this.h2.tellsEmpty = true;
    return socket;
  }

  pauseTunnel(): void {
    this.pause(PAUSE_TUNNEL);
  }

  resumeTunnel(): void {
    this.resume(PAUSE_TUNNEL);
  }

  takeHeld(): Buffer {
    const held = this.#held;
    if (held === undefined || held.bytes === 0) return NOTHING;
    this.#owedBytes += held.bytes;
    return held.takeAll();
  }

  /** From the pool. */
  takeIntoUse(): void {
    this.inUse = true;
  }

  /**
   * For the next stream. @returns false when that was done already: an end may be told from two sides within each other (a
   * tunnel's and its stream's), and an object that is twice in the pool would serve two streams at once
   */
  protected resetSide(): boolean {
    if (!this.inUse) return false;
    const { scheduled } = this;
    this.resetFlags();
    // It still has its turn.
    this.scheduled = scheduled;
    this.generation++;
    this.h2 = undefined;
    this.tunnelSocket = undefined;
    this.#held?.clear();
    this.#owedBytes = 0;
    return true;
  }
}
