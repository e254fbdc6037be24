import type { FieldTable } from '@tulle/fields';
import type { FrameOutput, Http2Events, ResetCause } from './events.ts';
import type { Http2Fault, Http2Rule } from './faults.ts';
import { FLOOD_RULES, FLOOD_STREAM_ERROR, FloodMeter, type FloodKind } from './flood-meter.ts';
import { writeGoaway, writePing, writeReset, writeSettings, writeWindowUpdate } from './frame-writer.ts';
import { HpackEncoder } from './hpack/encoder.ts';
import { DEFAULT_OPTIONS, type Http2Options } from './options.ts';
import { PeerSettings } from './peer-settings.ts';
import { ResetMemory } from './reset-memory.ts';
import { sectionBytes } from './section-bytes.ts';
import { Sender, type SenderHost } from './sender.ts';
import { StreamTable } from './stream-table.ts';
import { Http2Stream, LOCAL_BODY, LOCAL_ENDED, PEER_BODY, PEER_ENDED } from './stream.ts';
import {
  H2_CANCEL,
  H2_REFUSED_STREAM,
  MAX_STREAM_ID,
  PROTOCOL_FRAME_BYTES,
  PROTOCOL_WINDOW_BYTES,
  SETTINGS_HEADER_TABLE_SIZE,
  SETTINGS_INITIAL_WINDOW_SIZE,
  SETTINGS_MAX_FRAME_SIZE,
  SETTINGS_MAX_HEADER_LIST_SIZE,
} from './wire.ts';

/** Stream objects kept for use again. */
const MAX_POOLED = 128;

/**
 * One HTTP/2 connection without sockets: bytes in by `receive`, events out, frames into the output. What both roles
 * have; see {@link ServerSession} and {@link ClientSession}.
 *
 * The owner keeps the clock: it ends the connection when SETTINGS are not acknowledged (`fail('settings-timeout')`),
 * PINGs not answered, streams idle. Nothing here throws for what the peer sends.
 *
 * This half keeps the streams and what leaves; {@link Http2Session} reads what comes.
 */
export abstract class SessionCore<U> implements SenderHost<U> {
  readonly options: Http2Options;
  protected readonly events: Http2Events<U>;
  protected readonly output: FrameOutput;
  protected readonly faults: Readonly<Record<Http2Rule, Http2Fault>>;
  protected readonly meter: FloodMeter;
  /** Open streams by id. */
  readonly streams: StreamTable<U> = new StreamTable<U>();
  protected readonly sender: Sender<U>;
  protected readonly encoder: HpackEncoder;
  protected readonly peerSettings: PeerSettings = new PeerSettings();
  /** The highest stream of the peer's that was taken. */
  protected lastPeerId = 0;
  /** Our GOAWAY with the true last id is written. */
  protected goawayFinal = false;
  protected goawayReceived = false;
  protected settingsAcked = false;
  /** The peer's first SETTINGS came. */
  protected settled = false;
  protected readonly resets: ResetMemory = new ResetMemory();
  /** Streams that the peer reset. */
  protected readonly peerResets: ResetMemory = new ResetMemory();
  readonly #pool: Http2Stream<U>[] = [];
  protected readonly maxFrameBytes: number;
  protected readonly connectionWindow: number;
  #failed = false;
  protected started = false;
  #goawaySent = false;
  /** By how much the windows of all open streams have grown. */
  #grownBytes = 0;
  /** What the peer may still send on the connection. */
  protected receiveWindow: number = PROTOCOL_WINDOW_BYTES;

  protected constructor(
    events: Http2Events<U>,
    output: FrameOutput,
    options: Partial<Http2Options>,
    faults: Readonly<Record<Http2Rule, Http2Fault>>,
  ) {
    this.events = events;
    this.output = output;
    this.options = { ...DEFAULT_OPTIONS, ...options };
    this.faults = faults;
    this.meter = new FloodMeter(this.options);
    this.encoder = new HpackEncoder(this.options.maxEncoderTableBytes);
    this.sender = new Sender<U>(this, output, this.encoder, this.meter, this.options);
    this.maxFrameBytes = Math.max(this.options.maxFrameBytes, PROTOCOL_FRAME_BYTES);
    this.connectionWindow = Math.max(this.options.connectionWindowBytes, PROTOCOL_WINDOW_BYTES);
  }

  /** Streams that have not ended, of either side. */
  get openStreams(): number {
    return this.streams.size;
  }

  /** After `onFault` or `abort`: nothing is read or written any more. */
  get failed(): boolean {
    return this.#failed;
  }

  /** The peer takes extended CONNECT (RFC 8441 §3). */
  get peerConnectProtocol(): boolean {
    return this.peerSettings.connectProtocol;
  }

