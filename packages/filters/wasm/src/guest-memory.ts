import type { WasmMemory } from './web-assembly.ts';

/** What the guest says lies outside of its memory, or cannot be had from it. */
export class MemoryFault extends Error {}

/** Gives the guest room for `size` bytes. @returns where; 0 where there is none */
export type Allocate = (size: number) => number;

/**
 * Memory of a guest. It moves whenever the guest grows it, also within a call that gives it room: nothing here keeps a view over
 * one. Pointers and sizes arrive as signed numbers.
 */
export class GuestMemory {
  readonly #memory: WasmMemory;
  readonly #allocate: Allocate;
  #bytes: Buffer;
  #view: DataView;

  constructor(memory: WasmMemory, allocate: Allocate) {
    this.#memory = memory;
    this.#allocate = allocate;
    this.#bytes = Buffer.from(memory.buffer);
    this.#view = new DataView(memory.buffer);
  }

  get size(): number {
    return this.#memory.buffer.byteLength;
  }

  /** @returns borrowed until the guest runs */
  bytes(pointer: number, length: number): Buffer {
    const from = pointer >>> 0;
    const to = from + (length >>> 0);
    if (to > this.size) throw new MemoryFault(`${length >>> 0} bytes at ${from} are outside of its memory`);
    return this.#current().subarray(from, to);
  }

  /** Octets, one a character. */
  latin1(pointer: number, length: number): string {
    return this.bytes(pointer, length).toString('latin1');
  }

  utf8(pointer: number, length: number): string {
    return this.bytes(pointer, length).toString('utf8');
  }

  setU32(pointer: number, value: number): void {
    this.#at(pointer, 4).setUint32(pointer >>> 0, value >>> 0, true);
  }

  setU64(pointer: number, value: bigint): void {
    this.#at(pointer, 8).setBigUint64(pointer >>> 0, BigInt.asUintN(64, value), true);
  }

  getU32(pointer: number): number {
    return this.#at(pointer, 4).getUint32(pointer >>> 0, true);
  }

  /** Hands over bytes that become the guest's own: says where they are and how many, as its callers want it. */
  give(bytes: Uint8Array, pointerAt: number, lengthAt: number): void {
    const at = this.place(bytes.length);
    if (bytes.length > 0) this.#current().set(bytes, at);
    this.setU32(pointerAt, at);
    this.setU32(lengthAt, bytes.length);
  }

  /** {@link give}, of octets. */
  giveLatin1(text: string, pointerAt: number, lengthAt: number): void {
    const at = this.place(text.length);
    if (text.length > 0) this.#current().write(text, at, 'latin1');
    this.setU32(pointerAt, at);
    this.setU32(lengthAt, text.length);
  }

  /** Room of the guest's own making; 0 for nothing. */
  place(length: number): number {
    if (length === 0) return 0;
    const at = this.#allocate(length) >>> 0;
    if (at === 0 || at + length > this.size) throw new MemoryFault(`it gives no room for ${length} bytes`);
    return at;
  }

  #current(): Buffer {
    if (this.#bytes.buffer !== this.#memory.buffer) {
      this.#bytes = Buffer.from(this.#memory.buffer);
      this.#view = new DataView(this.#memory.buffer);
    }
    return this.#bytes;
  }

  #at(pointer: number, length: number): DataView {
    this.#current();
    if ((pointer >>> 0) + length > this.size)
      throw new MemoryFault(`${length} bytes at ${pointer >>> 0} are outside of its memory`);
    return this.#view;
  }
}
