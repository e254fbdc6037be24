import type { WheelTimer } from '@tulle/time';
import type { Engine } from './engine.ts';
import type { Outbox } from './outbox.ts';
import type { Socket } from './ports.ts';

/** The connection that says goodbye. */
export interface LeavingConnection {
  destroy(): void;
}

/** How a connection ends so that its peer gets what was written: whether the peer takes it, and how long that is waited for. */
export class LeaveTaking {
  /** How long the peer may take nothing of what is queued, in ms; 0: for ever. */
  stallTimeoutMs: number;
  protected readonly engine: Engine;
  protected readonly outbox: Outbox;
  readonly #connection: LeavingConnection;
  readonly #socket: Socket;
  /** Made when it is needed: most peers take what they asked for. */
  #takeTimer: WheelTimer | undefined = undefined;
  #unsentBytes = 0;

  constructor(
    connection: LeavingConnection,
    engine: Engine,
    socket: Socket,
    outbox: Outbox,
    stallTimeoutMs: number,
  ) {
    this.#connection = connection;
    this.engine = engine;
    this.#socket = socket;
    this.outbox = outbox;
    this.stallTimeoutMs = stallTimeoutMs;
  }

  /** How long what still comes is read, when all is taken. */
  protected get lingerMs(): number {
    return this.engine.limits.lingerMs;
  }

  /** The peer takes nothing, and is waited for no longer. */
  protected stalled(): void {}

  /** The connection says goodbye: what is written still leaves, then FIN; then {@link linger}. */
  leave(peerEnded: boolean): void {
    this.stop();
    this.outbox.flush();
    this.outbox.end();
    this.linger(peerEnded);
  }

  /** When all is taken, what still comes is thrown away for a moment, lest a reset eat the answer. */
  linger(peerEnded: boolean): void {
    if (this.outbox.queuedBytes > 0) this.waitForTaking();
    else if (peerEnded) this.#connection.destroy();
    else this.#armTake(this.lingerMs);
  }

  /** Whether the peer took some of what is queued since this was asked last. */
  takesOn(): boolean {
    const before = this.#unsentBytes;
    this.#unsentBytes = this.#socket.unsentBytes;
    return this.#unsentBytes > 0 && this.#unsentBytes !== before;
  }

  takeTimerDue(): void {
    if (this.takesOn()) return this.#armTake(this.stallTimeoutMs);
    if (this.outbox.queuedBytes > 0) this.stalled();
    this.engine.turn.begin();
    try {
      this.#connection.destroy();
    } finally {
      this.engine.turn.end();
    }
  }

  protected waitForTaking(): void {
    this.takesOn();
    if (this.stallTimeoutMs > 0) this.#armTake(this.stallTimeoutMs);
  }

  protected stopTaking(): void {
    this.#takeTimer?.cancel();
  }

  #armTake(delayMs: number): void {
    (this.#takeTimer ??= this.engine.wheel.timer(takeTimerFired, this)).arm(delayMs);
  }

  /** Waits for nothing any more. */
  stop(): void {
    this.stopTaking();
  }
}

function takeTimerFired(leaving: LeaveTaking): void {
  leaving.takeTimerDue();
}
