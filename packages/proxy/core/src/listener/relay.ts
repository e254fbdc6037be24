import type { WheelTimer } from '@tulle/time';
import type { Engine } from '../engine.ts';
import { Outbox } from '../outbox.ts';
import type { Socket, SocketEvents, SocketFault } from '../ports.ts';

/** What hooks may do with bytes on their way; `undefined`: they pass. */
export interface RelayTap {
  /** @returns whether the bytes pass; false ends the relay. A promise: reading waits for it. */
  bytes(fromCaller: boolean, bytes: Uint8Array, end: boolean): boolean | Promise<boolean>;
}

/** How a relay ended. */
export interface RelayEnd {
  readonly fault: SocketFault | undefined;
  readonly side: 'caller' | 'endpoint' | 'none';
  readonly idle: boolean;
}

/**
 * Bytes both ways between two sockets, until both directions are done: half-close is kept, reading stops when the
 * other side takes no more, an idle timeout ends what nobody uses. Serves TCP chains and what follows an upgrade.
 */
export class Relay {
  readonly engine: Engine;
  readonly caller: RelaySide;
  readonly endpoint: RelaySide;
  readonly bufferLimitBytes: number;
  readonly tap: RelayTap | undefined;
  readonly #onOver: (end: RelayEnd) => void;
  readonly #idleTimeoutMs: number;
  readonly #idleTimer: WheelTimer;
  #movedMs = 0;
  #over = false;

