import { latin1Slice } from './latin1.ts';

/** A block up to this many bytes is decoded whole, once; in larger ones each value is decoded alone, so that one kept value does not keep it all. */
const MAX_WHOLE_DECODE_BYTES = 4096;
/** After a block larger than this, `reset` lets the storage go, so that one large head does not stay with a pooled stream. */
const MAX_KEPT_BYTES = 8192;
/** Bytes beyond the block that a parser may read as part of a word. */
const SLACK_BYTES = 8;
/** First size of the storage: a usual head. */
const INITIAL_BYTES = 1024;

const EMPTY: Buffer = Buffer.alloc(0);
const EMPTY_VIEW: DataView = new DataView(new ArrayBuffer(0));
const EMPTY_SPANS: Int32Array = new Int32Array(0);

/** The bytes of a head as a parser of HTTP/1 hands them over, and where in them its lines stand. Reused with its table. */
export class HeadBlock {
  bytes: Buffer = EMPTY;
  /** The same memory. */
  view: DataView = EMPTY_VIEW;
  length = 0;
  /** Four integers a line: where its name and its value begin and end; -1 where it has a string of its own. */
  spans: Int32Array = EMPTY_SPANS;
  #text: string | undefined = undefined;

  /** Copies `source[start, end)` behind what is there already. */
  append(source: Buffer, start: number, end: number): void {
    const need = this.length + end - start;
    if (need + SLACK_BYTES > this.bytes.length) this.#grow(need + SLACK_BYTES);
    source.copy(this.bytes, this.length, start, end);
    this.length = need;
    this.#text = undefined;
  }

  #grow(need: number): void {
    let size = Math.max(INITIAL_BYTES, this.bytes.length);
    while (size < need) size *= 2;
    const next = Buffer.allocUnsafeSlow(size);
    if (this.length > 0) this.bytes.copy(next, 0, 0, this.length);
    this.bytes = next;
    this.view = new DataView(next.buffer, next.byteOffset, next.length);
  }

  truncate(length: number): void {
    this.length = Math.min(length, this.length);
    this.#text = undefined;
  }

  /** Room for `size` integers of spans; what is new says "none". */
  growSpans(size: number): Int32Array {
    const next = new Int32Array(size).fill(-1);
    next.set(this.spans);
    return (this.spans = next);
  }

  /** Latin1 text of a part. */
  text(start: number, end: number): string {
    if (start === end) return '';
    if (this.length > MAX_WHOLE_DECODE_BYTES) return latin1Slice(this.bytes, start, end);
    return (this.#text ??= latin1Slice(this.bytes, 0, this.length)).slice(start, end);
  }

  copyFrom(other: HeadBlock): void {
    this.append(other.bytes, 0, other.length);
    this.#text = other.#text;
  }

  /** Empties it; keeps the storage unless that grew beyond 8 KiB. */
  reset(): void {
    this.length = 0;
    this.#text = undefined;
    if (this.bytes.length <= MAX_KEPT_BYTES) return;
    this.bytes = EMPTY;
    this.view = EMPTY_VIEW;
  }
}

/** Shared by tables that have none: never written. */
export const NO_BLOCK: HeadBlock = new HeadBlock();
