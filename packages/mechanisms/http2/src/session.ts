import { latin1Slice, type FieldTable } from '@tulle/fields';
import type { FrameOutput, Http2Events } from './events.ts';
import type { Http2Fault, Http2Rule } from './faults.ts';
import {
  FLOOD_EMPTY_DATA,
  FLOOD_PING,
  FLOOD_RESET,
  FLOOD_SETTINGS,
  FLOOD_USELESS,
  FLOOD_WINDOW_UPDATE,
} from './flood-meter.ts';
import { FrameReader, type FrameSink } from './frame-reader.ts';
import { writePong, writeSettingsAck, writeWindowUpdate } from './frame-writer.ts';
import { HeaderBlock } from './header-block.ts';
import { HpackDecoder } from './hpack/decoder.ts';
import type { HpackFieldSink } from './hpack/sink.ts';
import { IGNORED_FIELDS } from './message-fields.ts';
import type { Http2Options } from './options.ts';
import { type Http2Stream, PEER_BODY, PEER_ENDED, PEER_HEAD } from './stream.ts';
import { TrailerFields } from './trailer-fields.ts';
import {
  FLAG_ACK,
  FLAG_END_HEADERS,
  FLAG_END_STREAM,
  FLAG_PADDED,
  FLAG_PRIORITY,
  FRAME_CONTINUATION,
  FRAME_DATA,
  FRAME_GOAWAY,
  FRAME_HEADERS,
  FRAME_PING,
  FRAME_PRIORITY,
  FRAME_PUSH_PROMISE,
  FRAME_RST_STREAM,
  FRAME_SETTINGS,
  FRAME_WINDOW_UPDATE,
  H2_REFUSED_STREAM,
  MAX_WINDOW_BYTES,
  PROTOCOL_WINDOW_BYTES,
} from './wire.ts';
import { SessionCore } from './session-core.ts';

/** Entries of one SETTINGS frame; ten are known. */
const MAX_SETTINGS_BYTES = 64 * 6;
/** Debug text of GOAWAY that is passed on. */
const MAX_DEBUG_BYTES = 256;

/**
 * One HTTP/2 connection without sockets: bytes in by `receive`, events out, frames into the output. What both roles
 * have; see {@link ServerSession} and {@link ClientSession}. This half reads frames (RFC 9113 §4–6).
 */
export abstract class Http2Session<U> extends SessionCore<U> implements FrameSink {
  readonly #decoder: HpackDecoder;
  readonly #reader: FrameReader;
  readonly #block: HeaderBlock = new HeaderBlock();
  #trailers: TrailerFields | undefined = undefined;
  /** What came since the peer was last told more of the connection's window. */
  #uncredited = 0;
  /** The DATA frame being read. */
  #dataId = 0;
  #dataStream: Http2Stream<U> | undefined = undefined;
  #dataEnds = false;
  #pumpDue = false;

  protected constructor(
    events: Http2Events<U>,
    output: FrameOutput,
    options: Partial<Http2Options>,
    faults: Readonly<Record<Http2Rule, Http2Fault>>,
    server: boolean,
  ) {
    super(events, output, options, faults);
    this.#decoder = new HpackDecoder(this.options.headerTableBytes);
    this.#reader = new FrameReader(this, server);
  }

  protected stopReading(): void {
    this.#reader.stop();
  }

  /**
   * Takes `chunk[start, end)`, all of it, wherever the peer's frames begin and end. Never throws for what it holds.
   * @param nowMs a clock that does not go back, for the flood budgets
   */
  receive(chunk: Buffer, start: number, end: number, nowMs: number): void {
    this.meter.nowMs = nowMs;
    if (!this.settled) this.meter.startedMs = nowMs;
    this.#reader.read(chunk, start, end);
    if (this.#pumpDue) {
      this.#pumpDue = false;
      this.pump();
    }
  }

  // — the frame reader's door —

  onBadPreface(): void {
    this.fail('preface');
  }

  onBadPadding(): void {
    this.fail('padding');
  }