  /** Writes the preface (client), SETTINGS and the connection's window. Once, before all else. */
  start(): void {
    if (this.started) return;
    this.started = true;
    const { options } = this;
    const settings = this.roleSettings();
    if (options.headerTableBytes !== 4096)
      settings.push(SETTINGS_HEADER_TABLE_SIZE, options.headerTableBytes);
    settings.push(SETTINGS_INITIAL_WINDOW_SIZE, options.streamWindowBytes);
    if (this.maxFrameBytes !== PROTOCOL_FRAME_BYTES)
      settings.push(SETTINGS_MAX_FRAME_SIZE, this.maxFrameBytes);
    settings.push(SETTINGS_MAX_HEADER_LIST_SIZE, options.maxHeadBytes);
    const out = this.output.writer();
    writeSettings(out, settings);
    const more = this.connectionWindow - this.receiveWindow;
    if (more > 0) {
      writeWindowUpdate(out, 0, more);
      this.receiveWindow += more;
    }
  }

  protected abstract stopReading(): void;

  /** What the role adds to SETTINGS, and writes before them. */
  protected abstract roleSettings(): number[];

  /** The peer half-closed: streams whose side of the peer is open get `onReset`, the others may still be answered. */
  peerEnded(): void {
    this.stopReading();
    this.goawayReceived = true;
    for (const stream of this.streams.list())
      if (stream.open && stream.peer !== PEER_ENDED) this.drop(stream, H2_CANCEL, 'connection');
  }

  /** The connection is gone: every stream gets `onReset(stream, code, 'connection')`. Writes nothing. */
  abort(code: number = H2_CANCEL): void {
    this.#failed = true;
    this.stopReading();
    for (const stream of this.streams.list()) if (stream.open) this.drop(stream, code, 'connection');
  }

