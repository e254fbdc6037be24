import { FieldTable, LAST_FORBIDDEN_TRAILER, type ByteWriter } from '@tulle/fields';
import type { FrameOutput } from './events.ts';
import type { FloodMeter } from './flood-meter.ts';
import { putFrameHeader, writeFrameHeader } from './frame-writer.ts';
import type { HpackEncoder } from './hpack/encoder.ts';
import type { Http2Options } from './options.ts';
import { SendQueue } from './send-queue.ts';
import { LOCAL_BODY, LOCAL_ENDED, LOCAL_ENDING, type Http2Stream } from './stream.ts';
import {
  FLAG_END_HEADERS,
  FLAG_END_STREAM,
  FRAME_CONTINUATION,
  FRAME_DATA,
  FRAME_HEADER_BYTES,
  FRAME_HEADERS,
  PROTOCOL_FRAME_BYTES,
  PROTOCOL_WINDOW_BYTES,
} from './wire.ts';

/**
 * A DATA frame that a window cut below this gives no tokens back: by WINDOW_UPDATE of one octet at a time a peer would have
 * a frame, and ten octets to write, for each octet of body.
 */
const LEAST_USEFUL_BYTES = 256;

/** Whom a sender tells. */
export interface SenderHost<U> {
  /** END_STREAM is in the output. */
  onLocalEnd(stream: Http2Stream<U>): void;
  /** The stream is writable again, or empty where it tells that. */
  onWritable(stream: Http2Stream<U>): void;
}

/**
 * The sending half: header blocks, and DATA within the windows and within what the output takes. What does not fit waits
 * in its stream. Streams that wait and whose own window is open stand in a ring and send a frame each in turn.
 */
export class Sender<U> {
  /** The connection's window. */
  window: number = PROTOCOL_WINDOW_BYTES;
  /** The peer's SETTINGS_MAX_FRAME_SIZE. */
  frameBytes: number = PROTOCOL_FRAME_BYTES;
  readonly #host: SenderHost<U>;
  readonly #output: FrameOutput;
  readonly #encoder: HpackEncoder;
  readonly #meter: FloodMeter;
  readonly #outputBytes: number;
  readonly #queueBytes: number;
  #first: SendQueue<Http2Stream<U>> | undefined = undefined;
  #last: SendQueue<Http2Stream<U>> | undefined = undefined;
  /** Whose HEADERS or DATA frame was written last, where END_STREAM may still go while it has not left. */
  #lastWritten: Http2Stream<U> | undefined = undefined;
  /** Where its flags octet stands in the connection's byte stream. */
  #lastFlagsAt = 0;

  constructor(
    host: SenderHost<U>,
    output: FrameOutput,
    encoder: HpackEncoder,
    meter: FloodMeter,
    options: Http2Options,
  ) {
    this.#host = host;
    this.#output = output;
    this.#encoder = encoder;
    this.#meter = meter;
    this.#outputBytes = options.outputBytes;
    this.#queueBytes = options.streamQueueBytes;
  }

  /** Starts a header block: the caller encodes its fields behind it. @returns where it began, for `endBlock` */
  beginBlock(out: ByteWriter): number {
    const at = out.length;
    out.reserve(FRAME_HEADER_BYTES);
    out.length += FRAME_HEADER_BYTES;
    this.#encoder.begin(out);
    return at;
  }

  /** Frames the block (RFC 9113 §4.3). */
  endBlock(out: ByteWriter, at: number, stream: Http2Stream<U>, endStream: boolean): void {
    const size = out.length - at - FRAME_HEADER_BYTES;
    const flags = endStream ? FLAG_END_STREAM : 0;
    this.#wrote(stream, at);
    if (size <= this.frameBytes) {
      putFrameHeader(out.buffer, at, size, FRAME_HEADERS, flags | FLAG_END_HEADERS, stream.id);
      return;
    }
    const block = Buffer.from(out.buffer.subarray(at + FRAME_HEADER_BYTES, out.length));
    out.length = at;
    for (let from = 0; from < size; from += this.frameBytes) {
      const to = Math.min(size, from + this.frameBytes);
      const last = to === size ? FLAG_END_HEADERS : 0;
      const type = from === 0 ? FRAME_HEADERS : FRAME_CONTINUATION;
      writeFrameHeader(out, to - from, type, (from === 0 ? flags : 0) | last, stream.id);
      out.bytes(block, from, to);
    }
  }

