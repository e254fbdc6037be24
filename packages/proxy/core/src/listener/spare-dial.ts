import type { Engine } from '../engine.ts';
import type { SocketEvents } from '../ports.ts';
import type { ConnectionFacts } from './connection-facts.ts';
import type { DialOwner, EndpointDial } from './dial.ts';

/**
 * How old a connection becomes that nobody has for good: below the 5 s after which common servers close those on which nothing
 * was said, for whoever takes it then would take that end for the endpoint's word.
 */
const KEPT_MS = 4_000;

/**
 * A connection that was made for a caller who then spoke HTTP, for the next caller of the chain: of many who speak HTTP, each on a
 * connection of its own, one pays for the handshake. Nobody has said anything on it.
 */
export class SpareDial implements DialOwner, SocketEvents {
  readonly #engine: Engine;
  #dial: EndpointDial | undefined;
  #cancelTimer: (() => void) | undefined;
  #closed = false;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** @returns whether it is kept; else it is the giver's to end */
  keep(dial: EndpointDial): boolean {
    const leftMs = KEPT_MS - dial.ageMs;
    if (this.#closed || this.#dial !== undefined || leftMs <= 0 || !dial.suitsAnybody) return false;
    this.#dial = dial;
    dial.owner = this;
    this.#cancelTimer = this.#engine.clock.setTimer(leftMs, () => this.#drop());
    if (dial.connected) this.dialled();
    return true;
  }

  /** The connection, as far as it is made, for `owner`, who called so. */
  take(owner: DialOwner, facts: ConnectionFacts): EndpointDial | undefined {
    const dial = this.#leave();
    if (dial === undefined) return undefined;
    // Since it was kept, another endpoint may have taken the place of one that could not be connected.
    if (dial.suitsAnybody && dial.wake()) {
      dial.passTo(owner, facts);
      return dial;
    }
    dial.end();
    return undefined;
  }

  /** Nothing is kept from now on. */
  close(): void {
    this.#closed = true;
    this.#drop();
  }

  #leave(): EndpointDial | undefined {
    const dial = this.#dial;
    this.#dial = undefined;
    this.#cancelTimer?.();
    return dial;
  }

  #drop(): void {
    this.#engine.turn.begin();
    try {
      this.#leave()?.end();
    } finally {
      this.#engine.turn.end();
    }
  }

  dialled(): void {
    const dial = this.#dial as EndpointDial;
    if (!dial.suitsAnybody) return this.#drop();
    dial.rest();
    if (dial.socket !== undefined) dial.socket.events = this;
  }

  notDialled(): void {
    this.#drop();
  }

  // — the endpoint's socket: who speaks here, or closes, spoke to nobody —

  onOpen(): void {}
  onDrain(): void {}

  onRead(): void {
    this.#drop();
  }

  onEnd(): void {
    this.#drop();
  }

  onClose(): void {
    this.#drop();
  }
}
