import type { Socket as NetSocket, OnReadOpts } from 'node:net';
import type { TLSSocket } from 'node:tls';
import {
  WRITE_KEPT,
  WRITE_TAKEN,
  type Socket,
  type SocketEvents,
  type SocketFault,
  type TlsPeer,
  type WriteResult,
} from '../ports.ts';
import { directWriter, type DirectWriter } from './direct-write.ts';
import { faultOf } from './socket-faults.ts';

/** Every plain socket reads into this one while what arrives is consumed in the callback (decision D1). */
const SHARED: Buffer = Buffer.allocUnsafeSlow(64 * 1024);
/** Private buffers for bodies that stream through. As large as the shared one: one read, one write. */
const SLAB_BYTES = 64 * 1024;
/** Slabs at rest; more are left to the garbage collector. */
const MAX_SPARE_SLABS = 32;
const EMPTY: Buffer = Buffer.alloc(0);

const spareSlabs: Buffer[] = [];

const NO_EVENTS: SocketEvents = { onOpen() {}, onRead() {}, onEnd() {}, onDrain() {}, onClose() {} };

/** A `net.Socket` or `tls.TLSSocket` behind the engine's interface. */
export class NodeSocket implements Socket {
  events: SocketEvents = NO_EVENTS;
  remoteAddress = '';
  remotePort = 0;
  localAddress = '';
  localPort = 0;
  tls: TlsPeer | undefined = undefined;
  #raw!: NetSocket;
  /** Reads through `onread` into buffers of ours; else by `data` events, each with a buffer of its own. */
  readonly #direct: boolean;
  readonly #late: boolean;
  #buffer: Buffer = SHARED;
  #wantsOwned = false;
  #kept = false;
  #drainPending = false;
  /** Where a plain socket is written to while nothing waits in its queue. */
  #writer: DirectWriter | undefined = undefined;
  #corked = false;
  #open = false;
  #closed = false;
  #fault: SocketFault | undefined = undefined;
  readonly #onDrained: () => void = () => this.#drained();

  /**
   * @param direct reads through `onread`
   * @param late TLS: no write is done when it returns, so each says itself when it is
   */
  constructor(direct: boolean, late = false) {
    this.#direct = direct;
    this.#late = late;
  }