  onFrameHeader(type: number, flags: number, id: number, length: number): boolean {
    const rule = this.#judgeHeader(type, flags, id, length);
    if (rule !== undefined) {
      this.fail(rule);
      return false;
    }
    switch (type) {
      case FRAME_DATA:
        this.#beginData(id, flags, length);
        return true;
      case FRAME_HEADERS:
      case FRAME_CONTINUATION:
      case FRAME_RST_STREAM:
      case FRAME_SETTINGS:
      case FRAME_PING:
      case FRAME_WINDOW_UPDATE:
      case FRAME_GOAWAY:
        return true;
      case FRAME_PRIORITY:
        if (this.spend(FLOOD_USELESS) && length !== 5)
          this.streamError(id, this.streams.get(id), 'priority-size');
        return length === 5;
      default:
        this.spend(FLOOD_USELESS);
        return false;
    }
  }

  /**
   * Whether the peer owes the rest of something: the preface, a header block, a frame that is not DATA. The owner's
   * clock says how long that may take.
   */
  get awaitsRest(): boolean {
    return this.#block.id !== 0 || this.#reader.waiting;
  }

  /** What a frame header alone tells to be wrong with the connection (RFC 9113 §4.2, §6). */
  #judgeHeader(type: number, flags: number, id: number, length: number): Http2Rule | undefined {
    if (length > this.maxFrameBytes) return 'frame-size';
    if (!this.settled && (type !== FRAME_SETTINGS || (flags & FLAG_ACK) !== 0)) return 'first-frame';
    if (this.#block.id !== 0) {
      if (type !== FRAME_CONTINUATION || id !== this.#block.id) return 'continuation-missing';
      if (
        this.#block.length + length > this.options.maxHeaderBlockBytes ||
        ++this.#block.continuations > this.options.maxContinuations
      )
        return 'header-block-size';
      return undefined;
    }
    switch (type) {
      case FRAME_DATA:
      case FRAME_PRIORITY:
        return id === 0 ? 'frame-stream' : undefined;
      case FRAME_HEADERS:
        if (id === 0) return 'frame-stream';
        return length > this.options.maxHeaderBlockBytes ? 'header-block-size' : undefined;
      case FRAME_RST_STREAM:
        return id === 0 ? 'frame-stream' : length === 4 ? undefined : 'frame-size';
      case FRAME_SETTINGS:
        if (id !== 0) return 'frame-stream';
        if (length % 6 !== 0 || ((flags & FLAG_ACK) !== 0 && length > 0)) return 'frame-size';
        return length > MAX_SETTINGS_BYTES ? 'settings-flood' : undefined;
      case FRAME_PUSH_PROMISE:
        return 'push-promise';
      case FRAME_PING:
        return id !== 0 ? 'frame-stream' : length === 8 ? undefined : 'frame-size';
      case FRAME_GOAWAY:
        return id !== 0 ? 'frame-stream' : length >= 8 ? undefined : 'frame-size';
      case FRAME_WINDOW_UPDATE:
        return length === 4 ? undefined : 'frame-size';
      case FRAME_CONTINUATION:
        return 'continuation-alone';
      default:
        return undefined; // unknown types are ignored (RFC 9113 §5.5)
    }
  }

