import type { Duplex } from 'node:stream';
import {
  ACK,
  DATA,
  END_HEADERS,
  END_STREAM,
  frame,
  FrameReader,
  GOAWAY,
  HEADERS,
  PADDED,
  PING,
  PREFACE,
  PRIORITY_FLAG,
  RST_STREAM,
  SETTINGS,
  settings,
  SETTINGS_ENABLE_PUSH,
  SETTINGS_HEADER_TABLE_SIZE,
  SETTINGS_INITIAL_WINDOW_SIZE,
  WINDOW_UPDATE,
  windowUpdate,
} from './h2-frames.ts';
import { HeaderEncoder, type Fields } from './header-encoder.ts';

/** What comes in. Bytes are borrowed until the call returns. */
export interface H2Events {
  headers(stream: number, endStream: boolean, block: Buffer): void;
  data(stream: number, bytes: Buffer, endStream: boolean): void;
  reset(stream: number, code: number): void;
  /** There may be room for more: the peer opened a window, or the socket took what it had. */
  room?(): void;
}

export interface H2Options {
  readonly role: 'client' | 'server';
  /** Window that is granted to each stream. Default 1 GiB: the measured must not wait for us. */
  readonly streamWindowBytes?: number;
}

/** Largest DATA payload: everybody takes 16,384. */
const MAX_FRAME_BYTES = 16_384;
const LARGE_WINDOW_BYTES = 2 ** 30;
const FIRST_WINDOW_BYTES = 65_535;

interface Waiting {
  readonly stream: number;
  bytes: Buffer;
  readonly endStream: boolean;
}

/** One end of an HTTP/2 connection. What is sent while a chunk is read goes out in one write; else after {@link flush}. */
export class H2Connection {
  readonly encoder: HeaderEncoder = new HeaderEncoder();
  readonly #socket: Duplex;
  readonly #events: H2Events;
  readonly #reader: FrameReader;
  readonly #sendWindows = new Map<number, number>();
  #out: Buffer[] = [];
  #waiting: Waiting[] = [];
  #preface: number;
  #sendWindow: number = FIRST_WINDOW_BYTES;
  #streamSendWindow: number = FIRST_WINDOW_BYTES;
  #unacknowledged = 0;

