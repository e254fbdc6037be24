import { DATA, GOAWAY, HEADERS, RST_STREAM, END_STREAM, END_HEADERS, CONTINUATION } from './frames.ts';

/** A frame that came. */
export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** Cuts bytes into frames. */
export class FrameReader {
  #bytes: Buffer = Buffer.alloc(0);

  /** Bytes of a frame that is not whole. */
  get rest(): Buffer {
    return this.#bytes;
  }

  push(chunk: Buffer): Frame[] {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    const frames: Frame[] = [];
    let at = 0;
    while (this.#bytes.length - at >= 9) {
      const end = at + 9 + this.#bytes.readUIntBE(at, 3);
      if (end > this.#bytes.length) break;
      frames.push({
        type: this.#bytes[at + 3] as number,
        flags: this.#bytes[at + 4] as number,
        streamId: this.#bytes.readUInt32BE(at + 5) & 0x7fffffff,
        payload: this.#bytes.subarray(at + 9, end),
      });
      at = end;
    }
    this.#bytes = this.#bytes.subarray(at);
    return frames;
  }
}

/** What came on one stream. */
export interface StreamAnswer {
  /** 0 while none came. */
  status: number;
  interim: number[];
  body: string;
  ended: boolean;
  /** Error code of RST_STREAM. */
  reset: number | undefined;
}

/** Gathers the answers on a connection whose writer keeps no table (SETTINGS_HEADER_TABLE_SIZE 0). */
export class Answers {
  readonly streams: Map<number, StreamAnswer> = new Map();
  /** Error code of GOAWAY. */
  goaway: number | undefined = undefined;
  readonly #reader = new FrameReader();
  #block: Buffer = Buffer.alloc(0);
  #endsStream = false;

  push(chunk: Buffer): Frame[] {
    const frames = this.#reader.push(chunk);
    for (const it of frames) this.#frame(it);
    return frames;
  }

  of(streamId: number): StreamAnswer {
    let answer = this.streams.get(streamId);
    if (answer === undefined) {
      answer = { status: 0, interim: [], body: '', ended: false, reset: undefined };
      this.streams.set(streamId, answer);
    }
    return answer;
  }

  #frame(it: Frame): void {
    if (it.type === GOAWAY) this.goaway = it.payload.readUInt32BE(4);
    if (it.type === RST_STREAM) this.of(it.streamId).reset = it.payload.readUInt32BE(0);
    if (it.type === DATA) {
      const answer = this.of(it.streamId);
      answer.body += it.payload.toString('latin1');
      if ((it.flags & END_STREAM) !== 0) answer.ended = true;
    }
    if (it.type !== HEADERS && it.type !== CONTINUATION) return;
    if (it.type === HEADERS) this.#endsStream = (it.flags & END_STREAM) !== 0;
    this.#block = Buffer.concat([this.#block, it.payload]);
    if ((it.flags & END_HEADERS) === 0) return;
    const answer = this.of(it.streamId);
    const status = statusOf(this.#block);
    this.#block = Buffer.alloc(0);
    if (status >= 200 && answer.status === 0) answer.status = status;
    else if (status > 0) answer.interim.push(status);
    if (this.#endsStream) answer.ended = true;
  }
}

const STATIC_STATUS = [200, 204, 206, 304, 400, 404, 500];
const DIGITS_5 = ['0', '1', '2'];

/** `:status` of a header block, which is its first field; 0 when it is none (trailers). */
export function statusOf(block: Buffer): number {
  let at = 0;
  while (((block[at] ?? 0) & 0xe0) === 0x20) {
    // a table size update
    if (((block[at] as number) & 0x1f) === 0x1f) while (((block[++at] ?? 0) & 0x80) !== 0);
    at++;
  }
  const first = block[at] ?? 0;
  if (first >= 0x88 && first <= 0x8e) return STATIC_STATUS[first - 0x88] as number;
  // a literal with the name of an entry of :status, indexed or not
  const index = first >= 0x40 ? first & 0x3f : first & 0x0f;
  if (index < 8 || index > 14) return 0;
  const length = block[at + 1] ?? 0;
  const value = block.subarray(at + 2, at + 2 + (length & 0x7f));
  return Number(length < 0x80 ? value.toString('latin1') : digitsOf(value));
}

/** Digits in Huffman code: 0, 1, 2 are 00000 to 00010, 3 to 9 are 011001 to 011111 (RFC 7541 appendix B). */
function digitsOf(code: Buffer): string {
  const bits = Array.from(code, (octet) => octet.toString(2).padStart(8, '0')).join('');
  let digits = '';
  for (let at = 0; bits.length - at >= 5;) {
    const five = DIGITS_5[Number.parseInt(bits.slice(at, at + 5), 2)];
    if (five !== undefined) {
      digits += five;
      at += 5;
      continue;
    }
    const six = Number.parseInt(bits.slice(at, at + 6), 2) - 0b011001;
    if (bits.length - at < 6 || six < 0 || six > 6) break;
    digits += String(six + 3);
    at += 6;
  }
  return digits;
}
