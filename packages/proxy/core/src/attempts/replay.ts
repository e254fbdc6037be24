import type { Counter } from '@tulle/telemetry';
import { roomFor, type Bytes } from '../bytes.ts';

/** Bytes held for replay by the whole proxy. */
export interface ReplayAccount {
  readonly maxBytes: number;
  usedBytes: number;
  /** A body outgrew the stream's or the proxy's cap: it streams on, only the retry is lost. */
  readonly overflows: Counter;
}

/** Shared by those that hold nothing: never written. */
export const NO_PIECES: Bytes[] = [];

/**
 * The request body as far as it came, kept while it may have to be sent again, and while no connection is there to
 * take it. Copies (decision D1), capped for the stream and for the proxy.
 */
export class ReplayBuffer {
  readonly #account: ReplayAccount;
  pieces: Bytes[] = NO_PIECES;
  bytes = 0;
  maxBytes = 0;
  /** Whether `pieces` is the whole body so far. */
  complete = true;
  /** More is held than may be kept: it is let go when it was sent once. */
  overfull = false;

  constructor(account: ReplayAccount) {
    this.#account = account;
  }

  /** Whether another `size` bytes fit. @param share of what the whole proxy may hold, from 0 to 1 */
  fits(size: number, share = 1): boolean {
    const { usedBytes, maxBytes } = this.#account;
    return this.bytes + size <= this.maxBytes && usedBytes + size <= maxBytes * share;
  }

  /** Keeps a copy; when it does not fit, all is let go and the body cannot be sent again. @returns whether it was kept */
  add(chunk: Bytes, start: number, end: number): boolean {
    if (!this.complete) return false;
    const size = end - start;
    if (!this.fits(size)) {
      this.#account.overflows.add();
      this.drop();
      return false;
    }
    this.#copy(chunk, start, end);
    return true;
  }

  #copy(chunk: Bytes, start: number, end: number): void {
    const size = end - start;
    // A copy of its own: a slice would keep the whole read buffer.
    const copy = roomFor(size);
    chunk.copy(copy, 0, start, end);
    if (this.pieces === NO_PIECES) this.pieces = [copy];
    else this.pieces.push(copy);
    this.bytes += size;
    this.#account.usedBytes += size;
  }

  /**
   * Keeps a copy although it may be more than the cap: no connection is there yet to take it. The caller stops
   * reading when {@link overfull}, so at most one read goes beyond.
   */
  hold(chunk: Bytes, start: number, end: number): void {
    if (end <= start) return;
    if (!this.overfull && !this.fits(end - start)) {
      this.#account.overflows.add();
      this.overfull = true;
    }
    this.#copy(chunk, start, end);
  }

  /** Lets the copies go: the body cannot be sent again. */
  drop(): void {
    this.#release();
    this.complete = false;
  }

  reset(): void {
    this.#release();
    this.complete = true;
    this.overfull = false;
    this.maxBytes = 0;
  }

  #release(): void {
    this.pieces = NO_PIECES;
    this.#account.usedBytes -= this.bytes;
    this.bytes = 0;
  }
}
