import type { Stream } from '../stream/stream.ts';

/** Streams that wait for a connection, first come first served; who leaves early leaves a hole. */
export class Waiters {
  readonly #streams: (Stream | undefined)[] = [];
  #first = 0;
  #count = 0;

  get size(): number {
    return this.#count;
  }

  add(stream: Stream): void {
    this.#streams.push(stream);
    this.#count++;
  }

  /** @returns whether it waited */
  remove(stream: Stream): boolean {
    const at = this.#streams.indexOf(stream, this.#first);
    if (at < 0) return false;
    this.#streams[at] = undefined;
    this.#count--;
    if (this.#count === 0) {
      this.#streams.length = 0;
      this.#first = 0;
    }
    return true;
  }

  /** The one that waits longest, without taking it. */
  get next(): Stream | undefined {
    const streams = this.#streams;
    while (this.#first < streams.length) {
      const stream = streams[this.#first];
      if (stream !== undefined) return stream;
      this.#skip();
    }
    return undefined;
  }

  /** Takes the one that waits longest. */
  take(): Stream | undefined {
    const stream = this.next;
    if (stream === undefined) return undefined;
    this.#count--;
    this.#skip();
    return stream;
  }

  #skip(): void {
    const streams = this.#streams;
    streams[this.#first++] = undefined;
    if (this.#first < streams.length && this.#first <= 256) return;
    streams.splice(0, this.#first);
    this.#first = 0;
  }
}
