import { CLIENT_PREFACE, FLAG_PADDED, FRAME_DATA, FRAME_HEADER_BYTES } from './wire.ts';

/** What a frame reader finds. A method that ends the connection calls `stop` of the reader. */
export interface FrameSink {
  /** The client's first 24 octets are not the preface. */
  onBadPreface(): void;
  /** A frame begins; its length may be too large. @returns whether its payload is wanted; DATA always is */
  onFrameHeader(type: number, flags: number, id: number, length: number): boolean;
  /** A whole frame other than DATA. Its bytes are borrowed. */
  onFrame(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number): void;
  /** The pad length of a DATA frame: octets that carry nothing, the one of the length included. */
  onDataPadding(bytes: number): void;
  /** A piece of the content of the DATA frame whose header came last, never empty. @param last of this frame */
  onDataPiece(chunk: Buffer, start: number, end: number, last: boolean): void;
  /** The DATA frame has no content. */
  onDataEmpty(): void;
  /** A pad length is as large as the frame. */
  onBadPadding(): void;
}

const PREFACE = 0;
const HEADER = 1;
const GATHER = 2;
const SKIP = 3;
const PAD_LENGTH = 4;
const CONTENT = 5;

const NOTHING: Buffer = Buffer.alloc(0);

/**
 * Finds frames in chunks of any size (RFC 9113 §4.1). Content of DATA frames passes as slices of the chunk; other frames
 * are handed over out of the chunk too where they are whole there. What is kept between two chunks is at most one frame
 * header or one frame other than DATA.
 */
export class FrameReader {
  readonly #sink: FrameSink;
  #state: number;
  #stopped = false;
  /** Octets of preface or frame header that came so far, where a chunk ended in the middle. */
  #gathered = 0;
  #header: Buffer = NOTHING;
  #partial: Buffer = NOTHING;
  #type = 0;
  #flags = 0;
  #id = 0;
  /** Payload octets that have not come yet: of the frame, or of the content of a DATA frame. */
  #left = 0;
  #padding = 0;

  constructor(sink: FrameSink, expectPreface: boolean) {
    this.#sink = sink;
    this.#state = expectPreface ? PREFACE : HEADER;
  }

  /** Nothing is read any more. */
  stop(): void {
    this.#stopped = true;
    this.#partial = NOTHING;
  }

  /** Whether a frame other than DATA has begun and is not whole, or the preface has not. */
  get waiting(): boolean {
    return this.#state === GATHER || this.#state === SKIP || this.#state === PREFACE;
  }

  /** Whether the bytes so far end between two frames. */
  get atFrameEnd(): boolean {
    return this.#state === HEADER && this.#gathered === 0;
  }

  read(chunk: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end && !this.#stopped) {
      switch (this.#state) {
        case HEADER:
          if (this.#gathered === 0 && end - at >= FRAME_HEADER_BYTES) {
            this.#begin(chunk, at);
            at += FRAME_HEADER_BYTES;
          } else {
            if (this.#header === NOTHING) this.#header = Buffer.alloc(FRAME_HEADER_BYTES);
            while (at < end && this.#gathered < FRAME_HEADER_BYTES)
              this.#header[this.#gathered++] = chunk[at++] as number;
            if (this.#gathered < FRAME_HEADER_BYTES) return;
            this.#gathered = 0;
            this.#begin(this.#header, 0);
          }
          if ((this.#state as number) === GATHER && end - at >= this.#left && !this.#stopped) {
            const from = at;
            at += this.#left;
            this.#state = HEADER;
            this.#sink.onFrame(this.#type, this.#flags, this.#id, chunk, from, at);
          }
          break;
        case CONTENT:
          at = this.#readContent(chunk, at, end);
          break;
        case GATHER:
          at = this.#gather(chunk, at, end);
          break;
        case SKIP: {
          const size = Math.min(end - at, this.#left);
          at += size;
          this.#left -= size;
          if (this.#left === 0) this.#state = HEADER;
          break;
        }
        case PAD_LENGTH:
          this.#readPadLength(chunk[at++] as number);
          break;
        default:
          at = this.#readPreface(chunk, at, end);
      }
    }
  }

  #begin(bytes: Buffer, at: number): void {
    const length =
      ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
    const type = bytes[at + 3] as number;
    const flags = bytes[at + 4] as number;
    const id =
      (((bytes[at + 5] as number) & 0x7f) << 24) |
      ((bytes[at + 6] as number) << 16) |
      ((bytes[at + 7] as number) << 8) |
      (bytes[at + 8] as number);
    const wanted = this.#sink.onFrameHeader(type, flags, id, length);
    if (this.#stopped) return;
    this.#left = length;
    if (type === FRAME_DATA) {
      this.#padding = 0;
      if ((flags & FLAG_PADDED) !== 0) {
        if (length === 0) this.#sink.onBadPadding();
        else this.#state = PAD_LENGTH;
      } else if (length === 0) this.#sink.onDataEmpty();
      else this.#state = CONTENT;
      return;
    }
    this.#type = type;
    this.#flags = flags;
    this.#id = id;
    if (wanted) {
      if (length > 0) this.#state = GATHER;
      else this.#sink.onFrame(type, flags, id, NOTHING, 0, 0);
    } else if (length > 0) this.#state = SKIP;
  }

  #readContent(chunk: Buffer, at: number, end: number): number {
    const size = Math.min(end - at, this.#left);
    this.#left -= size;
    const last = this.#left === 0;
    if (last) this.#toPadding();
    this.#sink.onDataPiece(chunk, at, at + size, last);
    return at + size;
  }

  #readPadLength(padding: number): void {
    const content = this.#left - 1 - padding;
    if (content < 0) return this.#sink.onBadPadding();
    this.#sink.onDataPadding(padding + 1);
    this.#padding = padding;
    this.#left = content;
    if (content > 0) {
      this.#state = CONTENT;
      return;
    }
    this.#toPadding();
    this.#sink.onDataEmpty();
  }

  #toPadding(): void {
    this.#left = this.#padding;
    this.#state = this.#left > 0 ? SKIP : HEADER;
  }

  #gather(chunk: Buffer, start: number, end: number): number {
    if (this.#partial.length === 0) this.#partial = Buffer.allocUnsafeSlow(this.#left);
    const size = Math.min(end - start, this.#left);
    const partial = this.#partial;
    chunk.copy(partial, partial.length - this.#left, start, start + size);
    this.#left -= size;
    if (this.#left === 0) {
      this.#partial = NOTHING;
      this.#state = HEADER;
      this.#sink.onFrame(this.#type, this.#flags, this.#id, partial, 0, partial.length);
    }
    return start + size;
  }

  #readPreface(chunk: Buffer, start: number, end: number): number {
    let at = start;
    while (at < end && this.#gathered < CLIENT_PREFACE.length) {
      if (chunk[at] !== CLIENT_PREFACE[this.#gathered]) {
        this.#sink.onBadPreface();
        return end;
      }
      at++;
      this.#gathered++;
    }
    if (this.#gathered === CLIENT_PREFACE.length) {
      this.#gathered = 0;
      this.#state = HEADER;
    }
    return at;
  }
}