  /** See `Http2Session.writeData`. */
  data(
    stream: Http2Stream<U>,
    chunk: Buffer,
    start: number,
    end: number,
    owned: boolean,
    endStream: boolean,
  ): boolean {
    let at = start;
    let kept = false;
    // whoever waits already goes first
    if (this.#first === undefined && stream.queuedBytes === 0) {
      while (at < end) {
        const size = Math.min(end - at, this.frameBytes, this.window, stream.sendWindow);
        if (size <= 0 || this.#output.queuedBytes >= this.#outputBytes) break;
        const cut = size < end - at && size < this.frameBytes;
        if (this.#frame(stream, chunk, at, at + size, owned, endStream && at + size === end, cut))
          kept = true;
        at += size;
      }
      if (at === end) {
        if (endStream) this.#ended(stream);
        return kept;
      }
    }
    const queue = (stream.queue ??= new SendQueue<Http2Stream<U>>(stream));
    queue.push(chunk, at, end, owned);
    if (queue.bytes >= this.#queueBytes) stream.writable = false;
    if (endStream) {
      queue.ends = true;
      stream.local = LOCAL_ENDING;
    }
    this.offer(stream);
    return kept || owned;
  }

  /** See `Http2Session.writeEnd`. */
  end(stream: Http2Stream<U>, trailers: FieldTable | undefined): void {
    if (stream.queuedBytes > 0) {
      const queue = stream.queue as SendQueue<Http2Stream<U>>;
      queue.ends = true;
      if (hasTrailers(trailers)) {
        queue.trailers = new FieldTable();
        queue.trailers.copyFrom(trailers as FieldTable);
      }
      stream.local = LOCAL_ENDING;
      return;
    }
    if (hasTrailers(trailers)) this.#trailers(stream, trailers as FieldTable);
    else {
      const out = this.#output.writer();
      const at = this.#lastFlagsAt - this.#output.bytes;
      if (this.#lastWritten === stream && at >= 0 && at < out.length)
        out.buffer[at] = (out.buffer[at] as number) | FLAG_END_STREAM; // it has not left yet
      else writeFrameHeader(out, 0, FRAME_DATA, FLAG_END_STREAM, stream.id);
    }
    this.#ended(stream);
  }

  #trailers(stream: Http2Stream<U>, trailers: FieldTable): void {
    const out = this.#output.writer();
    const at = this.beginBlock(out);
    this.#encoder.fields(out, trailers, LAST_FORBIDDEN_TRAILER);
    this.endBlock(out, at, stream, true);
  }

  #wrote(stream: Http2Stream<U>, at: number): void {
    this.#lastWritten = stream;
    this.#lastFlagsAt = this.#output.bytes + at + 4;
  }

  /** What was written last is no frame that may say END_STREAM. */
  interimWritten(): void {
    this.#lastWritten = undefined;
  }

  #ended(stream: Http2Stream<U>): void {
    stream.local = LOCAL_ENDED;
    this.#host.onLocalEnd(stream);
  }

  #frame(
    stream: Http2Stream<U>,
    chunk: Buffer,
    start: number,
    end: number,
    owned: boolean,
    last: boolean,
    cut: boolean,
  ): boolean {
    const size = end - start;
    const out = this.#output.writer();
    this.#wrote(stream, out.length);
    writeFrameHeader(out, size, FRAME_DATA, last ? FLAG_END_STREAM : 0, stream.id);
    stream.sendWindow -= size;
    this.window -= size;
    if (!cut || size >= LEAST_USEFUL_BYTES) {
      this.#meter.dataFramesSent++;
      this.#meter.contentFrames++;
    }
    return this.#output.piece(chunk, start, end, owned);
  }

  /** Puts the stream into the ring when it waits and its own window is open. */
  offer(stream: Http2Stream<U>): void {
    if (stream.inRing || stream.queuedBytes === 0 || stream.sendWindow <= 0) return;
    stream.inRing = true;
    const queue = stream.queue as SendQueue<Http2Stream<U>>;
    queue.previous = this.#last;
    if (this.#last === undefined) this.#first = queue;
    else this.#last.next = queue;
    this.#last = queue;
  }

  /** The stream is over. */
  forget(stream: Http2Stream<U>): void {
    if (this.#lastWritten === stream) this.#lastWritten = undefined;
    if (stream.inRing) this.#leaveRing(stream);
  }

  #leaveRing(stream: Http2Stream<U>): void {
    stream.inRing = false;
    const queue = stream.queue as SendQueue<Http2Stream<U>>;
    const { next, previous } = queue;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    queue.next = undefined;
    queue.previous = undefined;
  }

  /** Sends what windows and output take, a frame of each waiting stream in turn. */
  pump(): void {
    for (;;) {
      const first = this.#first;
      if (first === undefined || this.window <= 0 || this.#output.queuedBytes >= this.#outputBytes) return;
      const { stream } = first;
      this.#leaveRing(stream);
      // a window that SETTINGS lowered meanwhile
      if (stream.sendWindow > 0) this.#sendQueued(stream);
    }
  }

  #sendQueued(stream: Http2Stream<U>): void {
    const queue = stream.queue as SendQueue<Http2Stream<U>>;
    const { chunk, start } = queue;
    const whole = Math.min(queue.end - start, this.frameBytes);
    const size = Math.min(whole, this.window, stream.sendWindow);
    const last = size === queue.bytes;
    const endsHere = last && queue.ends && queue.trailers === undefined;
    queue.take(size);
    this.#frame(stream, chunk, start, start + size, true, endsHere, size < whole);
    if (!last) this.offer(stream);
    else if (queue.ends) {
      if (queue.trailers !== undefined) this.#trailers(stream, queue.trailers);
      const { id, tellsEmpty } = stream;
      this.#ended(stream);
      // unless it is over by that
      if (tellsEmpty && stream.id === id) this.#host.onWritable(stream);
      return;
    }
    const drained = !stream.writable && stream.queuedBytes <= this.#queueBytes / 2;
    if (drained) stream.writable = true;
    if (stream.tellsEmpty ? stream.queuedBytes === 0 : drained && stream.local === LOCAL_BODY)
      this.#host.onWritable(stream);
  }
}

/** Whether there is a line that may be a trailer. */
function hasTrailers(trailers: FieldTable | undefined): boolean {
  if (trailers === undefined) return false;
  for (let i = 0; i < trailers.length; i++) {
    const id = trailers.id(i);
    if (id === 0 || id > LAST_FORBIDDEN_TRAILER) return true;
  }
  return false;
}
