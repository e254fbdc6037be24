/** Small writes share buffers of this size: a thousand of one byte must not weigh a hundred times as much. */
const SLAB_BYTES = 2_048;

/** Bytes that arrived at an end of a connection within the process, until they are read. */
export class Inbox {
  bytes = 0;
  /** Whoever reads may be behind for as long as the connection lasts: read ones do not stay. */
  readonly #chunks: Buffer[] = [];
  /** The last chunk, where there is room behind its bytes: as much of it as is filled. */
  #slab: Buffer | undefined;
  #filled = 0;

  /** Copies. */
  add(bytes: Buffer): void {
    this.bytes += bytes.length;
    let rest = bytes;
    if (this.#slab !== undefined) {
      const size = Math.min(rest.length, this.#slab.length - this.#filled);
      rest.copy(this.#slab, this.#filled, 0, size);
      this.#filled += size;
      rest = rest.subarray(size);
      if (this.#filled === this.#slab.length) this.#closeSlab();
    }
    if (rest.length === 0) return;
    if (rest.length >= SLAB_BYTES) return void this.#chunks.push(Buffer.from(rest));
    this.#slab = Buffer.allocUnsafe(SLAB_BYTES);
    rest.copy(this.#slab);
    this.#filled = rest.length;
  }

  #closeSlab(): void {
    if (this.#slab === undefined) return;
    this.#chunks.push(this.#slab.subarray(0, this.#filled));
    this.#slab = undefined;
    this.#filled = 0;
  }

  /** What came first, with a buffer of its own; `undefined`: nothing is there. */
  take(): Buffer | undefined {
    if (this.bytes === 0) return undefined;
    if (this.#chunks.length === 0) this.#closeSlab();
    const chunk = this.#chunks.shift() as Buffer;
    this.bytes -= chunk.length;
    return chunk;
  }

  clear(): void {
    this.#chunks.length = this.bytes = this.#filled = 0;
    this.#slab = undefined;
  }
}