  constructor(socket: Duplex, events: H2Events, options: H2Options) {
    this.#socket = socket;
    this.#events = events;
    this.#preface = options.role === 'server' ? PREFACE.length : 0;
    this.#reader = new FrameReader((type, flags, stream, payload) =>
      this.#frame(type, flags, stream, payload),
    );
    if (options.role === 'client') this.#out.push(PREFACE);
    this.#out.push(
      settings([
        [SETTINGS_INITIAL_WINDOW_SIZE, options.streamWindowBytes ?? LARGE_WINDOW_BYTES],
        ...(options.role === 'client' ? [[SETTINGS_ENABLE_PUSH, 0] as const] : []),
      ]),
      windowUpdate(0, LARGE_WINDOW_BYTES - FIRST_WINDOW_BYTES),
    );
    this.flush();
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('drain', () => {
      this.#events.room?.();
      this.flush();
    });
  }

  sendHeaders(stream: number, fields: Fields, endStream: boolean): void {
    this.#out.push(
      frame(HEADERS, END_HEADERS | (endStream ? END_STREAM : 0), stream, this.encoder.encode(fields)),
    );
  }

  /** Sends when the peer has room; keeps the bytes until then. */
  sendData(stream: number, bytes: Buffer, endStream: boolean): void {
    if (this.#waiting.some((one) => one.stream === stream))
      this.#waiting.push({ stream, bytes: Buffer.from(bytes), endStream });
    else {
      const left = this.#trySend(stream, bytes, endStream);
      if (left !== undefined) this.#waiting.push({ stream, bytes: Buffer.from(left), endStream });
    }
  }

  /** Grants more of a stream's window. */
  grant(stream: number, bytes: number): void {
    this.#out.push(windowUpdate(stream, bytes));
  }

  /** Forgets a stream's window. */
  forget(stream: number): void {
    this.#sendWindows.delete(stream);
  }

  /** Whether a long body should wait: for the peer's windows, or for the socket. */
  get full(): boolean {
    return this.#waiting.length > 0 || this.#socket.writableNeedDrain;
  }

  flush(): void {
    if (this.#out.length === 0) return;
    const bytes = this.#out.length === 1 ? (this.#out[0] as Buffer) : Buffer.concat(this.#out);
    this.#out = [];
    this.#socket.write(bytes);
  }

  /** @returns what the windows do not allow */
  #trySend(stream: number, bytes: Buffer, endStream: boolean): Buffer | undefined {
    let at = 0;
    do {
      const room = Math.min(this.#sendWindow, this.#sendWindows.get(stream) ?? this.#streamSendWindow);
      const length = Math.min(bytes.length - at, MAX_FRAME_BYTES, Math.max(0, room));
      if (length === 0 && at < bytes.length) return bytes.subarray(at);
      const last = at + length === bytes.length;
      this.#out.push(
        frame(DATA, last && endStream ? END_STREAM : 0, stream, bytes.subarray(at, at + length)),
      );
      this.#sendWindow -= length;
      // One short message of a stream needs no account of its own.
      if (!endStream || !last || this.#sendWindows.has(stream))
        this.#sendWindows.set(stream, (this.#sendWindows.get(stream) ?? this.#streamSendWindow) - length);
      if (last && endStream) this.#sendWindows.delete(stream);
      at += length;
    } while (at < bytes.length);
    return undefined;
  }

  #drain(): void {
    const before = this.#waiting;
    this.#waiting = [];
    for (const one of before) this.sendData(one.stream, one.bytes, one.endStream);
  }

  #read(chunk: Buffer): void {
    if (this.#preface > 0) {
      const skipped = Math.min(this.#preface, chunk.length);
      this.#preface -= skipped;
      this.#reader.push(chunk.subarray(skipped));
    } else this.#reader.push(chunk);
    this.flush();
  }

  #frame(type: number, flags: number, stream: number, payload: Buffer): void {
    switch (type) {
      case DATA: {
        this.#unacknowledged += payload.length;
        if (this.#unacknowledged > LARGE_WINDOW_BYTES / 2) {
          this.#out.push(windowUpdate(0, this.#unacknowledged));
          this.#unacknowledged = 0;
        }
        this.#events.data(stream, unpadded(payload, flags), (flags & END_STREAM) !== 0);
        return;
      }
      case HEADERS: {
        const block = unpadded(payload, flags);
        this.#events.headers(
          stream,
          (flags & END_STREAM) !== 0,
          (flags & PRIORITY_FLAG) === 0 ? block : block.subarray(5),
        );
        return;
      }
      case RST_STREAM:
        this.#sendWindows.delete(stream);
        this.#events.reset(stream, payload.readUInt32BE());
        return;
      case SETTINGS:
        if ((flags & ACK) === 0) this.#takeSettings(payload);
        return;
      case PING:
        if ((flags & ACK) === 0) this.#out.push(frame(PING, ACK, 0, payload));
        return;
      case WINDOW_UPDATE:
        if (stream === 0) this.#sendWindow += payload.readUInt32BE() & 0x7fffffff;
        else if (this.#sendWindows.has(stream))
          this.#sendWindows.set(
            stream,
            (this.#sendWindows.get(stream) as number) + (payload.readUInt32BE() & 0x7fffffff),
          );
        if (this.#waiting.length > 0) this.#drain();
        this.#events.room?.();
        return;
      case GOAWAY:
      default:
    }
  }

  #takeSettings(payload: Buffer): void {
    for (let at = 0; at + 6 <= payload.length; at += 6) {
      const value = payload.readUInt32BE(at + 2);
      const id = payload.readUInt16BE(at);
      if (id === SETTINGS_HEADER_TABLE_SIZE && value < 4096) this.encoder.withoutTable();
      if (id === SETTINGS_INITIAL_WINDOW_SIZE) {
        const more = value - this.#streamSendWindow;
        this.#streamSendWindow = value;
        for (const [stream, window] of this.#sendWindows) this.#sendWindows.set(stream, window + more);
      }
    }
    this.#out.push(frame(SETTINGS, ACK, 0));
    if (this.#waiting.length > 0) this.#drain();
  }
}

function unpadded(payload: Buffer, flags: number): Buffer {
  return (flags & PADDED) === 0 ? payload : payload.subarray(1, payload.length - (payload[0] as number));
}
