import type { TcpChain } from '../compile/compiled-tcp.ts';
import type { Engine } from '../engine.ts';
import type { SocketEvents, SocketFault } from '../ports.ts';
import type { ConnectionFacts } from './connection-facts.ts';
import type { ConnectionHooks } from './conn-hooks.ts';
import { EndpointDial, type DialOwner } from './dial.ts';
import type { SpareDial } from './spare-dial.ts';

/** Who waits for the caller's first bytes meanwhile. */
export interface RaceOwner {
  /** The endpoint was first to say something, or to close the connection. */
  endpointSpoke(): void;
  /** No endpoint can be connected. */
  endpointMissing(): void;
}

/**
 * The endpoint's side of a connection that may be of bytes (decision D21): it is connected while nobody has spoken, so that
 * a server that speaks first is heard as soon as it does.
 */
export class ProtocolRace implements DialOwner, SocketEvents {
  readonly chain: TcpChain;
  /** Those of the chain, which let the connection pass; `undefined`: there are none. */
  readonly hooks: ConnectionHooks | undefined;
  readonly #engine: Engine;
  readonly #owner: RaceOwner;
  readonly #spare: SpareDial;
  readonly #facts: ConnectionFacts;
  #dial: EndpointDial;
  #begun = false;
  #lost = false;

  constructor(
    engine: Engine,
    chain: TcpChain,
    facts: ConnectionFacts,
    hooks: ConnectionHooks | undefined,
    owner: RaceOwner,
    spare: SpareDial,
  ) {
    this.#engine = engine;
    this.chain = chain;
    this.hooks = hooks;
    this.#owner = owner;
    this.#spare = spare;
    this.#facts = facts;
    this.#dial = new EndpointDial(engine, chain, facts, this);
  }

  begin(): void {
    this.#begun = true;
    const kept = this.#spare.take(this, this.#facts);
    if (kept === undefined) return this.#dial.begin();
    this.#dial = kept;
    if (kept.connected) this.dialled();
  }

  /** The endpoint as far as it is connected, for the connection that goes on with it; `undefined`: there is none. */
  handOver(): EndpointDial | undefined {
    return this.#begun && !this.#lost ? this.#dial : undefined;
  }

  /** The connection is none of bytes. */
  end(): void {
    if (this.handOver() === undefined || !this.#spare.keep(this.#dial)) this.#dial.end();
    this.hooks?.close();
  }

  dialled(): void {
    const { socket } = this.#dial;
    if (socket !== undefined) socket.events = this;
  }

  notDialled(): void {
    this.#lost = true;
    this.#dial.end();
    this.#owner.endpointMissing();
  }

  // — the endpoint's socket —

  onOpen(): void {}
  onDrain(): void {}

  onRead(chunk: Buffer, start: number, end: number): void {
    this.#inTurn(() => {
      this.#dial.heard = Buffer.from(chunk.subarray(start, end));
      this.#owner.endpointSpoke();
    });
  }

  onEnd(): void {
    this.#inTurn(() => {
      this.#dial.heardEnd = true;
      this.#owner.endpointSpoke();
    });
  }

  onClose(_fault: SocketFault | undefined): void {
    this.#inTurn(() => this.notDialled());
  }

  #inTurn(run: () => void): void {
    this.#engine.inTurn(run, () => this.#dial.end());
  }
}
