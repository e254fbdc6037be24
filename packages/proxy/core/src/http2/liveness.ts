import type { Http2Session } from '@tulle/http2';
import type { Http2Keepalive } from '@tulle/model';
import { jitteredMs, type WheelTimer } from '@tulle/time';
import type { Engine } from '../engine.ts';

/** Token of the PING that asks for a sign of life. */
export const KEEPALIVE_TOKEN = 1;
/** Token of the PING behind a graceful GOAWAY: its answer says that the peer read that. */
export const DRAIN_TOKEN = 2;

const DEFAULT_TIMEOUT_MS = 5_000;
/** Envoy's. */
const DEFAULT_JITTER_PERCENT = 15;

const SETTINGS_SENT = 0;
const RESTING = 1;
const LISTENING = 2;
const ASKED = 3;

/** Who is told. */
export interface LivenessOwner {
  readonly session: Pick<Http2Session<never>, 'ping' | 'fail'>;
  /** No answer to PING within the timeout. */
  peerSilent(): void;
}

/**
 * Whether the peer of an HTTP/2 connection is there: it acknowledges SETTINGS in time (RFC 9113 §6.5.3), and where
 * that is asked for, answers PING on a quiet connection.
 */
export class Liveness {
  /** When something came last. */
  heardMs: number;
  readonly #engine: Engine;
  readonly #owner: LivenessOwner;
  readonly #keepalive: Http2Keepalive | undefined;
  readonly #timer: WheelTimer;
  #state: typeof SETTINGS_SENT | typeof RESTING | typeof LISTENING | typeof ASKED = SETTINGS_SENT;
  #askedMs = 0;
  /** Silence before the next question, with what was added to it at random. */
  #intervalMs = Infinity;

  constructor(engine: Engine, owner: LivenessOwner, keepalive: Http2Keepalive | undefined) {
    this.#engine = engine;
    this.#owner = owner;
    this.#keepalive = keepalive;
    this.heardMs = engine.turn.nowMs;
    this.#timer = engine.wheel.timer(livenessDue, this);
    this.#timer.arm(engine.limits.handshakeTimeoutMs, this.heardMs);
  }

  /** Our SETTINGS were acknowledged. */
  settled(): void {
    if (this.#state !== SETTINGS_SENT) return;
    this.#timer.cancel();
    this.#state = RESTING;
    if (this.#keepalive?.intervalMs === undefined) return;
    this.#state = LISTENING;
    this.#timer.arm(this.#nextIntervalMs(this.#keepalive));
  }

  /** A stream begins, which is when a peer that was silent for long is asked. */
  used(): void {
    const idleMs = this.#keepalive?.idleIntervalMs;
    if (idleMs === undefined || this.#state === SETTINGS_SENT || this.#state === ASKED) return;
    const { nowMs } = this.#engine.turn;
    if (nowMs - this.heardMs > idleMs) this.#ask(nowMs);
  }

  due(): void {
    const { turn } = this.#engine;
    turn.begin();
    try {
      this.#look();
    } catch (defect) {
      this.#engine.logDefect(defect);
    } finally {
      turn.end();
    }
  }

  #look(): void {
    const { session } = this.#owner;
    if (this.#state === SETTINGS_SENT) return session.fail('settings-timeout');
    const { nowMs } = this.#engine.turn;
    if (this.#state === ASKED) {
      if (this.heardMs < this.#askedMs) return this.#owner.peerSilent();
      this.#nextIntervalMs(this.#keepalive as Http2Keepalive);
    }
    if (this.#intervalMs === Infinity) {
      this.#state = RESTING;
      return;
    }
    const leftMs = this.heardMs + this.#intervalMs - nowMs;
    if (leftMs <= 0) return this.#ask(nowMs);
    this.#state = LISTENING;
    this.#timer.arm(leftMs, nowMs);
  }

  #nextIntervalMs({ intervalMs = Infinity, jitterPercent = DEFAULT_JITTER_PERCENT }: Http2Keepalive): number {
    this.#intervalMs = jitteredMs(intervalMs, jitterPercent, this.#engine.random);
    return this.#intervalMs;
  }

  #ask(nowMs: number): void {
    this.#state = ASKED;
    this.#askedMs = nowMs;
    this.#owner.session.ping(KEEPALIVE_TOKEN);
    this.#timer.arm(this.#keepalive?.timeoutMs ?? DEFAULT_TIMEOUT_MS, nowMs);
  }

  stop(): void {
    this.#timer.cancel();
  }
}

function livenessDue(liveness: Liveness): void {
  liveness.due();
}