  #beginData(id: number, flags: number, length: number): void {
    this.#dataId = id;
    this.#dataStream = undefined;
    this.#dataEnds = (flags & FLAG_END_STREAM) !== 0;
    if (length > this.receiveWindow) return this.fail('flow-control');
    this.#credit(length);
    const stream = this.streams.get(id);
    if (stream === undefined) {
      if (this.isIdle(id)) this.fail('stream-idle');
      else if (!this.isForgiven(id)) this.onClosedStream(id);
      return;
    }
    if (stream.peer !== PEER_BODY)
      return this.streamError(id, stream, stream.peer === PEER_HEAD ? 'data-early' : 'stream-closed');
    if (length > stream.receiveWindow) return this.streamError(id, stream, 'stream-flow-control');
    // the frame's header tells it already: not an octet of it is passed on, so that nothing looks whole that is not
    if (stream.expected >= 0 && length > stream.expected && (flags & FLAG_PADDED) === 0)
      return this.streamError(id, stream, 'length-differs');
    stream.receiveWindow -= length;
    this.#dataStream = stream;
  }

  /** The connection's window is opened for what arrives; what is under way is bounded by the streams' own. */
  #credit(bytes: number): void {
    this.receiveWindow -= bytes;
    this.#uncredited += bytes;
    if (this.#uncredited * 2 < this.connectionWindow) return;
    writeWindowUpdate(this.output.writer(), 0, this.#uncredited);
    this.receiveWindow += this.#uncredited;
    this.#uncredited = 0;
  }

  /** The stream of the DATA frame, if it is still the same one. */
  #currentData(): Http2Stream<U> | undefined {
    const stream = this.#dataStream;
    if (stream !== undefined && stream.id === this.#dataId && stream.open) return stream;
    return (this.#dataStream = undefined);
  }

  onDataPadding(bytes: number): void {
    const stream = this.#currentData();
    if (stream !== undefined) this.consume(stream, bytes);
  }

  onDataPiece(chunk: Buffer, start: number, end: number, last: boolean): void {
    if (last) this.meter.contentFrames++;
    const stream = this.#currentData();
    if (stream === undefined) return;
    const id = this.#dataId;
    const size = end - start;
    if (stream.bodiless) return this.streamError(id, stream, 'body-unexpected');
    if (stream.expected >= 0) {
      stream.expected -= size;
      if (stream.expected < 0) return this.streamError(id, stream, 'length-differs');
    }
    const ends = last && this.#dataEnds;
    if (ends) {
      if (stream.expected > 0) return this.streamError(id, stream, 'length-differs');
      stream.peer = PEER_ENDED;
    }
    if (stream.muted) this.consume(stream, size);
    else this.events.onData(stream, chunk, start, end, ends);
    if (ends) this.afterPeerEnd(stream, id);
  }

  onDataEmpty(): void {
    const ends = this.#dataEnds;
    if (!ends && !this.spend(FLOOD_EMPTY_DATA)) return;
    const stream = this.#currentData();
    if (stream !== undefined && ends) this.#endPeer(stream, this.#dataId, undefined);
  }

  #endPeer(stream: Http2Stream<U>, id: number, trailers: FieldTable | undefined): void {
    if (stream.expected > 0) return this.streamError(id, stream, 'length-differs');
    stream.peer = PEER_ENDED;
    if (!stream.muted) this.events.onEnd(stream, trailers);
    this.afterPeerEnd(stream, id);
  }

  onFrame(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    switch (type) {
      case FRAME_HEADERS:
        return this.#onHeaders(flags, id, bytes, start, end);
      case FRAME_CONTINUATION:
        return this.#onContinuation(flags, bytes, start, end);
      case FRAME_WINDOW_UPDATE:
        return this.#onWindowUpdate(id, readUint31(bytes, start));
      case FRAME_RST_STREAM:
        return this.#onReset(id, bytes.readUInt32BE(start));
      case FRAME_SETTINGS:
        return (flags & FLAG_ACK) === 0 ? this.#onSettings(bytes, start, end) : this.#onSettingsAck();
      case FRAME_PING:
        return this.#onPing(flags, bytes, start);
      case FRAME_PRIORITY:
        if (readUint31(bytes, start) === id) this.streamError(id, this.streams.get(id), 'self-dependency');
        return;
      default:
        this.#onGoaway(bytes, start, end);
    }
  }

  #onHeaders(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    let from = start;
    let to = end;
    if ((flags & FLAG_PADDED) !== 0) {
      const padding = from < to ? (bytes[from] as number) : 0;
      from++;
      to -= padding;
      if (from > to) return this.fail('padding');
    }
    let selfDependent = false;
    if ((flags & FLAG_PRIORITY) !== 0) {
      if (to - from < 5) return this.fail('frame-size');
      selfDependent = readUint31(bytes, from) === id;
      from += 5;
    }
    const endStream = (flags & FLAG_END_STREAM) !== 0;
    if ((flags & FLAG_END_HEADERS) !== 0) return this.#onBlock(id, endStream, selfDependent, bytes, from, to);
    this.#block.begin(id, endStream, selfDependent);
    this.#block.append(bytes, from, to);
  }

  #onContinuation(flags: number, bytes: Buffer, start: number, end: number): void {
    const block = this.#block;
    block.append(bytes, start, end);
    if ((flags & FLAG_END_HEADERS) === 0) return;
    const { id, length, bytes: whole } = block;
    block.close();
    this.#onBlock(id, block.endStream, block.selfDependent, whole, 0, length);
  }

  #onBlock(
    id: number,
    endStream: boolean,
    selfDependent: boolean,
    bytes: Buffer,
    start: number,
    end: number,
  ): void {
    this.meter.contentFrames++;
    const stream = this.streams.get(id);
    if (stream === undefined) {
      if (this.isIdle(id)) return this.onNewBlock(id, endStream, selfDependent, bytes, start, end);
      if (!this.decode(bytes, start, end, IGNORED_FIELDS)) return;
      // a peer that has not heard of a reset yet sends a head and trailers, not hundreds
      if (this.isForgiven(id)) this.spend(FLOOD_USELESS);
      else this.onClosedStream(id);
      return;
    }
    if (selfDependent) return this.#badBlock(id, stream, 'self-dependency', bytes, start, end);
    if (stream.peer === PEER_HEAD) return this.onHeadBlock(stream, endStream, bytes, start, end);
    if (stream.peer === PEER_ENDED) return this.#badBlock(id, stream, 'stream-closed', bytes, start, end);
    if (!endStream) return this.#badBlock(id, stream, 'trailers-open', bytes, start, end);
    const trailers = (this.#trailers ??= new TrailerFields(this.options));
    trailers.start();
    if (!this.decode(bytes, start, end, trailers)) return;
    const rule = trailers.finish();
    if (rule !== undefined) this.streamError(id, stream, rule);
    else this.#endPeer(stream, id, trailers.lines);
  }

  #badBlock(
    id: number,
    stream: Http2Stream<U>,
    rule: Http2Rule,
    bytes: Buffer,
    start: number,
    end: number,
  ): void {
    if (this.decode(bytes, start, end, IGNORED_FIELDS)) this.streamError(id, stream, rule);
  }

  /** Decodes a whole block. @returns whether the connection goes on */
  protected decode(bytes: Buffer, start: number, end: number, sink: HpackFieldSink): boolean {
    const fault = this.#decoder.decode(bytes, start, end, sink);
    if (fault === undefined) return true;
    this.fail(fault.rule);
    return false;
  }

  /** A block on a stream that nobody opened yet. */
  protected abstract onNewBlock(
    id: number,
    endStream: boolean,
    selfDependent: boolean,
    bytes: Buffer,
    start: number,
    end: number,
  ): void;

  /** The block of a response. */
  protected abstract onHeadBlock(
    stream: Http2Stream<U>,
    endStream: boolean,
    bytes: Buffer,
    start: number,
    end: number,
  ): void;

  #onWindowUpdate(id: number, increment: number): void {
    if (!this.spend(FLOOD_WINDOW_UPDATE)) return;
    if (id === 0) {
      if (increment === 0) return this.fail('window-zero');
      if (this.sender.window + increment > MAX_WINDOW_BYTES) return this.fail('window-overflow');
      this.sender.window += increment;
      this.#pumpDue = true;
      return;
    }
    const stream = this.streams.get(id);
    if (stream === undefined) {
      if (this.isIdle(id)) this.fail('stream-idle');
      return; // the stream ended meanwhile
    }
    if (increment === 0) return this.streamError(id, stream, 'stream-window-zero');
    if (stream.sendWindow + increment > MAX_WINDOW_BYTES)
      return this.streamError(id, stream, 'stream-flow-control');
    stream.sendWindow += increment;
    this.sender.offer(stream);
    this.#pumpDue = true;
  }

  #onReset(id: number, code: number): void {
    const stream = this.streams.get(id);
    if (stream === undefined) {
      if (this.isIdle(id)) this.fail('stream-idle');
      else this.spend(FLOOD_USELESS);
      return;
    }
    const own = this.isPeerStream(id);
    this.peerResets.add(id);
    this.drop(stream, code, 'peer');
    if (own) this.spend(FLOOD_RESET);
  }

  /** Whether the peer opened the stream. */
  protected abstract isPeerStream(id: number): boolean;

  #onSettings(bytes: Buffer, start: number, end: number): void {
    if (!this.spend(FLOOD_SETTINGS) || !this.hasRoom()) return;
    const peer = this.peerSettings;
    const { windowBytes, maxConcurrentStreams, connectProtocol } = peer;
    const rule = peer.read(bytes, start, end, !this.isPeerStream(1)) ?? this.#applyWindow(windowBytes);
    if (rule !== undefined) return this.fail(rule);
    this.sender.frameBytes = peer.frameBytes;
    if (peer.smallestTableBytes !== Number.POSITIVE_INFINITY) {
      this.encoder.setMaxTableBytes(peer.smallestTableBytes);
      this.encoder.setMaxTableBytes(peer.tableBytes);
    }
    writeSettingsAck(this.output.writer());
    const first = !this.settled;
    this.settled = true;
    if (
      first ||
      maxConcurrentStreams !== peer.maxConcurrentStreams ||
      connectProtocol !== peer.connectProtocol
    )
      this.events.onSettings();
  }

  /** SETTINGS_INITIAL_WINDOW_SIZE moves the window of every open stream, below zero too (RFC 9113 §6.9.2). */
  #applyWindow(before: number): Http2Rule | undefined {
    const delta = this.peerSettings.windowBytes - before;
    if (delta === 0) return undefined;
    for (const stream of this.streams.list()) {
      if (stream.sendWindow + delta > MAX_WINDOW_BYTES) return 'setting-window';
      stream.sendWindow += delta;
      this.sender.offer(stream);
    }
    this.#pumpDue = true;
    return undefined;
  }

  #onSettingsAck(): void {
    if (this.settingsAcked || !this.started) {
      this.spend(FLOOD_SETTINGS);
      return;
    }
    this.settingsAcked = true;
    this.#decoder.acknowledged();
    const less = this.options.streamWindowBytes - PROTOCOL_WINDOW_BYTES;
    if (less < 0) for (const stream of this.streams.list()) stream.receiveWindow += less;
    this.events.onSettingsAck();
  }

  #onPing(flags: number, bytes: Buffer, start: number): void {
    if ((flags & FLAG_ACK) !== 0) {
      if (bytes.readUInt32BE(start) === 0) this.events.onPong(bytes.readUInt32BE(start + 4));
      return;
    }
    if (this.spend(FLOOD_PING) && this.hasRoom()) writePong(this.output.writer(), bytes, start);
  }

  #onGoaway(bytes: Buffer, start: number, end: number): void {
    if (!this.spend(FLOOD_USELESS)) return;
    const last = readUint31(bytes, start);
    const code = bytes.readUInt32BE(start + 4);
    const debug = latin1Slice(bytes, start + 8, Math.min(end, start + 8 + MAX_DEBUG_BYTES));
    this.goawayReceived = true;
    for (const stream of this.streams.list()) {
      if (!stream.open || stream.id <= last || this.isPeerStream(stream.id)) continue;
      this.resets.add(stream.id);
      this.drop(stream, H2_REFUSED_STREAM, 'goaway');
    }
    this.events.onGoaway(last, code, debug.replace(/[^\x20-\x7e]/g, '?'));
  }
}

function readUint31(bytes: Buffer, at: number): number {
  return (
    (((bytes[at] as number) & 0x7f) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  );
}
