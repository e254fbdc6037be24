import type { WheelTimer } from '@tulle/time';
import type { HttpSettings } from '../compile/compiled.ts';
import type { Engine } from '../engine.ts';
import type { Outbox } from '../outbox.ts';
import type { Socket } from '../ports.ts';
import type { ListenerMetrics } from './serving.ts';

/** The connection whose caller is waited for. */
export interface WaitingConnection {
  /** Of the chain in force; `undefined` when it is gone. */
  readonly settings: HttpSettings | undefined;
  /** A stream is under way. */
  readonly busy: boolean;
  /** More is queued for the caller than the limit. */
  readonly full: boolean;
  /** It rested for `idleTimeoutMs`. */
  restOver(): void;
  /** Closes when nothing is under way; otherwise after it. */
  closeIfIdle(): void;
  /** The head of a request did not come in time. */
  headLate(): void;
  destroy(): void;
}

/**
 * What a connection waits for of its caller, and how long: its next request, the whole head of one, and that it takes
 * what is queued for it, before another request is served and before the connection closes behind the last answer.
 */
export class CallerWaits {
  /** No further request is served: too much of earlier answers is unread. */
  stuck = false;
  /** How long the caller may take nothing of what is queued: the idle timeout of its last response; 0: for ever. */
  stallTimeoutMs: number;
  readonly #connection: WaitingConnection;
  readonly #engine: Engine;
  readonly #socket: Socket;
  readonly #outbox: Outbox;
  readonly #metrics: ListenerMetrics;
  readonly #restTimer: WheelTimer;
  readonly #headTimer: WheelTimer;
  /** Made when it is needed: most callers take what they asked for. */
  #takeTimer: WheelTimer | undefined = undefined;
  #restingSinceMs: number;
  readonly #bornMs: number;
  #requests = 0;
  /** Where connections may only become so old. */
  #ageTimer: WheelTimer | undefined = undefined;
  #unsentBytes = 0;

  constructor(
    connection: WaitingConnection,
    engine: Engine,
    socket: Socket,
    outbox: Outbox,
    metrics: ListenerMetrics,
  ) {
    this.#connection = connection;
    this.#engine = engine;
    this.#socket = socket;
    this.#outbox = outbox;
    this.#metrics = metrics;
    this.#restTimer = engine.wheel.timer(restTimerFired, this);
    this.#headTimer = engine.wheel.timer(headTimerFired, connection);
    this.#restingSinceMs = engine.turn.nowMs;
    this.#bornMs = this.#restingSinceMs;
    const {
      idleTimeoutMs = 0,
      streamIdleTimeoutMs = 0,
      maxConnectionDurationMs = 0,
    } = connection.settings ?? {};
    if (maxConnectionDurationMs > 0)
      (this.#ageTimer = engine.wheel.timer(ageTimerFired, this)).arm(maxConnectionDurationMs);
    this.stallTimeoutMs = streamIdleTimeoutMs;
    if (idleTimeoutMs > 0) this.#restTimer.arm(idleTimeoutMs, this.#restingSinceMs);
  }

  // — the next request —

  /** An answer is out: the caller may rest. Arms nothing; the timer looks when it fires. */
  rests(): void {
    this.#restingSinceMs = this.#engine.turn.nowMs;
  }

  restTimerDue(): void {
    const timeoutMs = this.#connection.settings?.idleTimeoutMs ?? 0;
    if (timeoutMs === 0) return;
    if (this.#connection.busy) return this.#restTimer.arm(timeoutMs);
    const leftMs = this.#restingSinceMs + timeoutMs - this.#engine.turn.nowMs;
    if (leftMs > 0) return this.#restTimer.arm(leftMs);
    this.#metrics.idleTimeouts.add();
    this.#connection.restOver();
  }

  /** A request begins. @returns whether the connection serves no other after it */
  isWornOut(): boolean {
    const requests = ++this.#requests;
    const { maxRequestsPerConnection = 0, maxConnectionDurationMs = 0 } = this.#connection.settings ?? {};
    if (maxRequestsPerConnection > 0 && requests >= maxRequestsPerConnection) return true;
    return maxConnectionDurationMs > 0 && this.#engine.turn.nowMs - this.#bornMs >= maxConnectionDurationMs;
  }

  /** The connection is as old as it may become. */
  ageTimerDue(): void {
    this.#engine.turn.begin();
    try {
      this.#connection.closeIfIdle();
    } finally {
      this.#engine.turn.end();
    }
  }

  /** A head began to come, and is not whole. */
  headBegan(): void {
    const timeoutMs = this.#connection.settings?.requestHeadTimeoutMs ?? 0;
    if (timeoutMs > 0 && !this.#headTimer.armed) this.#headTimer.arm(timeoutMs);
  }

  headCame(): void {
    this.#headTimer.cancel();
  }

  // — that it takes what is queued —

  /** Asked when the connection is full: what was gathered leaves; where that does not help, `onDrain` ends the wait. */
  hasRoom(): boolean {
    this.#outbox.flush();
    if (!this.#connection.full) return true;
    this.stuck = true;
    this.#metrics.flowPaused.add();
    this.#waitForTaking();
    return false;
  }

  /** Everything was taken: the next request may be served. */
  unstick(): void {
    this.stuck = false;
    this.#takeTimer?.cancel();
  }

  /** The connection says goodbye: what is written still leaves, then FIN; then {@link linger}. */
  leave(peerEnded: boolean): void {
    this.stop();
    this.#outbox.flush();
    this.#outbox.end();
    this.linger(peerEnded);
  }

  /** When all is taken, what still comes is thrown away for a moment, lest a reset eat the answer. */
  linger(peerEnded: boolean): void {
    if (this.#outbox.queuedBytes > 0) this.#waitForTaking();
    else if (peerEnded) this.#connection.destroy();
    else this.#armTake(this.#connection.settings?.delayedCloseMs ?? this.#engine.limits.lingerMs);
  }

  /** Whether the caller took some of what is queued since this was asked last. */
  takesOn(): boolean {
    const before = this.#unsentBytes;
    this.#unsentBytes = this.#socket.unsentBytes;
    return this.#unsentBytes > 0 && this.#unsentBytes !== before;
  }

  takeTimerDue(): void {
    if (this.takesOn()) return this.#armTake(this.stallTimeoutMs);
    if (this.#outbox.queuedBytes > 0) this.#metrics.stalled.add();
    this.#connection.destroy();
  }

  #waitForTaking(): void {
    this.takesOn();
    if (this.stallTimeoutMs > 0) this.#armTake(this.stallTimeoutMs);
  }

  #armTake(delayMs: number): void {
    (this.#takeTimer ??= this.#engine.wheel.timer(takeTimerFired, this)).arm(delayMs);
  }

  /** Waits for nothing any more. */
  stop(): void {
    this.#restTimer.cancel();
    this.#headTimer.cancel();
    this.#takeTimer?.cancel();
    this.#ageTimer?.cancel();
  }
}

function restTimerFired(waits: CallerWaits): void {
  waits.restTimerDue();
}

function ageTimerFired(waits: CallerWaits): void {
  waits.ageTimerDue();
}

function headTimerFired(connection: WaitingConnection): void {
  connection.headLate();
}

function takeTimerFired(waits: CallerWaits): void {
  waits.takeTimerDue();
}
