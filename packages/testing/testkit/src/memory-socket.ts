import {
  WRITE_KEPT,
  WRITE_TAKEN,
  type Socket,
  type SocketEvents,
  type SocketFault,
  type TlsPeer,
  type WriteResult,
} from '@tulle/proxy';

const NO_EVENTS: SocketEvents = { onOpen() {}, onRead() {}, onEnd() {}, onDrain() {}, onClose() {} };

/** How one direction of a connection behaves. Change it at any time. */
export interface Wire {
  /** Sizes in which bytes arrive: called with what is there, gives how much of it comes next. Default: all. */
  chunkBytes: (available: number) => number;
  /** Bytes on their way to a peer that does not read, before writes stay with the writer. Default 65,536. */
  capacityBytes: number;
}

/** The one buffer that every socket of the engine reads into, as on Node. Overwritten after each read, so that whoever keeps a slice is found out. */
const shared: Buffer = Buffer.alloc(256 * 1024);

/**
 * One end of a connection in memory. It is as unforgiving as Node's: what is read stands in a buffer that is
 * overwritten after the callback (unless it is private and kept), and what is written and not yet taken is read from the
 * writer's buffer only when it leaves.
 */
export class MemorySocket implements Socket {
  events: SocketEvents = NO_EVENTS;
  tls: TlsPeer | undefined = undefined;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  /** Towards this end. */
  readonly incoming: Wire = { chunkBytes: (available) => available, capacityBytes: 65_536 };
  peer!: MemorySocket;
  ownedReads = false;
  #wantsOwned = false;
  #kept = false;
  /** Arrived and not read yet. */
  #inbox: Buffer[] = [];
  #inboxBytes = 0;
  /** Written here, not taken by the peer's inbox yet: references into the writer's buffers. */
  #outgoing: Buffer[] = [];
  queuedBytes = 0;
  /** A write was kept: `onDrain` says when it is gone. None follows what was taken at once. */
  #owesDrain = false;
  #corked = false;
  #paused = false;
  #scheduled = false;
  #endSent = false;
  #endQueued = false;
  #endArrived = false;
  #endTold = false;
  #closed = false;
  #closeTold = false;

