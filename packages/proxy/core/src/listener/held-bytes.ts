import type { Counter } from '@tulle/telemetry';
import type { Socket } from '../ports.ts';

const EMPTY: Buffer = Buffer.alloc(0);

/** Bytes of a caller that cannot be decoded yet: pipelined requests, or the rest of a read while a body is paused. */
export class HeldBytes {
  readonly #socket: Socket;
  readonly #maxBytes: number;
  readonly #overflows: Counter;
  #bytes: Buffer = EMPTY;
  #paused = false;

  /** @param overflows times that the limit stopped reading */
  constructor(socket: Socket, maxBytes: number, overflows: Counter) {
    this.#socket = socket;
    this.#maxBytes = maxBytes;
    this.#overflows = overflows;
  }

  get length(): number {
    return this.#bytes.length;
  }

  /** Keeps a copy; reading stops at the limit, or at once. */
  add(chunk: Buffer, start: number, end: number, pauseNow: boolean): void {
    const bytes = chunk.subarray(start, end);
    this.#bytes = this.#bytes.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#bytes, bytes]);
    if (this.#paused || !(pauseNow || this.#bytes.length >= this.#maxBytes)) return;
    this.#paused = true;
    if (!pauseNow) this.#overflows.add();
    this.#socket.pause();
  }

  take(): Buffer {
    const bytes = this.#bytes;
    this.#bytes = EMPTY;
    return bytes;
  }

  /** Reads on, when reading had stopped. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#socket.resume();
  }
}
