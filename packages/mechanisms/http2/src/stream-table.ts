import type { Http2Stream } from './stream.ts';

const FIRST_SLOTS = 16;

/** Open streams by id: open addressing, so that a stream coming or going allocates nothing. */
export class StreamTable<U> {
  size = 0;
  #slots: (Http2Stream<U> | undefined)[] = Array.from({ length: FIRST_SLOTS });
  #mask = FIRST_SLOTS - 1;

  get(id: number): Http2Stream<U> | undefined {
    const slots = this.#slots;
    const mask = this.#mask;
    // ids go up by two: open ones seldom meet
    for (let at = (id >>> 1) & mask; ; at = (at + 1) & mask) {
      const stream = slots[at];
      if (stream === undefined || stream.id === id) return stream;
    }
  }

  add(stream: Http2Stream<U>): void {
    // ids of streams that are open at a time stand close to each other, so a fuller table hardly makes them meet
    if ((this.size + 1) * 5 > this.#slots.length * 4) this.#grow();
    this.#put(stream);
    this.size++;
  }

  #put(stream: Http2Stream<U>): void {
    const slots = this.#slots;
    let at = (stream.id >>> 1) & this.#mask;
    while (slots[at] !== undefined) at = (at + 1) & this.#mask;
    slots[at] = stream;
  }

  #grow(): void {
    const before = this.#slots;
    this.#slots = Array.from({ length: before.length * 2 });
    this.#mask = this.#slots.length - 1;
    for (const stream of before) if (stream !== undefined) this.#put(stream);
  }

  /** Takes the stream out; its `id` must still be set. */
  remove(stream: Http2Stream<U>): void {
    const slots = this.#slots;
    const mask = this.#mask;
    let at = (stream.id >>> 1) & mask;
    while (slots[at] !== stream) {
      if (slots[at] === undefined) return;
      at = (at + 1) & mask;
    }
    this.size--;
    // what stands behind moves up, so that searches need no tombstones
    for (let from = (at + 1) & mask; ; from = (from + 1) & mask) {
      const other = slots[from];
      if (other === undefined) break;
      const home = (other.id >>> 1) & mask;
      if (((from - home) & mask) >= ((from - at) & mask)) {
        slots[at] = other;
        at = from;
      }
    }
    slots[at] = undefined;
  }

  /** Every open stream, oldest first, in an array of its own: they may go meanwhile. */
  list(): Http2Stream<U>[] {
    const streams: Http2Stream<U>[] = [];
    for (const stream of this.#slots) if (stream !== undefined) streams.push(stream);
    return streams.sort((one, other) => one.id - other.id);
  }
}