  constructor(remote: { host: string; port: number }, local: { host: string; port: number }) {
    this.remoteAddress = remote.host;
    this.remotePort = remote.port;
    this.localAddress = local.host;
    this.localPort = local.port;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get unsentBytes(): number {
    return this.queuedBytes;
  }

  write(bytes: Buffer): WriteResult {
    if (this.#closed || this.#endQueued || bytes.length === 0) return WRITE_TAKEN;
    this.#outgoing.push(bytes);
    this.queuedBytes += bytes.length;
    if (this.#corked) return WRITE_KEPT;
    this.#flush();
    this.#owesDrain = this.queuedBytes > 0;
    return this.#owesDrain ? WRITE_KEPT : WRITE_TAKEN;
  }

  cork(): void {
    this.#corked = true;
  }

  uncork(): void {
    this.#corked = false;
    this.#flush();
    this.#owesDrain = this.queuedBytes > 0;
  }

  end(): void {
    if (this.#closed) return;
    this.#endQueued = true;
    this.#flush();
  }

  destroy(reset = false): void {
    this.fail(undefined);
    const { peer } = this;
    if (reset) peer.fail({ kind: 'reset', reason: 'ECONNRESET', message: 'read ECONNRESET' });
    else peer.#arriveEnd();
  }

  /** Closes this end with a fault. */
  fail(fault: SocketFault | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#outgoing = [];
    this.queuedBytes = 0;
    this.#inbox = [];
    queueMicrotask(() => this.#tellClose(fault));
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#schedule();
  }

  keepRead(): void {
    this.#kept = true;
  }

  setOwnedReads(owned: boolean): void {
    this.#wantsOwned = owned;
  }

  /** Tells `onOpen` in a while. */
  open(tls: TlsPeer | undefined): void {
    this.tls = tls;
    queueMicrotask(() => {
      if (this.#closed) return;
      this.events.onOpen();
      this.#schedule();
    });
  }

  /** What arrived goes to another socket object of the same connection (TLS around it). */
  moveTo(other: MemorySocket): void {
    other.#inbox = this.#inbox;
    other.#inboxBytes = this.#inboxBytes;
    other.#endArrived = this.#endArrived;
    // What has moved must not be delivered here as well.
    this.#inbox = [];
    this.#inboxBytes = 0;
    other.peer = this.peer;
    this.peer.peer = other;
    other.#schedule();
  }

  unshift(bytes: Buffer): void {
    this.#inbox.unshift(Buffer.from(bytes));
    this.#inboxBytes += bytes.length;
  }

  /** Takes bytes away that arrived and were not read. */
  dropFront(count: number): void {
    const rest = Buffer.concat(this.#inbox).subarray(count);
    this.#inbox = rest.length === 0 ? [] : [rest];
    this.#inboxBytes = rest.length;
  }

  /** Moves as much as the peer's inbox takes. */
  #flush(): void {
    const { peer } = this;
    while (this.#outgoing.length > 0) {
      const room = peer.#closed ? Infinity : peer.incoming.capacityBytes - peer.#inboxBytes;
      if (room <= 0) break;
      const first = this.#outgoing[0] as Buffer;
      const size = Math.min(first.length, room);
      if (!peer.#closed) {
        peer.#inbox.push(Buffer.from(first.subarray(0, size)));
        peer.#inboxBytes += size;
      }
      this.queuedBytes -= size;
      if (size === first.length) this.#outgoing.shift();
      else this.#outgoing[0] = first.subarray(size);
    }
    if (this.#endQueued && !this.#endSent && this.#outgoing.length === 0) {
      this.#endSent = true;
      peer.#arriveEnd();
      this.#closeWhenDone();
    }
    if (this.#owesDrain && this.queuedBytes === 0) {
      this.#owesDrain = false;
      queueMicrotask(() => {
        if (!this.#closed && this.queuedBytes === 0) this.events.onDrain();
      });
    }
    peer.#schedule();
  }

  #arriveEnd(): void {
    this.#endArrived = true;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    if (this.#closed || this.#paused || this.events === NO_EVENTS) return;
    const first = this.#inbox[0];
    if (first !== undefined) {
      const size = Math.max(1, Math.min(this.incoming.chunkBytes(first.length), first.length));
      const bytes = first.subarray(0, size);
      if (size === first.length) this.#inbox.shift();
      else this.#inbox[0] = first.subarray(size);
      this.#inboxBytes -= size;
      this.#read(bytes);
      this.peer.#pull();
      this.#schedule();
      return;
    }
    if (this.#endArrived && !this.#endTold) {
      this.#endTold = true;
      this.events.onEnd();
      this.#closeWhenDone();
    }
  }

  #read(bytes: Buffer): void {
    this.#kept = false;
    this.ownedReads = this.#wantsOwned;
    if (this.ownedReads || bytes.length > shared.length) {
      this.ownedReads = true;
      const slab = Buffer.from(bytes);
      this.events.onRead(slab, 0, slab.length);
      if (!this.#kept) slab.fill(0xdd);
      return;
    }
    bytes.copy(shared, 0);
    this.events.onRead(shared, 0, bytes.length);
    shared.fill(0xdd, 0, bytes.length);
  }

  /** The peer made room. */
  #pull(): void {
    if (this.#outgoing.length > 0 && !this.#corked) this.#flush();
  }

  /** Both directions are over: the connection closes by itself. */
  #closeWhenDone(): void {
    if (!this.#endSent || !this.#endTold || this.#closed) return;
    this.#closed = true;
    queueMicrotask(() => this.#tellClose(undefined));
  }

  #tellClose(fault: SocketFault | undefined): void {
    if (this.#closeTold) return;
    this.#closeTold = true;
    this.events.onClose(fault);
  }
}
