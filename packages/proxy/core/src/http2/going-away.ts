import { H2_NO_ERROR, type ServerSession } from '@tulle/http2';
import type { WheelTimer } from '@tulle/time';
import type { Engine } from '../engine.ts';
import { DRAIN_TOKEN } from './liveness.ts';
import type { Http2Wire } from './wire.ts';

/** The connection that ends. */
export interface GoingAwayOwner {
  readonly engine: Engine;
  readonly session: Pick<ServerSession<never>, 'goaway' | 'ping' | 'finishGoaway'>;
  /** No stream can come any more: it may end behind the last of those that it has. */
  lastStreamKnown(): void;
}

/**
 * How a server ends a connection without the loss of a stream that its peer begins meanwhile (RFC 9113 §6.8): a GOAWAY that
 * still takes every stream, a PING behind it, and once that is answered, the GOAWAY that names the last stream.
 */
export class GoingAway {
  /** GOAWAY was said, or the peer begins no stream any more. */
  began = false;
  /** The last GOAWAY was said, or nobody waits for it. */
  lastStreamKnown = false;
  readonly #owner: GoingAwayOwner;
  readonly #wire: Http2Wire;
  #timer: WheelTimer | undefined = undefined;

  constructor(owner: GoingAwayOwner, wire: Http2Wire) {
    this.#owner = owner;
    this.#wire = wire;
  }

  /**
   * Says that the connection will end.
   * @param timeoutMs for the answer to PING; the last GOAWAY is said without it then
   * @returns `false` where it ends already
   */
  begin(timeoutMs: number): boolean {
    if (this.began) return false;
    this.began = true;
    const { engine, session } = this.#owner;
    session.goaway(H2_NO_ERROR, true);
    session.ping(DRAIN_TOKEN);
    this.#timer = engine.wheel.timer(finishDue, this);
    this.#timer.arm(timeoutMs);
    return true;
  }

  /** A PING was answered. */
  ponged(token: number): void {
    if (token === DRAIN_TOKEN) this.#finish();
  }

  /** The peer ended its side, or the session failed: there is nobody to say GOAWAY to. */
  peerOver(): void {
    this.began = true;
    this.lastStreamKnown = true;
    this.#owner.lastStreamKnown();
  }

  due(): void {
    this.#wire.inTurn(() => this.#finish());
  }

  #finish(): void {
    if (this.lastStreamKnown || !this.began) return;
    this.stop();
    this.#owner.session.finishGoaway();
    this.lastStreamKnown = true;
    this.#owner.lastStreamKnown();
  }

  /** The connection ends now. */
  stop(): void {
    this.#timer?.cancel();
  }
}

function finishDue(goingAway: GoingAway): void {
  goingAway.due();
}
