import type { FieldTable } from '@tulle/fields';

/** Least size of a block that copies gather in. */
const BLOCK_BYTES = 4096;

/** Body of one stream that waits for a window or for the output, and how the stream ends behind it. */
export class SendQueue<Stream> {
  readonly stream: Stream;
  bytes = 0;
  /** In the ring of streams that have something to send, and windows that let them. */
  next: SendQueue<Stream> | undefined = undefined;
  previous: SendQueue<Stream> | undefined = undefined;
  /** The owner ended its side: END_STREAM goes with the last byte, or with `trailers`. */
  ends = false;
  trailers: FieldTable | undefined = undefined;
  readonly #chunks: Buffer[] = [];
  readonly #bounds: number[] = [];
  #first = 0;
  /** Bytes of the last chunk that are used, when it is a block of our own with room; else -1. */
  #ownEnd = -1;

  constructor(stream: Stream) {
    this.stream = stream;
  }

  get isEmpty(): boolean {
    return this.#first === this.#chunks.length;
  }

  /** @param owned whether `chunk` may be kept; else it is copied */
  push(chunk: Buffer, start: number, end: number, owned: boolean): void {
    const size = end - start;
    this.bytes += size;
    if (owned) {
      this.#append(chunk, start, end);
      this.#ownEnd = -1;
      return;
    }
    const last = this.#chunks.at(-1);
    if (this.#ownEnd >= 0 && last !== undefined && last.length - this.#ownEnd >= size) {
      chunk.copy(last, this.#ownEnd, start, end);
      this.#ownEnd += size;
      this.#bounds[this.#bounds.length - 1] = this.#ownEnd;
      return;
    }
    const block = Buffer.allocUnsafeSlow(Math.max(size, BLOCK_BYTES));
    chunk.copy(block, 0, start, end);
    this.#append(block, 0, size);
    this.#ownEnd = size;
  }

  #append(chunk: Buffer, start: number, end: number): void {
    this.#chunks.push(chunk);
    this.#bounds.push(start, end);
  }

  /** The first chunk; not empty. */
  get chunk(): Buffer {
    return this.#chunks[this.#first] as Buffer;
  }

  get start(): number {
    return this.#bounds[this.#first * 2] as number;
  }

  get end(): number {
    return this.#bounds[this.#first * 2 + 1] as number;
  }

  /** Takes `bytes` off the first chunk. */
  take(bytes: number): void {
    this.bytes -= bytes;
    const at = this.#first * 2;
    const start = (this.#bounds[at] as number) + bytes;
    this.#bounds[at] = start;
    if (start < (this.#bounds[at + 1] as number)) return;
    this.#first++;
    if (this.#first < this.#chunks.length) {
      if (this.#first < 32) return;
      this.#chunks.splice(0, this.#first);
      this.#bounds.splice(0, this.#first * 2);
    } else {
      this.#chunks.length = 0;
      this.#bounds.length = 0;
      this.#ownEnd = -1;
    }
    this.#first = 0;
  }
}