  /** Ends the connection: GOAWAY with the rule's code and name, `onFault`, then as `abort`. The owner's own reason is `settings-timeout`. */
  fail(rule: Http2Rule): void {
    if (this.#failed) return;
    this.#failed = true;
    this.stopReading();
    const fault = this.faults[rule];
    writeGoaway(this.output.writer(), this.lastPeerId, fault.h2Code, rule);
    this.events.onFault(fault);
    this.abort(fault.h2Code);
  }

  // — sending —

  /**
   * Sends a piece of body, or queues what windows and output do not take.
   * @param owned whether `chunk` may be kept
   * @param endStream this is the last piece, as `writeEnd(stream, undefined)` after it
   * @returns whether `chunk` is kept: then nobody may overwrite it (decision D1)
   */
  writeData(
    stream: Http2Stream<U>,
    chunk: Buffer,
    start: number,
    end: number,
    owned: boolean,
    endStream = false,
  ): boolean {
    if (!stream.open || stream.local !== LOCAL_BODY || this.#failed) return false;
    if (start >= end) {
      if (endStream) this.sender.end(stream, undefined);
      return false;
    }
    return this.sender.data(stream, chunk, start, end, owned, endStream);
  }

  /**
   * Ends our side: END_STREAM on the stream's last frame, while that is the last one in the writer, else on an empty DATA
   * frame, or on the trailers. Fields that may not be trailers are left out. `trailers` is copied when it has to wait.
   */
  writeEnd(stream: Http2Stream<U>, trailers: FieldTable | undefined): void {
    if (!stream.open || stream.local !== LOCAL_BODY || this.#failed) return;
    this.sender.end(stream, trailers);
  }

  /** `bytes` of `onData` were passed on: the stream's window opens again. */
  consume(stream: Http2Stream<U>, bytes: number): void {
    if (!stream.open || stream.peer !== PEER_BODY) return;
    stream.consumed += bytes;
    if (stream.consumed * 2 < stream.windowBytes || this.#failed) return;
    const more = stream.consumed + this.#grow(stream);
    writeWindowUpdate(this.output.writer(), stream.id, more);
    stream.receiveWindow += more;
    stream.consumed = 0;
  }

  /** Doubles the window of a stream that is in motion, as far as the bounds let it. @returns by how much */
  #grow(stream: Http2Stream<U>): number {
    const { maxStreamWindowBytes, maxWindowGrowthBytes } = this.options;
    const { windowBytes } = stream;
    if (windowBytes >= maxStreamWindowBytes) return 0;
    const by = Math.min(
      windowBytes,
      maxStreamWindowBytes - windowBytes,
      maxWindowGrowthBytes - this.#grownBytes,
    );
    stream.windowBytes += by;
    this.#grownBytes += by;
    return by;
  }

  /** Ends the stream: RST_STREAM. No event follows. */
  reset(stream: Http2Stream<U>, code: number): void {
    if (!stream.open) return;
    if (stream.local === LOCAL_ENDED) this.meter.ended++; // a whole answer, and a request that may stop
    if (!this.#failed) this.#writeReset(stream.id, code);
    this.remove(stream);
    this.#release(stream);
  }

  /** The output has room again: goes on with what is queued, a frame of each stream in turn. */
  pump(): void {
    if (!this.#failed) this.sender.pump();
  }

  /**
   * Announces the end. `graceful`: last id 2^31-1, what the peer opened meanwhile is still served; `finishGoaway` says
   * the true last id a round trip later (RFC 9113 §6.8). Else at once. New streams after that are refused.
   */
  goaway(code: number, graceful: boolean): void {
    if (this.#failed || this.goawayFinal) return;
    if (graceful) {
      if (!this.#goawaySent) writeGoaway(this.output.writer(), MAX_STREAM_ID, code, '');
      this.#goawaySent = true;
      return;
    }
    this.#goawaySent = true;
    this.goawayFinal = true;
    writeGoaway(this.output.writer(), this.lastPeerId, code, '');
  }

  /** Second GOAWAY, with the id of the last stream that was taken. Nothing when it was sent already, or no first one. */
  finishGoaway(): void {
    if (this.#goawaySent) this.goaway(0, false);
  }

  /** Whether GOAWAY was sent, graceful or not. */
  get goawaySent(): boolean {
    return this.#goawaySent;
  }

  /** Sends PING. @param token 0..2^32-1, comes back by `onPong` */
  ping(token: number): void {
    if (!this.#failed) writePing(this.output.writer(), token);
  }

  /**
   * Whether the peer takes a head of these fields (RFC 9113 §6.5.2). That is advice, and what a peer does with a larger one is
   * its own affair: some end the connection, with all of its streams.
   * @param more what the head counts beside them
   */
  takesHead(fields: FieldTable, more = 0): boolean {
    const { maxHeadBytes } = this.peerSettings;
    return maxHeadBytes === Number.POSITIVE_INFINITY || sectionBytes(fields) + more <= maxHeadBytes;
  }

  /** Room for a frame that no window bounds. @returns whether the connection goes on */
  protected hasRoom(): boolean {
    if (this.output.queuedBytes <= this.options.maxOutputBytes) return true;
    this.fail('unread-replies');
    return false;
  }

  // — streams —

  /** A stream object with its windows, in the table. */
  protected take(id: number): Http2Stream<U> {
    const stream = this.#pool.pop() ?? new Http2Stream<U>();
    stream.id = id;
    stream.open = true;
    stream.sendWindow = this.peerSettings.windowBytes;
    stream.windowBytes = this.options.streamWindowBytes;
    // a smaller window of ours holds from the acknowledgement on; until then the peer counts on the protocol's
    stream.receiveWindow = this.settingsAcked
      ? this.options.streamWindowBytes
      : Math.max(this.options.streamWindowBytes, PROTOCOL_WINDOW_BYTES);
    this.streams.add(stream);
    this.meter.opened++;
    return stream;
  }

  /** Out of the table and the ring; events and `#release` follow. */
  protected remove(stream: Http2Stream<U>): void {
    stream.open = false;
    this.#grownBytes -= stream.windowBytes - this.options.streamWindowBytes;
    this.streams.remove(stream);
    this.sender.forget(stream);
  }

  #release(stream: Http2Stream<U>): void {
    stream.clear();
    if (this.#pool.length < MAX_POOLED) this.#pool.push(stream);
  }

  protected drop(stream: Http2Stream<U>, code: number, cause: ResetCause): void {
    this.remove(stream);
    this.events.onReset(stream, code, cause);
    this.#release(stream);
  }

  /** A stream that its owner never heard of goes back. */
  protected discard(stream: Http2Stream<U>): void {
    this.remove(stream);
    this.#release(stream);
  }

  #writeReset(id: number, code: number): void {
    this.resets.add(id);
    if (this.hasRoom()) writeReset(this.output.writer(), id, code);
  }

  /** A stream that was not taken. */
  protected refuse(id: number): void {
    this.#writeReset(id, H2_REFUSED_STREAM);
  }

  onLocalEnd(stream: Http2Stream<U>): void {
    if (stream.peer === PEER_ENDED) this.#close(stream);
  }

  onWritable(stream: Http2Stream<U>): void {
    this.events.onDrain(stream);
  }

  #close(stream: Http2Stream<U>): void {
    this.meter.ended++;
    this.remove(stream);
    this.events.onClosed(stream);
    this.#release(stream);
  }

  /** After the event that told the end of the peer's side; it may have ended the stream. */
  protected afterPeerEnd(stream: Http2Stream<U>, id: number): void {
    if (stream.id === id && stream.open && stream.local === LOCAL_ENDED) this.#close(stream);
  }

  protected streamError(id: number, stream: Http2Stream<U> | undefined, rule: Http2Rule): void {
    const fault = this.faults[rule];
    this.#writeReset(id, fault.h2Code);
    if (this.#failed) return;
    this.events.onStreamFault(id, fault);
    if (stream !== undefined && stream.id === id && stream.open) this.drop(stream, fault.h2Code, 'protocol');
    this.spend(FLOOD_STREAM_ERROR);
  }

  /** Takes a token. @returns whether the connection goes on */
  protected spend(kind: FloodKind): boolean {
    if (this.meter.take(kind)) return true;
    this.fail(FLOOD_RULES[kind]);
    return false;
  }

  /** Whether the id belongs to a stream that was never opened. */
  protected abstract isIdle(id: number): boolean;

  /** Whether frames on that closed stream are let pass: the peer had not heard of its end. */
  protected isForgiven(id: number): boolean {
    return this.resets.has(id);
  }

  /** HEADERS or DATA came on a stream that is over, and not by us (RFC 9113 §5.1). */
  protected onClosedStream(id: number): void {
    if (this.peerResets.has(id)) this.streamError(id, undefined, 'stream-closed');
    else this.fail('stream-over');
  }
}
