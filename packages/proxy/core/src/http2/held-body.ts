import type { FieldTable } from '@tulle/fields';

/** Smaller pieces than half of this share a buffer. */
const SHARED_BYTES = 4096;

/**
 * Body that nobody takes yet, copied. Small pieces stand together: a peer that sends an octet a frame costs what it
 * sent, not a buffer for each.
 */
export class HeldBody {
  bytes = 0;
  /** Behind it. */
  trailers: FieldTable | undefined = undefined;
  #pieces: Buffer[] = [];
  #tail: Buffer | undefined = undefined;
  #tailBytes = 0;

  add(chunk: Buffer, start: number, end: number): void {
    const size = end - start;
    this.bytes += size;
    let tail = this.#tail;
    if (tail === undefined || this.#tailBytes + size > tail.length) {
      this.#closeTail();
      if (size * 2 >= SHARED_BYTES) {
        this.#pieces.push(Buffer.from(chunk.subarray(start, end)));
        return;
      }
      tail = this.#tail = Buffer.allocUnsafeSlow(SHARED_BYTES);
    }
    chunk.copy(tail, this.#tailBytes, start, end);
    this.#tailBytes += size;
  }

  #closeTail(): void {
    if (this.#tail !== undefined) this.#pieces.push(this.#tail.subarray(0, this.#tailBytes));
    this.#tail = undefined;
    this.#tailBytes = 0;
  }

  /** The piece that came first; it is the caller's. */
  shift(): Buffer | undefined {
    if (this.#pieces.length === 0) this.#closeTail();
    const piece = this.#pieces.shift();
    if (piece !== undefined) this.bytes -= piece.length;
    return piece;
  }

  /** Everything. */
  takeAll(): Buffer {
    this.#closeTail();
    const all = Buffer.concat(this.#pieces);
    const { trailers } = this;
    this.clear();
    this.trailers = trailers;
    return all;
  }

  clear(): void {
    this.trailers = undefined;
    if (this.bytes === 0) return;
    this.bytes = 0;
    this.#pieces = [];
    this.#tail = undefined;
    this.#tailBytes = 0;
  }
}
