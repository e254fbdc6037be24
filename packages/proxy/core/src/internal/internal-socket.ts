import {
  WRITE_KEPT,
  WRITE_TAKEN,
  type Socket,
  type SocketEvents,
  type SocketFault,
  type WriteResult,
} from '../ports.ts';
import type { Turn, TurnTask } from '../turn.ts';
import { Inbox } from './inbox.ts';
import type { InternalEnds } from './passed.ts';

const NOBODY: SocketEvents = { onOpen() {}, onRead() {}, onEnd() {}, onDrain() {}, onClose() {} };

const RESET: SocketFault = { kind: 'reset', reason: 'ECONNRESET', message: 'the other end is closed' };

/**
 * One end of a connection within the process. What is written is copied into the other end's inbox, as far as that has room, as the
 * kernel does; the rest stays the writer's until there is some. Everything is told at the end of a turn, never from within a call.
 */
export class InternalSocket implements Socket, TurnTask {
  readonly tls: undefined = undefined;
  readonly remoteAddress = '';
  readonly remotePort = 0;
  readonly localPort = 0;
  readonly localAddress: string;
  /** Of the end that was accepted. */
  readonly internal: InternalEnds | undefined;
  /** What arrives has a buffer of its own. */
  readonly ownedReads = true;
  queuedBytes = 0;
  #events: SocketEvents = NOBODY;
  readonly #turn: Turn;
  readonly #capacity: number;
  #peer: InternalSocket | undefined;
  readonly #inbox: Inbox = new Inbox();
  /** Written, and not in the other end's inbox: references into the writer's buffers. */
  #outgoing: Buffer[] = [];
  #corked = false;
  /** A write was kept: `onDrain` says when it is gone. None follows what was taken at once. */
  #owesDrain = false;
  #paused = false;
  #ending = false;
  #ended = false;
  #peerEnded = false;
  /** The other end is closed, and was written to: it has failed as soon as what came before is read. */
  #broken = false;
  #endTold = false;
  #closed = false;
  #closeTold = false;
  #fault: SocketFault | undefined;
  #due = false;
  /** Who connects; it is done once, when its owner can be told. */
  #connect: ((near: InternalSocket) => void) | undefined;

  constructor(turn: Turn, capacityBytes: number, localAddress: string, internal?: InternalEnds) {
    this.#turn = turn;
    this.#capacity = capacityBytes;
    this.localAddress = localAddress;
    this.internal = internal;
  }

  get events(): SocketEvents {
    return this.#events;
  }

  set events(events: SocketEvents) {
    const first = this.#events === NOBODY;
    this.#events = events;
    if (first) this.#later();
  }

  get unsentBytes(): number {
    return this.queuedBytes;
  }

  get closed(): boolean {
    return this.#closed;
  }

  // — of who makes it —

  /** Connects at the end of the turn, when its owner has set its events: {@link joined} or {@link fail} follow. */
  connectLater(connect: (near: InternalSocket) => void): void {
    this.#connect = connect;
    this.#later();
  }

  /** The other end is there, and accepted. */
  joined(peer: InternalSocket): void {
    this.#peer = peer;
    peer.#peer = this;
    this.#flush();
  }

  fail(fault: SocketFault | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#fault = fault;
    this.#outgoing = [];
    this.queuedBytes = 0;
    this.#inbox.clear();
    this.#later();
  }

  /** What was written goes nowhere. */
  #break(): void {
    this.#outgoing = [];
    this.queuedBytes = 0;
    this.#broken = true;
    this.#later();
  }

  // — Socket —

  write(bytes: Buffer): WriteResult {
    if (this.#closed || this.#ending || bytes.length === 0) return WRITE_TAKEN;
    this.#outgoing.push(bytes);
    this.queuedBytes += bytes.length;
    if (this.#corked) return WRITE_KEPT;
    this.#flush();
    return this.#kept() ? WRITE_KEPT : WRITE_TAKEN;
  }

  /** Whether something is left of what was written. What was kept before and is gone by now is still to be told. */
  #kept(): boolean {
    if (this.queuedBytes === 0) return false;
    this.#owesDrain = true;
    return true;
  }

  cork(): void {
    this.#corked = true;
  }

  uncork(): void {
    this.#corked = false;
    this.#flush();
    this.#kept();
  }

  end(): void {
    if (this.#closed) return;
    this.#ending = true;
    this.#flush();
  }

  destroy(reset = false): void {
    if (this.#closed) return;
    this.fail(undefined);
    const peer = this.#peer;
    if (peer === undefined) return;
    if (reset) return peer.fail(RESET);
    peer.#peerEnded = true;
    peer.#later();
    // It is told when it writes, as by a kernel.
    if (peer.queuedBytes > 0) peer.#break();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#later();
  }

  keepRead(): void {}
  setOwnedReads(): void {}

  /** Moves as much as the other end's inbox takes. */
  #flush(): void {
    const peer = this.#peer;
    if (peer === undefined || this.#corked) return;
    if (peer.#closed) {
      if (this.#outgoing.length > 0) this.#break();
      return;
    }
    let moved = false;
    while (this.#outgoing.length > 0) {
      const room = this.#capacity - peer.#inbox.bytes;
      if (room <= 0) break;
      const first = this.#outgoing[0] as Buffer;
      const size = Math.min(first.length, room);
      peer.#inbox.add(size === first.length ? first : first.subarray(0, size));
      this.queuedBytes -= size;
      if (size === first.length) this.#outgoing.shift();
      else this.#outgoing[0] = first.subarray(size);
      moved = true;
    }
    if (this.#ending && !this.#ended && this.#outgoing.length === 0) {
      this.#ended = true;
      peer.#peerEnded = true;
      moved = true;
      this.#closeWhenDone();
    }
    if (moved) peer.#later();
    if (this.#owesDrain && this.queuedBytes === 0) this.#later();
  }

  // — what is told —

  /** Something is to be told at the end of the turn; outside of one, in a turn of its own. */
  #later(): void {
    if (this.#due) return;
    this.#due = true;
    if (this.#turn.running) this.#turn.later(this);
    else queueMicrotask(() => this.#ownTurn());
  }

  #ownTurn(): void {
    this.#turn.begin();
    this.#turn.later(this);
    this.#turn.end();
  }

  endOfTurn(): void {
    this.#due = false;
    const connect = this.#connect;
    if (connect !== undefined) {
      this.#connect = undefined;
      if (!this.#closed) connect(this);
      if (!this.#closed) this.#events.onOpen();
    }
    this.#deliver();
    if (this.#owesDrain && this.queuedBytes === 0 && !this.#closed) {
      this.#owesDrain = false;
      this.#events.onDrain();
    }
    if (!this.#closed || this.#closeTold) return;
    this.#closeTold = true;
    this.#events.onClose(this.#fault);
  }

  #deliver(): void {
    while (!this.#closed && !this.#paused && this.#events !== NOBODY) {
      const chunk = this.#inbox.take();
      if (chunk === undefined) break;
      this.#events.onRead(chunk, 0, chunk.length);
      const peer = this.#peer;
      if (peer !== undefined) peer.#flush();
    }
    if (this.#closed || this.#paused || this.#events === NOBODY || this.#inbox.bytes > 0) return;
    if (this.#broken) return this.fail(RESET);
    if (!this.#peerEnded || this.#endTold) return;
    this.#endTold = true;
    this.#events.onEnd();
    this.#closeWhenDone();
  }

  /** Both directions are over: the connection closes by itself. */
  #closeWhenDone(): void {
    if (!this.#ended || !this.#endTold || this.#closed) return;
    this.#closed = true;
    this.#later();
  }
}
