import type { Stream } from '../stream/stream.ts';

/**
 * Streams that wait for a connection: those of high circuit priority before others, of equal ones first come first served. Who
 * leaves early leaves a hole.
 */
export class Waiters {
  readonly #line: Line = new Line();
  /** Few clusters have such streams. */
  #high: Line | undefined;

  get size(): number {
    return this.#line.size + (this.#high?.size ?? 0);
  }

  add(stream: Stream): void {
    (stream.highPriority ? (this.#high ??= new Line()) : this.#line).add(stream);
  }

  /** @returns whether it waited */
  remove(stream: Stream): boolean {
    return this.#line.remove(stream) || this.#high?.remove(stream) === true;
  }

  /** The one whose turn it is, without taking it. */
  get next(): Stream | undefined {
    return this.#high?.next ?? this.#line.next;
  }

  /** Takes the one whose turn it is. */
  take(): Stream | undefined {
    return this.#high?.take() ?? this.#line.take();
  }
}

/** First come, first served. */
class Line {
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

  get next(): Stream | undefined {
    const streams = this.#streams;
    while (this.#first < streams.length) {
      const stream = streams[this.#first];
      if (stream !== undefined) return stream;
      this.#skip();
    }
    return undefined;
  }

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
