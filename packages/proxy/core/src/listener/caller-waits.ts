import { jitteredMs, type WheelTimer } from '@tulle/time';
import type { HttpSettings } from '../compile/compiled.ts';
import type { Engine } from '../engine.ts';
import { LeaveTaking, type LeavingConnection } from '../leave-taking.ts';
import type { Outbox } from '../outbox.ts';
import type { Socket } from '../ports.ts';
import type { ListenerMetrics } from './serving.ts';

/** The connection whose caller is waited for. */
export interface WaitingConnection extends LeavingConnection {
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
}

/**
 * What a connection waits for of its caller, and how long: its next request, the whole head of one, and that it takes
 * what is queued for it, before another request is served and before the connection closes behind the last answer.
 */
export class CallerWaits extends LeaveTaking {
  /** No further request is served: too much of earlier answers is unread. */
  stuck = false;
  readonly #connection: WaitingConnection;
  readonly #metrics: ListenerMetrics;
  readonly #restTimer: WheelTimer;
  readonly #headTimer: WheelTimer;
  #restingSinceMs: number;
  /** From when on its age counts: later than it began by what its longest time was drawn longer. */
  readonly #agesFromMs: number;
  #requests = 0;
  /** Where connections may only become so old. */
  #ageTimer: WheelTimer | undefined = undefined;

  constructor(
    connection: WaitingConnection,
    engine: Engine,
    socket: Socket,
    outbox: Outbox,
    metrics: ListenerMetrics,
  ) {
    // The idle timeout of the last response; HTTP/1.1 says it anew with each.
    super(connection, engine, socket, outbox, connection.settings?.streamIdleTimeoutMs ?? 0);
    this.#connection = connection;
    this.#metrics = metrics;
    this.#restTimer = engine.wheel.timer(restTimerFired, this);
    this.#headTimer = engine.wheel.timer(headTimerFired, connection);
    this.#restingSinceMs = engine.turn.nowMs;
    const {
      idleTimeoutMs = 0,
      maxConnectionDurationMs = 0,
      connectionJitterPercent = 0,
    } = connection.settings ?? {};
    const maxAgeMs = jitteredMs(maxConnectionDurationMs, connectionJitterPercent, engine.random);
    this.#agesFromMs = this.#restingSinceMs + maxAgeMs - maxConnectionDurationMs;
    if (maxAgeMs > 0) (this.#ageTimer = engine.wheel.timer(ageTimerFired, this)).arm(maxAgeMs);
    if (idleTimeoutMs > 0) this.#restTimer.arm(idleTimeoutMs, this.#restingSinceMs);
  }

  // — the next request —

  /** An answer is out: the caller may rest. Arms nothing; the timer looks when it fires. */
  rests(): void {
    this.#restingSinceMs = this.engine.turn.nowMs;
  }

  restTimerDue(): void {
    const timeoutMs = this.#connection.settings?.idleTimeoutMs ?? 0;
    if (timeoutMs === 0) return;
    if (this.#connection.busy) return this.#restTimer.arm(timeoutMs);
    const leftMs = this.#restingSinceMs + timeoutMs - this.engine.turn.nowMs;
    if (leftMs > 0) return this.#restTimer.arm(leftMs);
    this.#metrics.idleTimeouts.add();
    this.#connection.restOver();
  }

  /** A request begins. @returns whether the connection serves no other after it */
  isWornOut(): boolean {
    const requests = ++this.#requests;
    const { maxRequestsPerConnection = 0, maxConnectionDurationMs = 0 } = this.#connection.settings ?? {};
    if (maxRequestsPerConnection > 0 && requests >= maxRequestsPerConnection) return true;
    return (
      maxConnectionDurationMs > 0 && this.engine.turn.nowMs - this.#agesFromMs >= maxConnectionDurationMs
    );
  }

  /** The connection is as old as it may become. */
  ageTimerDue(): void {
    this.engine.turn.begin();
    try {
      this.#connection.closeIfIdle();
    } finally {
      this.engine.turn.end();
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
    this.outbox.flush();
    if (!this.#connection.full) return true;
    this.stuck = true;
    this.#metrics.flowPaused.add();
    this.waitForTaking();
    return false;
  }

  /** Everything was taken: the next request may be served. */
  unstick(): void {
    this.stuck = false;
    this.stopTaking();
  }

  protected override get lingerMs(): number {
    return this.#connection.settings?.delayedCloseMs ?? super.lingerMs;
  }

  protected override stalled(): void {
    this.#metrics.stalled.add();
  }

  /** Waits for nothing any more. */
  override stop(): void {
    super.stop();
    this.#restTimer.cancel();
    this.#headTimer.cancel();
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
