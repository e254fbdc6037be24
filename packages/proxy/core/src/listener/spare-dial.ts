import type { Engine } from '../engine.ts';
import type { SocketEvents } from '../ports.ts';
import type { DialOwner, EndpointDial } from './dial.ts';

/** How long a connection waits for somebody: as pooled ones of HTTP/1, below the 5 s after which common servers close them. */
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
    if (this.#closed || this.#dial !== undefined || !dial.suitsAnybody) return false;
    this.#dial = dial;
    dial.owner = this;
    this.#cancelTimer = this.#engine.clock.setTimer(KEPT_MS, () => this.#drop());
    if (dial.connected) this.dialled();
    return true;
  }

  /** The connection, as far as it is made; the taker owns it. */
  take(): EndpointDial | undefined {
    const dial = this.#leave();
    if (dial === undefined || dial.wake()) return dial;
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
