import type { FieldTable } from '@tulle/fields';
import {
  WRITE_TAKEN,
  type Socket,
  type SocketEvents,
  type SocketFault,
  type TlsPeer,
  type WriteResult,
} from '../ports.ts';
import type { Turn, TurnTask } from '../turn.ts';
import type { ForwardedFor } from './forwarded.ts';
import { forwardedFor } from './forwarded.ts';

/** Who finds a connection for tunnels. */
export interface TunnelSource {
  /** Nobody waits for it any more. */
  forget(socket: TunnelSocket): void;
  /** The connection that it was asked of did not look at it. */
  again(socket: TunnelSocket): void;
}

/** CONNECT that was sent. */
export interface AskedTunnel {
  /** Nobody waits for it any more. */
  cancel(): void;
}

/** A peer that refuses so often without looking is asked no more. */
const MAX_ASKED = 3;

const NOBODY: SocketEvents = { onOpen() {}, onRead() {}, onEnd() {}, onDrain() {}, onClose() {} };
const REFUSED: SocketFault = {
  kind: 'refused',
  reason: 'hbone-refused',
  message: 'the peer refuses further tunnels',
};

/**
 * A connection by a tunnel, from the moment when it is wanted: waits for a connection that carries it, then for the
 * peer's answer; from then on it is the stream's own socket, behind this one.
 */
export class TunnelSocket implements Socket, TurnTask {
  /** `:authority` of CONNECT. */
  readonly authority: string;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly #source: TunnelSource;
  readonly #turn: Turn;
  readonly #from: ForwardedFor | undefined;
  #events: SocketEvents = NOBODY;
  #asked: AskedTunnel | undefined;
  #inner: Socket | undefined;
  #times = 0;
  #closed = false;
  #fault: SocketFault | undefined;

  /** @param from where what goes through came from, to be told */
  constructor(
    source: TunnelSource,
    turn: Turn,
    authority: string,
    remote: { readonly host: string; readonly port: number },
    from: ForwardedFor | undefined,
  ) {
    this.#source = source;
    this.#turn = turn;
    this.authority = authority;
    this.remoteAddress = remote.host;
    this.remotePort = remote.port;
    this.#from = from;
  }

  get events(): SocketEvents {
    return this.#events;
  }

  set events(events: SocketEvents) {
    this.#events = events;
    if (this.#inner !== undefined) this.#inner.events = events;
  }

  get localAddress(): string {
    return this.#inner?.localAddress ?? '';
  }

  get localPort(): number {
    return this.#inner?.localPort ?? 0;
  }

  get tls(): TlsPeer | undefined {
    return this.#inner?.tls;
  }

  get queuedBytes(): number {
    return this.#inner?.queuedBytes ?? 0;
  }

  get unsentBytes(): number {
    return this.queuedBytes;
  }

  get ownedReads(): boolean {
    return this.#inner?.ownedReads ?? false;
  }

  keepRead(): void {
    this.#inner?.keepRead();
  }

  write(bytes: Buffer): WriteResult {
    return this.#inner?.write(bytes) ?? WRITE_TAKEN;
  }

  cork(): void {}
  uncork(): void {}

  end(): void {
    this.#inner?.end();
  }

  pause(): void {
    this.#inner?.pause();
  }

  resume(): void {
    this.#inner?.resume();
  }

  setOwnedReads(): void {}

  destroy(reset = false): void {
    if (this.#inner !== undefined) return this.#inner.destroy(reset);
    if (this.#closed) return;
    const asked = this.#asked;
    this.#asked = undefined;
    if (asked === undefined) this.#source.forget(this);
    else asked.cancel();
    this.#close(undefined);
  }

  // — of who carries it —

  /** Fields of CONNECT. */
  describe(fields: FieldTable): void {
    if (this.#from !== undefined) fields.add('forwarded', forwardedFor(this.#from.address, this.#from.port));
  }

  /** @returns false when it was asked for too often: it has failed */
  mayAsk(): boolean {
    if (this.#times++ < MAX_ASKED) return true;
    this.fail(REFUSED);
    return false;
  }

  ask(tunnel: AskedTunnel): void {
    if (!this.#closed && this.#inner === undefined) this.#asked = tunnel;
  }

  again(): void {
    this.#asked = undefined;
    this.#source.again(this);
  }

  opened(inner: Socket): void {
    this.#asked = undefined;
    this.#inner = inner;
    inner.events = this.#events;
    this.#events.onOpen();
  }

  fail(fault: SocketFault): void {
    this.#asked = undefined;
    this.#close(fault);
  }

  /** `onClose` never comes from within a call of the owner's. */
  #close(fault: SocketFault | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#fault = fault;
    this.#turn.begin();
    this.#turn.later(this);
    this.#turn.end();
  }

  endOfTurn(): void {
    this.#events.onClose(this.#fault);
  }
}
