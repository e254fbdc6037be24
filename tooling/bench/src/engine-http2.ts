import { InstantSocket } from './instant-socket.ts';
import {
  ACK,
  DATA,
  END_HEADERS,
  END_STREAM,
  frame,
  HEADERS,
  PREFACE,
  SETTINGS,
  settings,
  SETTINGS_ENABLE_PUSH,
  SETTINGS_INITIAL_WINDOW_SIZE,
  windowUpdate,
} from './wire/h2-frames.ts';
import { HeaderEncoder, saysOk, type Fields } from './wire/header-encoder.ts';

/** Streams that a caller begins at a time. */
export const STREAMS = 16;

const REQUEST: Fields = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/items/42?color=blue'],
  [':authority', 'shop.example'],
  ['user-agent', 'bench/1.0'],
  ['accept', 'application/json'],
  ['accept-encoding', 'identity'],
  ['traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00'],
  ['x-request-id', '5f2c1f0e-9c1d-4d6e-8f57-0f6c2d3b4a59'],
  ['cookie', 'session=0123456789abcdef'],
];
const RESPONSE: Fields = [
  [':status', '200'],
  ['content-type', 'text/plain'],
  ['content-length', '64'],
  ['date', 'Sun, 06 Nov 1994 08:49:37 GMT'],
];
const WINDOW_BYTES = 2 ** 30;
const STREAM_AT = 5;
const HEADER_BYTES = 9;

/** Calls for each frame that was written, with where its payload begins; frames are written whole. */
function eachFrame(
  bytes: Buffer,
  start: number,
  seen: (type: number, flags: number, stream: number, payloadAt: number) => void,
): void {
  let at = start;
  while (at + HEADER_BYTES <= bytes.length) {
    seen(
      bytes[at + 3] as number,
      bytes[at + 4] as number,
      bytes.readUInt32BE(at + STREAM_AT),
      at + HEADER_BYTES,
    );
    at += HEADER_BYTES + bytes.readUIntBE(at, 3);
  }
}

/** A message that is sent many times, each time on other streams: what it is made of is made once. */
class Template {
  readonly #bytes: Buffer;
  readonly #places: readonly number[];
  readonly #length: number;

  /** @param frames of one stream @param most streams at a time */
  constructor(frames: readonly Buffer[], most: number) {
    const one = Buffer.concat(frames);
    this.#length = one.length;
    this.#bytes = Buffer.concat(Array.from({ length: most }, () => one));
    let at = 0;
    this.#places = frames.map((each) => {
      const place = at + STREAM_AT;
      at += each.length;
      return place;
    });
  }

  set(index: number, stream: number): void {
    for (const place of this.#places) this.#bytes.writeUInt32BE(stream, index * this.#length + place);
  }

  view(count: number): Buffer {
    return this.#bytes.subarray(0, count * this.#length);
  }
}

/** A caller: begins {@link STREAMS} streams whenever it is told, and counts responses. */
export class Http2Caller extends InstantSocket {
  /** Responses that came whole. */
  answered = 0;
  /** Responses that were not 200. */
  refused = 0;
  #nextId = 1;
  #template: Template | undefined;
  readonly #encoder = new HeaderEncoder();

  /** Says who it is, once the proxy has it. */
  begin(): void {
    this.deliver(
      Buffer.concat([
        PREFACE,
        settings([
          [SETTINGS_ENABLE_PUSH, 0],
          [SETTINGS_INITIAL_WINDOW_SIZE, WINDOW_BYTES],
        ]),
        windowUpdate(0, WINDOW_BYTES),
        frame(SETTINGS, ACK, 0),
        // The first request teaches the peer's compression table what the others refer to.
        this.#request(),
      ]),
    );
  }

  ask(): void {
    const template = (this.#template ??= new Template([this.#request()], STREAMS));
    for (let i = 0; i < STREAMS; i++) {
      template.set(i, this.#nextId);
      this.#nextId += 2;
    }
    this.deliver(template.view(STREAMS));
  }

  override write(bytes: Buffer): 0 {
    eachFrame(bytes, 0, (type, flags, _stream, at) => {
      if (type === HEADERS && !saysOk(bytes, at)) this.refused++;
      if ((type === DATA || type === HEADERS) && (flags & END_STREAM) !== 0) this.answered++;
    });
    return 0;
  }

  #request(): Buffer {
    const id = this.#nextId;
    this.#nextId += 2;
    return frame(HEADERS, END_HEADERS | END_STREAM, id, this.#encoder.encode(REQUEST));
  }
}

/** Most streams that are answered at a time: those of all callers. */
const MOST_ANSWERS = 1024;
const BODY: Buffer = Buffer.alloc(64, 'x');

/** An endpoint: notes which streams were begun, and answers them when it is told. */
export class Http2Origin extends InstantSocket {
  #begun = false;
  #told = false;
  readonly #asked = new Int32Array(MOST_ANSWERS);
  #count = 0;
  #template: Template | undefined;
  readonly #encoder = new HeaderEncoder();

  override write(bytes: Buffer): 0 {
    const from = this.#begun ? 0 : PREFACE.length;
    this.#begun = true;
    eachFrame(bytes, from, (type, _flags, stream) => {
      if (type === HEADERS) this.#asked[this.#count++] = stream;
    });
    return 0;
  }

  /** Answers what was asked. @returns whether anything was */
  answer(): boolean {
    if (this.#begun && !this.#told) {
      this.#told = true;
      this.deliver(Buffer.concat([settings([]), frame(SETTINGS, ACK, 0), windowUpdate(0, WINDOW_BYTES)]));
    }
    if (this.#count === 0) return false;
    const count = this.#count;
    this.#count = 0;
    if (this.#template === undefined) {
      // As the caller's: the first is literal, the others refer to it.
      for (let i = 0; i < count; i++) this.deliver(this.#response(this.#asked[i] as number));
      this.#template = new Template(this.#frames(), MOST_ANSWERS);
      return true;
    }
    for (let i = 0; i < count; i++) this.#template.set(i, this.#asked[i] as number);
    this.deliver(this.#template.view(count));
    return true;
  }

  #frames(): [Buffer, Buffer] {
    return [frame(HEADERS, END_HEADERS, 0, this.#encoder.encode(RESPONSE)), frame(DATA, END_STREAM, 0, BODY)];
  }

  #response(stream: number): Buffer {
    const frames = this.#frames();
    for (const each of frames) each.writeUInt32BE(stream, STREAM_AT);
    return Buffer.concat(frames);
  }
}
