import { completeStream } from '../chain/complete.ts';
import { requestData, requestEnd } from '../chain/request-body.ts';
import { downstreamDrained } from '../chain/response.ts';
import type { Engine } from '../engine.ts';
import {
  WRITE_TAKEN,
  type Socket,
  type SocketEvents,
  type SocketFault,
  type TlsPeer,
  type WriteResult,
} from '../ports.ts';
import type { Stream } from '../stream/stream.ts';
import type { TurnTask } from '../turn.ts';

const NOBODY: SocketEvents = { onOpen() {}, onRead() {}, onEnd() {}, onDrain() {}, onClose() {} };
const BROKEN: SocketFault = { kind: 'reset', reason: 'broken', message: 'the answer broke off' };

/** Queued bytes are not known one by one: there is room, or there is none. */
const NO_ROOM = Number.MAX_SAFE_INTEGER;

/** A POST whose content is what is written here, and whose answer's content is what is read: as a connection of bytes. */
export class PostedSocket implements Socket, TurnTask {
  events: SocketEvents = NOBODY;
  readonly ownedReads = false;
  /** Nobody reads now. */
  paused = true;
  readonly #engine: Engine;
  readonly #stream: Stream;
  readonly #generation: number;
  readonly #line: Socket | undefined;
  #full = false;
  #readEnded = false;
  #fault: SocketFault | undefined;
  #closed = false;

  constructor(engine: Engine, stream: Stream) {
    this.#engine = engine;
    this.#stream = stream;
    this.#generation = stream.generation;
    this.#line = stream.attempt.line?.socket;
  }

  get #live(): boolean {
    return this.#stream.live && this.#stream.generation === this.#generation;
  }

  get remoteAddress(): string {
    return this.#line?.remoteAddress ?? '';
  }

  get remotePort(): number {
    return this.#line?.remotePort ?? 0;
  }

  get localAddress(): string {
    return this.#line?.localAddress ?? '';
  }

  get localPort(): number {
    return this.#line?.localPort ?? 0;
  }

  get tls(): TlsPeer | undefined {
    return this.#line?.tls;
  }

  get queuedBytes(): number {
    return this.#full ? NO_ROOM : 0;
  }

  get unsentBytes(): number {
    return this.queuedBytes;
  }

  write(bytes: Buffer): WriteResult {
    if (this.#live) this.#inTurn(() => void requestData(this.#stream, bytes, 0, bytes.length, false));
    return WRITE_TAKEN;
  }

  cork(): void {}
  uncork(): void {}

  end(): void {
    if (this.#live && !this.#stream.requestReceived) this.#inTurn(() => requestEnd(this.#stream, undefined));
  }

  destroy(): void {
    if (this.#live) this.#inTurn(() => completeStream(this.#stream));
    this.over();
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    if (this.#live) this.#inTurn(() => downstreamDrained(this.#stream));
  }

  keepRead(): void {}
  setOwnedReads(): void {}

  // — of the request —

  read(chunk: Buffer, start: number, end: number): void {
    this.events.onRead(chunk, start, end);
  }

  /** The answer is whole. */
  ended(): void {
    this.#readEnded = true;
    this.events.onEnd();
  }

  broken(): void {
    this.#fault = BROKEN;
  }

  /** The connection takes no more for now. */
  fill(): void {
    this.#full = true;
  }

  drain(): void {
    if (!this.#full) return;
    this.#full = false;
    this.events.onDrain();
  }

  /** The request is over. `onClose` never comes from within a call of the owner's. */
  over(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (!this.#readEnded) this.#fault ??= BROKEN;
    this.#full = false;
    this.#engine.turn.begin();
    this.#engine.turn.later(this);
    this.#engine.turn.end();
  }

  endOfTurn(): void {
    this.events.onClose(this.#fault);
  }

  #inTurn(run: () => void): void {
    this.#engine.inTurn(run, () => this.destroy());
  }
}
