import type net from 'node:net';
import type { Target } from '../client.ts';
import { connectTo } from '../connect.ts';
import { ACK, frame, HEADER_TABLE_SIZE, PING, PREFACE, SETTINGS, settings } from './frames.ts';
import { Answers } from './reader.ts';

/** A raw HTTP/2 connection from a client that checks nothing and keeps no table. */
export class RawClient {
  readonly socket: net.Socket;
  readonly answers: Answers = new Answers();
  closed = false;
  /** The peer's SETTINGS came. */
  settled = false;
  /** What PING and SETTINGS are owed waits while a payload is sent in pieces, which it must not come between. */
  #owed: Buffer[] | undefined = undefined;
  bytesSent = 0;
  #wake: () => void = () => {};

  constructor(target: Target) {
    this.socket = connectTo(target, 'h2');
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.closed = true;
      this.#wake();
    });
    this.socket.on('end', () => {
      this.closed = true;
      this.#wake();
    });
    this.socket.on('data', (chunk: Buffer) => {
      for (const it of this.answers.push(chunk)) {
        if ((it.flags & ACK) !== 0) continue;
        if (it.type === SETTINGS) {
          this.settled = true;
          this.#owe(frame(SETTINGS, ACK, 0));
        }
        if (it.type === PING) this.#owe(frame(PING, ACK, 0, it.payload));
      }
      this.#wake();
    });
  }

  #owe(bytes: Buffer): void {
    if (this.#owed === undefined) this.send(bytes);
    else this.#owed.push(bytes);
  }

  /** Answers nothing any more, so that only what is sent is sent. */
  mute(): void {
    this.#owed ??= [];
  }

  /** Sends a payload in pieces, a turn apart. */
  async sendPieces(pieces: readonly Buffer[]): Promise<void> {
    this.#owed = [];
    for (const piece of pieces) {
      if (this.closed) break;
      this.send(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const owed = this.#owed;
    this.#owed = undefined;
    if (owed.length > 0) this.send(Buffer.concat(owed));
  }

  /** Preface and SETTINGS, with no table for the peer. */
  hello(...pairs: readonly (readonly [id: number, value: number])[]): void {
    this.send(Buffer.concat([PREFACE, settings([HEADER_TABLE_SIZE, 0], ...pairs)]));
  }

  /** @returns false when the kernel takes no more for now */
  send(bytes: Buffer): boolean {
    if (this.closed || this.socket.destroyed) return true;
    this.bytesSent += bytes.length;
    return this.socket.write(bytes);
  }

  /** Resolves true as soon as `done` holds, false when nothing came for `quietMs` or the connection closed. */
  async until(done: () => boolean, quietMs: number): Promise<boolean> {
    while (!done()) {
      if (this.closed) return false;
      const came = await new Promise<boolean>((resolve) => {
        const timer = setTimeout(() => resolve(false), quietMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve(true);
        };
      });
      this.#wake = () => {};
      if (!came && !done()) return false;
    }
    return true;
  }

  destroy(): void {
    this.socket.destroy();
  }
}
