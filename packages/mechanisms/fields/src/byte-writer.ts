import { latin1Write } from './latin1.ts';

/**
 * A growing output buffer that is reused: heads and small bodies of one tick gather here, then leave in one write.
 *
 * Ownership (decision D1): after `socket.write(writer.view())` the bytes belong to the kernel only if the write
 * finished synchronously (`socket.writableLength === 0`); then call {@link ByteWriter.clear}. Otherwise call
 * {@link ByteWriter.detach} *instead of* `view()`, or before the next write into it, so that the queued bytes are
 * never overwritten.
 */
export class ByteWriter {
  /** The storage. Replaced when it grows or is detached: read it anew after every call. */
  buffer: Buffer;
  /** Bytes written so far. Assign a smaller value to take bytes back. */
  length = 0;
  readonly #initialBytes: number;
  /** Views over `buffer` that were made before, each in one of two places that its length tells. */
  readonly #views: (Buffer | undefined)[] = [];

  /** @param initialBytes first size; 1024 holds a usual head. Doubles when needed; its bound is the bound of what is written. */
  constructor(initialBytes = 1024) {
    this.#initialBytes = initialBytes;
    this.buffer = EMPTY;
  }

  /** Makes room for `bytes` more. */
  reserve(bytes: number): void {
    if (this.length + bytes > this.buffer.length) this.#grow(this.length + bytes);
  }

  #grow(need: number): void {
    let size = this.buffer.length === 0 ? this.#initialBytes : this.buffer.length * 2;
    while (size < need) size *= 2;
    const next = Buffer.allocUnsafeSlow(size);
    if (this.length > 0) this.buffer.copy(next, 0, 0, this.length);
    this.#replace(next);
  }

  /** Writes one octet per UTF-16 unit (RFC 9110 §5.5); units above 255 are cut, so validate first. */
  latin1(text: string): void {
    const size = text.length;
    if (this.length + size > this.buffer.length) this.#grow(this.length + size);
    const buffer = this.buffer;
    let at = this.length;
    if (size <= 12) {
      for (let i = 0; i < size; i++) buffer[at++] = text.charCodeAt(i);
    } else {
      latin1Write(buffer, text, at);
    }
    this.length += size;
  }

  /** Copies `source[start, end)`. */
  bytes(source: Uint8Array, start = 0, end: number = source.length): void {
    const size = end - start;
    if (this.length + size > this.buffer.length) this.#grow(this.length + size);
    if (start === 0 && end === source.length) this.buffer.set(source, this.length);
    else if (Buffer.isBuffer(source)) source.copy(this.buffer, this.length, start, end);
    else this.buffer.set(source.subarray(start, end), this.length);
    this.length += size;
  }

  /** Writes a non-negative safe integer in decimal. */
  decimal(value: number): void {
    if (value < 10) {
      this.reserve(1);
      this.buffer[this.length++] = 48 + value;
    } else this.latin1(String(value));
  }

  /** Writes a non-negative safe integer in lower-case hex. */
  hex(value: number): void {
    this.latin1(value.toString(16));
  }

  /** Writes CR LF. */
  crlf(): void {
    if (this.length + 2 > this.buffer.length) this.#grow(this.length + 2);
    this.buffer[this.length++] = 13;
    this.buffer[this.length++] = 10;
  }

  #replace(buffer: Buffer): void {
    this.buffer = buffer;
    if (this.#views.length > 0) this.#views.length = 0;
  }

  /**
   * What was written, without copying. Valid until the next write, `clear` or `detach`. A view is an object of 200 bytes
   * and messages of one kind are often equally long, so views are kept for the next one of that length.
   */
  view(): Buffer {
    const { length } = this;
    const views = this.#views;
    if (views.length === 0) for (let i = 0; i < KEPT_VIEWS; i++) views.push(undefined);
    const at = Math.imul(length, 0x9e3779b1) >>> (32 - VIEW_BITS);
    const known = views[at];
    if (known !== undefined && known.length === length) return known;
    const other = views[at ^ 1];
    if (other !== undefined && other.length === length) return other;
    // Whoever came first moves to the second place, so that two lengths that take turns both stay.
    views[at ^ 1] = known;
    return (views[at] = this.buffer.subarray(0, length));
  }

  /** Forgets the content, keeps the storage. */
  clear(): void {
    this.length = 0;
  }

  /** Hands the storage to the caller and starts empty. */
  detach(): Buffer {
    const bytes = this.buffer.subarray(0, this.length);
    this.#replace(EMPTY);
    this.length = 0;
    return bytes;
  }
}

/** Views kept for a buffer: 32, some 6 KiB. */
const VIEW_BITS = 5;
const KEPT_VIEWS: number = 1 << VIEW_BITS;

const EMPTY: Buffer = Buffer.alloc(0);