  constructor(
    engine: Engine,
    caller: Socket,
    endpoint: Socket,
    options: {
      readonly bufferLimitBytes: number;
      readonly idleTimeoutMs: number;
      readonly tap?: RelayTap | undefined;
    },
    onOver: (end: RelayEnd) => void,
  ) {
    this.engine = engine;
    this.bufferLimitBytes = options.bufferLimitBytes;
    this.tap = options.tap;
    this.#onOver = onOver;
    this.#idleTimeoutMs = options.idleTimeoutMs;
    this.caller = new RelaySide(this, caller, true);
    this.endpoint = new RelaySide(this, endpoint, false);
    this.#idleTimer = engine.wheel.timer(idleTimerFired, this);
    this.moved();
    if (this.#idleTimeoutMs > 0) this.#idleTimer.arm(this.#idleTimeoutMs, this.#movedMs);
    caller.setOwnedReads(true);
    endpoint.setOwnedReads(true);
  }

  /** Whether both directions are over, or one failed. */
  get over(): boolean {
    return this.#over;
  }

  other(side: RelaySide): RelaySide {
    return side === this.caller ? this.endpoint : this.caller;
  }

  moved(): void {
    this.#movedMs = this.engine.turn.nowMs;
  }

  /** Both directions may be done now. */
  settle(): void {
    if (this.caller.ended && this.endpoint.ended && this.caller.flushed && this.endpoint.flushed)
      this.finish({ fault: undefined, side: 'none', idle: false });
  }

  /** Ends both connections. */
  finish(end: RelayEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.#idleTimer.cancel();
    const reset = end.fault?.kind === 'reset';
    // A side that had ended before its reset had said everything: that still reaches the other.
    this.caller.close(reset && end.side === 'endpoint' && !this.endpoint.ended);
    this.endpoint.close(reset && end.side === 'caller' && !this.caller.ended);
    this.#onOver(end);
  }

  /** How long a side may take nothing of what is queued for it when the other is gone. */
  get stallTimeoutMs(): number {
    return this.#idleTimeoutMs > 0 ? this.#idleTimeoutMs : DEFAULT_STALL_MS;
  }

  idleTimerDue(): void {
    if (this.#over) return;
    const leftMs = this.#movedMs + this.#idleTimeoutMs - this.engine.turn.nowMs;
    if (leftMs > 0) return this.#idleTimer.arm(leftMs);
    this.engine.turn.begin();
    try {
      this.finish({ fault: undefined, side: 'none', idle: true });
    } finally {
      this.engine.turn.end();
    }
  }
}

/** Where idle connections may stay for ever, a peer that takes nothing of a finished one may not. As `streamIdleTimeoutMs`. */
const DEFAULT_STALL_MS = 300_000;

/** A hook let the bytes not pass; why, it says itself. */
const REFUSED: RelayEnd = {
  fault: { kind: 'local', reason: 'filter', message: 'refused by a filter' },
  side: 'none',
  idle: false,
};

/** One socket of a relay: what it reads goes to the other. */
export class RelaySide implements SocketEvents {
  readonly socket: Socket;
  /** Bytes read from this side. */
  bytes = 0;
  /** This side sends nothing more, and the other side was told. */
  ended = false;
  readonly #relay: Relay;
  readonly #fromCaller: boolean;
  readonly #outbox: Outbox;
  #paused = false;
  #gone = false;
  #waiting = false;
  #held: Buffer[] = [];
  #endHeld = false;
  #cancelFlush: (() => void) | undefined = undefined;

  constructor(relay: Relay, socket: Socket, fromCaller: boolean) {
    this.#relay = relay;
    this.socket = socket;
    this.#fromCaller = fromCaller;
    this.#outbox = new Outbox(socket, relay.engine.turn);
    socket.events = this;
  }

  /** Everything for this side left the process. */
  get flushed(): boolean {
    return this.#gone || this.#outbox.queuedBytes === 0;
  }

  onOpen(): void {}

  onRead(chunk: Buffer, start: number, end: number): void {
    const { turn } = this.#relay.engine;
    turn.begin();
    try {
      if (this.take(chunk, start, end, this.socket.ownedReads)) this.socket.keepRead();
    } catch (defect) {
      this.#defect(defect);
    } finally {
      turn.end();
    }
  }

  /** Bytes from this side. @returns whether `chunk` is kept (D1) */
  take(chunk: Buffer, start: number, end: number, owned: boolean): boolean {
    const relay = this.#relay;
    if (relay.over || end === start) return false;
    this.bytes += end - start;
    relay.moved();
    if (relay.tap === undefined) return this.#pass(chunk, start, end, owned);
    const bytes = owned ? chunk.subarray(start, end) : Buffer.from(chunk.subarray(start, end));
    if (this.#waiting) {
      this.#held.push(bytes);
      return owned;
    }
    return this.#tapped(bytes, false) && owned;
  }

  #pass(chunk: Buffer, start: number, end: number, owned: boolean): boolean {
    const other = this.#relay.other(this);
    const kept = other.#outbox.piece(chunk, start, end, owned, undefined);
    if (other.#outbox.exceeds(this.#relay.bufferLimitBytes) && !this.#paused) {
      this.#relay.engine.metrics.relaysPaused.add();
      this.#pause();
    }
    return kept;
  }

  /** @returns whether the bytes are kept */
  #tapped(bytes: Buffer, end: boolean): boolean {
    const relay = this.#relay;
    const verdict = (relay.tap as RelayTap).bytes(this.#fromCaller, bytes, end);
    if (typeof verdict !== 'object') {
      if (!verdict) relay.finish(REFUSED);
      if (relay.over) return false;
      if (end) this.#passEnd();
      return bytes.length > 0 && this.#pass(bytes, 0, bytes.length, true);
    }
    this.#waiting = true;
    this.#pause();
    verdict.then(
      (passes) => this.#goOn(passes, bytes, end),
      () => this.#goOn(false, bytes, end),
    );
    return true;
  }

  #goOn(passes: boolean, bytes: Buffer, end: boolean): void {
    const relay = this.#relay;
    relay.engine.turn.begin();
    try {
      this.#waiting = false;
      if (!passes) relay.finish(REFUSED);
      if (relay.over) return;
      if (bytes.length > 0) this.#pass(bytes, 0, bytes.length, true);
      if (end) this.#passEnd();
      while (this.#held.length > 0 && !this.#isWaiting()) this.#tapped(this.#held.shift() as Buffer, false);
      if (this.#isWaiting()) return;
      if (this.#endHeld) {
        this.#endHeld = false;
        this.#tapped(Buffer.alloc(0), true);
      }
      if (!relay.other(this).#outbox.exceeds(relay.bufferLimitBytes)) this.#resume();
    } catch (defect) {
      this.#defect(defect);
    } finally {
      relay.engine.turn.end();
    }
  }

  #isWaiting(): boolean {
    return this.#waiting;
  }

  onEnd(): void {
    const relay = this.#relay;
    relay.engine.turn.begin();
    try {
      if (relay.over) return;
      if (relay.tap === undefined) this.#passEnd();
      else if (this.#waiting) this.#endHeld = true;
      else this.#tapped(Buffer.alloc(0), true);
    } catch (defect) {
      this.#defect(defect);
    } finally {
      relay.engine.turn.end();
    }
  }

  #passEnd(): void {
    this.ended = true;
    this.#relay.other(this).#outbox.end();
    this.#relay.settle();
  }

  onDrain(): void {
    const relay = this.#relay;
    if (relay.over) return this.#cancelFlush === undefined ? undefined : this.socket.destroy();
    relay.moved();
    relay.other(this).#resume();
    relay.settle();
  }

  onClose(fault: SocketFault | undefined): void {
    const relay = this.#relay;
    this.#gone = true;
    this.#cancelFlush?.();
    this.#outbox.close();
    if (relay.over) return;
    relay.engine.turn.begin();
    try {
      if (fault === undefined && this.ended) return relay.settle();
      relay.finish({
        fault: fault ?? { kind: 'other', reason: 'closed', message: 'closed' },
        side: this.#fromCaller ? 'caller' : 'endpoint',
        idle: false,
      });
    } finally {
      relay.engine.turn.end();
    }
  }

  /** Writes what is gathered, then closes. */
  close(reset: boolean): void {
    if (this.#gone) return;
    // Also before a reset: what came before it was said.
    this.#outbox.flush();
    if (reset) {
      this.#outbox.close();
      this.socket.destroy(true);
      return;
    }
    if (this.socket.queuedBytes === 0) return this.socket.destroy();
    this.#outbox.end();
    this.#flushOn(this.socket.unsentBytes);
  }

  /** What the other side sent still leaves, as long as this one takes some of it. */
  #flushOn(unsentBytes: number): void {
    const { engine, stallTimeoutMs } = this.#relay;
    const cancel = engine.clock.setTimer(stallTimeoutMs, () => {
      this.#cancelFlush = undefined;
      const leftBytes = this.socket.unsentBytes;
      if (leftBytes > 0 && leftBytes < unsentBytes) this.#flushOn(leftBytes);
      else this.socket.destroy(leftBytes > 0);
    });
    this.#cancelFlush = cancel;
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.socket.pause();
  }

  #resume(): void {
    if (!this.#paused || this.#waiting) return;
    this.#paused = false;
    this.socket.resume();
  }

  #defect(defect: unknown): void {
    this.#relay.engine.logDefect(defect);
    this.#relay.finish({
      fault: { kind: 'local', reason: 'defect', message: 'a defect in Tulle' },
      side: 'none',
      idle: false,
    });
  }
}

function idleTimerFired(relay: Relay): void {
  relay.idleTimerDue();
}