  /** What `net.connect` and `new net.Socket` take as `onread`. */
  get onread(): OnReadOpts {
    return {
      // Called for the first buffer and after each read; undefined keeps the one in use, which the types do not say.
      buffer: (() => this.#nextBuffer()) as () => Uint8Array,
      callback: (size: number, buffer: Uint8Array) => this.#read(size, buffer as Buffer),
    };
  }

  /** Takes the platform's socket. @param open it is connected (and secured) already */
  attach(raw: NetSocket, open: boolean): this {
    this.#raw = raw;
    raw.on('end', () => this.events.onEnd());
    raw.on('error', (error) => {
      this.#fault ??= faultOf(error, this.#open);
    });
    raw.on('close', () => this.#close());
    if (open) this.#opened();
    return this;
  }

  /** Connected and, where TLS is used, verified. */
  ready(tls: TlsPeer | undefined): void {
    if (this.#closed || this.#raw.destroyed) return;
    this.tls = tls;
    this.#opened();
    this.events.onOpen();
  }

  /** The peer was refused: the socket closes with this fault. */
  refuse(fault: SocketFault): void {
    this.#fault = fault;
    this.#raw.destroy();
  }

  /** The platform's socket, when it changes hands (TLS around an accepted one). */
  release(): NetSocket {
    const raw = this.#raw;
    raw
      .removeAllListeners('data')
      .removeAllListeners('end')
      .removeAllListeners('error')
      .removeAllListeners('close');
    this.#closed = true;
    return raw;
  }

  #opened(): void {
    this.#open = true;
    const raw = this.#raw;
    this.remoteAddress = raw.remoteAddress ?? '';
    this.remotePort = raw.remotePort ?? 0;
    this.localAddress = raw.localAddress ?? '';
    this.localPort = raw.localPort ?? 0;
    if (!this.#late) this.#writer = directWriter(raw, () => this.#directDone());
    if (!this.#direct) raw.on('data', (chunk: Buffer) => this.events.onRead(chunk, 0, chunk.length));
  }

  get queuedBytes(): number {
    return this.#raw.writableLength + (this.#writer === undefined ? 0 : this.#writer.waitingBytes);
  }

  get unsentBytes(): number {
    // libuv's number, by which Node's own socket timeouts tell progress; without it only whole writes show.
    const handle = (this.#raw as { readonly _handle?: { readonly writeQueueSize?: number } | null })._handle;
    return this.#raw.writableLength + (handle?.writeQueueSize ?? 0);
  }

  /** Of the kernel; -1 where there is none. */
  get fd(): number {
    return (this.#raw as { readonly _handle?: { readonly fd?: number } | null })._handle?.fd ?? -1;
  }

  get ownedReads(): boolean {
    return !this.#direct || this.#buffer !== SHARED;
  }

  write(bytes: Buffer): WriteResult {
    const raw = this.#raw;
    if (this.#closed || raw.destroyed || raw.writableEnded) return WRITE_TAKEN;
    const writer = this.#writer;
    if (writer !== undefined && !this.#corked && raw.writableLength === 0 && writer.waitingBytes === 0)
      return writer.write(bytes) ? WRITE_TAKEN : WRITE_KEPT;
    if (this.#late) raw.write(bytes, this.#onDrained);
    else raw.write(bytes);
    if (this.#corked) return WRITE_KEPT;
    return this.#afterWrite();
  }

  #afterWrite(): WriteResult {
    const raw = this.#raw;
    if (this.queuedBytes === 0) return WRITE_TAKEN;
    if (!this.#late && !this.#drainPending) {
      this.#drainPending = true;
      // Behind what is queued: its callback tells when that is gone. Plain sockets seldom come here.
      raw.write(EMPTY, this.#onDrained);
    }
    return WRITE_KEPT;
  }

  #drained(): void {
    this.#drainPending = false;
    if (this.#closed || this.#raw.destroyed) return;
    if (this.queuedBytes === 0) this.events.onDrain();
    else if (!this.#raw.writableEnded) this.#afterWrite();
  }

  /** What was written behind it says itself when it is gone. */
  #directDone(): void {
    if (!this.#closed && !this.#raw.destroyed && this.queuedBytes === 0) this.events.onDrain();
  }

  cork(): void {
    this.#corked = true;
    this.#raw.cork();
  }

  uncork(): void {
    this.#corked = false;
    this.#raw.uncork();
    this.#afterWrite();
  }

  end(): void {
    const raw = this.#raw;
    if (raw.destroyed || raw.writableEnded) return;
    if (this.queuedBytes === 0) raw.end();
    else raw.end(this.#onDrained);
  }

  destroy(reset = false): void {
    const raw = this.#raw;
    if (raw.destroyed) return;
    if (reset && this.tls === undefined && this.remotePort !== 0 && !raw.connecting) raw.resetAndDestroy();
    else raw.destroy();
  }

  pause(): void {
    this.#raw.pause();
  }

  resume(): void {
    if (!this.#closed) this.#raw.resume();
  }

  keepRead(): void {
    this.#kept = true;
  }

  setOwnedReads(owned: boolean): void {
    this.#wantsOwned = owned;
  }

  /** Which buffer the next read fills; `undefined`: the same. */
  #nextBuffer(): Buffer | undefined {
    const current = this.#buffer;
    if (!this.#wantsOwned) {
      if (current === SHARED) return this.#open ? undefined : SHARED;
      if (!this.#kept) giveSlab(current);
      this.#kept = false;
      return (this.#buffer = SHARED);
    }
    if (current !== SHARED && !this.#kept) return undefined;
    this.#kept = false;
    return (this.#buffer = spareSlabs.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES));
  }

  #read(size: number, buffer: Buffer): boolean {
    this.events.onRead(buffer, 0, size);
    return true;
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#buffer !== SHARED) {
      if (!this.#kept) giveSlab(this.#buffer);
      this.#buffer = SHARED;
    }
    this.events.onClose(this.#fault);
  }
}

function giveSlab(slab: Buffer): void {
  if (spareSlabs.length < MAX_SPARE_SLABS) spareSlabs.push(slab);
}

/** A `tls.TLSSocket` is a `net.Socket`; only its adapter cares. */
export type AnyNodeSocket = NetSocket | TLSSocket;
