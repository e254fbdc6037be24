import type { SocketEvents, SocketFault, TlsPeer } from '@tulle/proxy';
import type { MemorySocket } from './memory-socket.ts';

/** One end of a connection in a test's hands: bytes are latin1 text, and every wait is for an event. */
export class TestConnection implements SocketEvents {
  readonly socket: MemorySocket;
  /** Everything that arrived and was not taken by {@link take}. */
  received = '';
  /** The other side sends nothing more. */
  ended = false;
  closed = false;
  fault: SocketFault | undefined = undefined;
  #waiters: { readonly ready: () => boolean; readonly resolve: () => void }[] = [];
  /** Called after bytes arrived. */
  onBytes: (() => void) | undefined = undefined;

  constructor(socket: MemorySocket) {
    this.socket = socket;
    socket.events = this;
  }

  get tls(): TlsPeer | undefined {
    return this.socket.tls;
  }

  /** Writes. Text counts as latin1. */
  send(bytes: string | Buffer): this {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
    return this;
  }

  /** Says that nothing more comes (half-close). */
  end(): this {
    this.socket.end();
    return this;
  }

  /** Closes both directions; `reset`: as a crashed peer would. */
  close(reset = false): this {
    this.socket.destroy(reset);
    this.closed = true;
    this.#wake();
    return this;
  }

  /** Stops reading: what comes piles up on the wire. */
  pause(): this {
    this.socket.pause();
    return this;
  }

  resume(): this {
    this.socket.resume();
    return this;
  }

  /** Bytes that the other side takes at a time. */
  chunk(bytes: number | ((available: number) => number)): this {
    this.socket.peer.incoming.chunkBytes = typeof bytes === 'number' ? () => bytes : bytes;
    return this;
  }

  /** Resolves when `text` (or what the pattern means) has arrived; gives everything up to and with it, and takes it. */
  async take(text: string | RegExp): Promise<string> {
    const endOf = (): number => {
      if (typeof text === 'string') {
        const at = this.received.indexOf(text);
        return at < 0 ? -1 : at + text.length;
      }
      const match = text.exec(this.received);
      return match === null ? -1 : match.index + match[0].length;
    };
    await this.until(
      () => endOf() >= 0,
      () => `${String(text)} to arrive; so far: ${JSON.stringify(this.received)}`,
    );
    const end = endOf();
    const taken = this.received.slice(0, end);
    this.received = this.received.slice(end);
    return taken;
  }

  /** Takes `count` bytes. */
  async takeBytes(count: number): Promise<string> {
    await this.until(
      () => this.received.length >= count,
      () => `${count} bytes; there are ${this.received.length}`,
    );
    const taken = this.received.slice(0, count);
    this.received = this.received.slice(count);
    return taken;
  }

  /** Resolves when the other side has ended or closed. */
  async over(): Promise<void> {
    await this.until(
      () => this.ended || this.closed,
      () => 'the connection to end',
    );
  }

  /** Resolves when `ready` holds. @throws when the connection closes before */
  async until(ready: () => boolean, what: () => string): Promise<void> {
    if (ready()) return;
    await new Promise<void>((resolve) =>
      this.#waiters.push({ ready: () => ready() || this.closed || this.ended, resolve }),
    );
    if (!ready())
      throw new Error(
        `the connection ended${this.fault === undefined ? '' : ` (${this.fault.message})`} while the test waited for ${what()}`,
      );
  }

  #wake(): void {
    const waiting = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiting) {
      if (waiter.ready()) waiter.resolve();
      else this.#waiters.push(waiter);
    }
  }

  onOpen(): void {}

  onRead(chunk: Buffer, start: number, end: number): void {
    this.received += chunk.toString('latin1', start, end);
    this.onBytes?.();
    this.#wake();
  }

  onEnd(): void {
    this.ended = true;
    this.onBytes?.();
    this.#wake();
  }

  onDrain(): void {}

  onClose(fault: SocketFault | undefined): void {
    this.closed = true;
    this.fault = fault;
    this.#wake();
  }
}
