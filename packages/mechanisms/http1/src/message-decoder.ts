import {
  FIELD_EXPECT,
  FIELD_HOST,
  FieldTable,
  findName,
  LAST_FORBIDDEN_TRAILER,
  nameIdOf,
  nameOf,
  TOKEN_LOWER,
} from '@tulle/fields';
import { ChunkSizeReader } from './chunk-size.ts';
import type { Http1Fault, Http1Rule } from './faults.ts';
import { FramingReader } from './framing-fields.ts';
import { BODY_CHUNKED, BODY_CLOSE, BODY_LENGTH } from './head-flags.ts';
import { NO_NAMES, type MessageHead } from './heads.ts';
import { DEFAULT_LIMITS, type Http1Limits } from './limits.ts';
import { findColon, hasLineEnd, skipValue } from './scan.ts';
import type { MessageSink } from './sinks.ts';

/** Nothing is expected (responses only). */
const IDLE = 0;
/** Before the first byte of a message. */
const START = 1;
/** After the CR of an empty line before a request (RFC 9112 §2.2 lets one pass). */
const START_LF = 2;
const HEAD = 3;
const LENGTH = 4;
const CLOSE = 5;
const CHUNK_SIZE = 6;
const CHUNK_DATA = 7;
const CHUNK_DATA_CR = 8;
const CHUNK_DATA_LF = 9;
const TRAILERS = 10;
/** Whole, but not told yet because the sink paused. */
const COMPLETE = 11;
const TUNNEL = 12;
const FAILED = 13;
/** The peer closed, and that was the end of the message. */
const ENDED = 14;

/** Scanners return a position, or one of these. */
export const MORE = -1;
export const FAULT = -2;

/** Bytes copied at a time into the block of a head, so that a long body behind it is not copied along. */
const PIECE_BYTES = 1000;

/** Where a decoder stands, for timeouts and shutdown. */
export type DecoderPhase = 'idle' | 'head' | 'body' | 'tunnel' | 'failed';

/**
 * What request and response decoders share: heads and trailers out of any split of the bytes, bodies passed on
 * without copying, limits, pausing. A head is copied into the block of its field table and parsed there, whether it came
 * whole or in pieces; every byte is looked at a bounded number of times.
 */
export abstract class MessageDecoder {
  protected readonly limits: Http1Limits;
  /** Table that the current block (head or trailer section) fills. */
  protected table: FieldTable;
  /** What the framing fields of the head under way say. */
  protected readonly framing: FramingReader = new FramingReader();

  readonly #sink: MessageSink;
  readonly #faults: Readonly<Record<Http1Rule, Http1Fault>>;
  readonly #chunkSize: ChunkSizeReader = new ChunkSizeReader();
  #trailers: FieldTable | undefined = undefined;
  #state: number;
  /** State between messages. */
  readonly #restState: number;
  #paused = false;
  #inTrailers = false;
  #startLineDone = false;
  #emptyLineSkipped = false;
  /** Start of the first line not parsed yet, from the start of the block. */
  #lineAt = 0;
  /** Bytes of the body or of the chunk still to come. */
  #remaining = 0;
  /** Body bytes as transmitted before `#mark`. */
  #bodyBase = 0;
  #mark = 0;
  #faultRule: Http1Rule = 'request-line';
  #faultOffset = 0;

  /** @param idle whether a message must be expected before its bytes may come */
  protected constructor(
    sink: MessageSink,
    faults: Readonly<Record<Http1Rule, Http1Fault>>,
    limits: Partial<Http1Limits>,
    table: FieldTable,
    idle: boolean,
  ) {
    this.#sink = sink;
    this.#faults = faults;
    this.limits = Object.freeze({ ...DEFAULT_LIMITS, ...limits });
    this.table = table;
    this.#restState = idle ? IDLE : START;
    this.#state = this.#restState;
  }

  /** Where the decoder stands. `idle`: between messages. */
  get phase(): DecoderPhase {
    const state = this.#state;
    if (state === IDLE || state === START || state === ENDED) return 'idle';
    if (state === START_LF || state === HEAD) return 'head';
    if (state === TUNNEL) return 'tunnel';
    return state === FAILED ? 'failed' : 'body';
  }

  /** Makes `execute` return after the sink method that is running; the rest of the chunk stays with the caller. */
  pause(): void {
    this.#paused = true;
  }

  /** Undoes {@link pause}; call `execute` again with the bytes that were not taken (none is fine). */
  resume(): void {
    this.#paused = false;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /**
   * Takes bytes. Stops at the end of a message, when paused, after a fault, and where a tunnel begins.
   * @returns how many bytes were taken; the caller keeps the rest for the next call
   */
  execute(chunk: Buffer, start = 0, end: number = chunk.length): number {
    this.#mark = start;
    const stop = this.#run(chunk, start, end);
    this.#bodyBase += stop - this.#mark;
    return stop - start;
  }

  #run(chunk: Buffer, start: number, end: number): number {
    let pos = start;
    while (!this.#paused) {
      switch (this.#state) {
        case START:
          if (pos >= end) return pos;
          if (chunk[pos] === 13 && this.skipsEmptyLine && !this.#emptyLineSkipped) {
            this.#emptyLineSkipped = true;
            this.#state = START_LF;
            pos++;
            continue;
          }
          this.#beginHead();
          this.#state = HEAD;
          continue;
        case START_LF:
          if (pos >= end) return pos;
          if (chunk[pos] !== 10) return this.#report('line-end', 1, pos);
          this.#state = START;
          pos++;
          continue;
        case HEAD:
          pos = this.#readBlock(chunk, pos, end);
          if (this.#state === HEAD || this.#state === TUNNEL) return pos;
          continue;
        case LENGTH:
        case CHUNK_DATA: {
          if (pos >= end) return pos;
          const take = Math.min(this.#remaining, end - pos);
          this.#remaining -= take;
          if (this.#remaining === 0) this.#state = this.#state === LENGTH ? COMPLETE : CHUNK_DATA_CR;
          this.#sink.onData(chunk, pos, pos + take);
          pos += take;
          continue;
        }
        case CLOSE:
        case TUNNEL:
          if (pos < end) this.#sink.onData(chunk, pos, end);
          return end;
        case CHUNK_SIZE: {
          if (pos >= end) return pos;
          const next = this.#chunkSize.read(chunk, pos, end, this.limits.maxChunkExtensionBytes);
          if (next === MORE) return end;
          if (next < 0)
            return this.#report(this.#chunkSize.fault, this.#offset(this.#chunkSize.faultAt), pos);
          pos = next;
          this.#remaining = this.#chunkSize.size;
          if (this.#remaining > 0) this.#state = CHUNK_DATA;
          else this.#beginTrailers();
          continue;
        }
        case CHUNK_DATA_CR:
          if (pos >= end) return pos;
          if (chunk[pos] !== 13) return this.#report('chunk-end', this.#offset(pos), pos);
          this.#state = CHUNK_DATA_LF;
          pos++;
          continue;
        case CHUNK_DATA_LF:
          if (pos >= end) return pos;
          if (chunk[pos] !== 10) return this.#report('chunk-end', this.#offset(pos), pos);
          this.#state = CHUNK_SIZE;
          this.#chunkSize.begin();
          pos++;
          continue;
        case TRAILERS:
          pos = this.#readBlock(chunk, pos, end);
          if (this.#state === TRAILERS) return pos;
          continue;
        case COMPLETE:
          this.#state = this.#restState;
          this.#emptyLineSkipped = false;
          this.#sink.onComplete();
          return pos;
        case IDLE:
          return pos >= end ? pos : this.#report('response-unasked', 0, pos);
        default:
          return pos;
      }
    }
    return pos;
  }

  /**
   * The peer will send nothing more. Completes a close-delimited body or a tunnel; between messages nothing happens,
   * nor when the end of a message waits for `resume` (then `execute` tells it); anywhere else the message is truncated.
   */
  finish(): void {
    switch (this.#state) {
      case CLOSE:
      case TUNNEL:
        this.#state = ENDED;
        this.#sink.onComplete();
        return;
      case COMPLETE:
      case IDLE:
      case FAILED:
      case ENDED:
        return;
      case START:
        if (!this.awaitsMessage) return;
        break;
      default:
    }
    this.#report('truncated', this.#state === HEAD ? this.table.blockLength : this.#bodyBase, 0);
  }

  // — the roles fill these in —

  /** Whether one empty line before a message is skipped. */
  protected abstract readonly skipsEmptyLine: boolean;
  /** Whether an end of input before the first byte is a truncated message. */
  protected abstract readonly awaitsMessage: boolean;
  /** Longest start line, and the rule that a longer one breaks. */
  protected abstract readonly startLineLimit: number;
  protected abstract readonly startLineRule: Http1Rule;
  /** Resets and returns the head that the next message fills. */
  protected abstract takeHead(): MessageHead;
  /** Parses the start line of the block at `pos`. @returns the position after it, MORE or FAULT */
  protected abstract readStartLine(bytes: Buffer, pos: number, end: number): number;
  /** Looks at a line of the role's own framing fields (Host, Expect). */
  protected abstract readRoleField(
    id: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): Http1Rule | undefined;
  /** Decides the framing and tells the sink, by `deliver`. @returns the rule that the head as a whole breaks */
  protected abstract finishHead(): Http1Rule | undefined;

  /** Remembers a fault. @returns FAULT */
  protected fail(rule: Http1Rule, offset: number): number {
    this.#faultRule = rule;
    this.#faultOffset = offset;
    return FAULT;
  }

  /** Goes on to the body of `head`. */
  protected toBody(head: MessageHead): void {
    switch (head.bodyKind) {
      case BODY_LENGTH:
        this.#remaining = head.contentLength;
        this.#state = head.contentLength === 0 ? COMPLETE : LENGTH;
        return;
      case BODY_CHUNKED:
        this.#chunkSize.begin();
        this.#chunkSize.extensionBytes = 0;
        this.#state = CHUNK_SIZE;
        return;
      case BODY_CLOSE:
        this.#state = CLOSE;
        return;
      default:
        this.#state = COMPLETE;
    }
  }

  /** Everything that follows is opaque. */
  protected toTunnel(): void {
    this.#state = TUNNEL;
  }

  /** Another head follows (after an interim response, or a new expectation). */
  protected toStart(): void {
    this.#state = START;
  }

  #offset(pos: number): number {
    return this.#bodyBase + pos - this.#mark;
  }

  #report(rule: Http1Rule, offset: number, pos: number): number {
    this.#state = FAILED;
    this.#sink.onFault(this.#faults[rule], offset);
    return pos;
  }

  #beginHead(): void {
    const head = this.takeHead();
    this.table = head.fields;
    if (head.connectionNames === NO_NAMES) head.connectionNames = [];
    this.framing.begin(head.connectionNames);
    this.#inTrailers = false;
    this.#startLineDone = false;
    this.#lineAt = 0;
  }

  #beginTrailers(): void {
    this.#trailers ??= new FieldTable();
    this.#trailers.reset();
    this.table = this.#trailers;
    this.#inTrailers = true;
    this.#startLineDone = true;
    this.#lineAt = 0;
    this.#state = TRAILERS;
  }

  #readBlock(chunk: Buffer, pos: number, end: number): number {
    const table = this.table;
    while (pos < end) {
      const before = table.blockLength;
      const piece = Math.min(end, pos + PIECE_BYTES);
      table.appendBlock(chunk, pos, piece);
      const size = table.blockLength;
      // of a line that began in an earlier piece, only the new bytes are searched for its end
      const next =
        this.#lineAt < before && !hasLineEnd(table.block, before, size)
          ? MORE
          : this.#scan(this.#lineAt, size);
      if (next === FAULT || this.#exceeds(next < 0 ? size : next))
        return this.#report(this.#faultRule, this.#faultOffset, pos);
      if (next >= 0) {
        table.truncateBlock(next);
        return this.#blockDone(pos + next - before);
      }
      pos = piece;
    }
    return pos;
  }

  /** Checks the size of the block so far. */
  #exceeds(size: number): boolean {
    if (this.#inTrailers) {
      if (size <= this.limits.maxTrailerBytes) return false;
      this.fail('trailer-size', size);
      return true;
    }
    if (!this.#startLineDone && size > this.startLineLimit) {
      this.fail(this.startLineRule, size);
      return true;
    }
    if (size <= this.limits.maxHeadBytes) return false;
    this.fail('head-size', size);
    return true;
  }

  #blockDone(pos: number): number {
    if (this.#inTrailers) {
      this.#state = COMPLETE;
      if (this.table.length > 0) this.#sink.onTrailers(this.table);
      return pos;
    }
    this.#bodyBase = 0;
    this.#mark = pos;
    const rule = this.finishHead();
    return rule === undefined ? pos : this.#report(rule, this.table.blockLength, pos);
  }

  /** Parses lines of the block from `pos`. @returns the position after the empty line, MORE or FAULT */
  #scan(pos: number, end: number): number {
    const table = this.table;
    const bytes = table.block;
    if (!this.#startLineDone) {
      const next = this.readStartLine(bytes, pos, end);
      if (next < 0) return next;
      this.#startLineDone = true;
      this.#lineAt = next;
      pos = next;
    }
    const view = table.blockView;
    const maxLines = this.#inTrailers ? this.limits.maxTrailers : this.limits.maxHeaders;
    while (pos < end) {
      const lineStart = pos;
      let octet = bytes[pos] as number;
      if (octet === 13) {
        if (pos + 1 >= end) return MORE;
        return bytes[pos + 1] === 10 ? pos + 2 : this.fail('line-end', pos);
      }
      const nameEnd = findColon(bytes, view, pos, end);
      if (nameEnd < 0) return this.#nameFault(bytes, lineStart, end);
      const handle = nameEnd === lineStart ? -1 : findName(bytes, view, lineStart, nameEnd);
      if (handle < 0) return this.#nameFault(bytes, lineStart, end);
      pos = nameEnd + 1;
      while (pos < end && ((octet = bytes[pos] as number) === 32 || octet === 9)) pos++;
      const valueStart = pos;
      pos = skipValue(bytes, view, pos, end);
      if (pos >= end) return MORE;
      if (bytes[pos] !== 13) return this.fail(bytes[pos] === 10 ? 'line-end' : 'field-value', pos);
      if (pos + 1 >= end) return MORE;
      if (bytes[pos + 1] !== 10) return this.fail('line-end', pos);
      let valueEnd = pos;
      while (valueEnd > valueStart && ((octet = bytes[valueEnd - 1] as number) === 32 || octet === 9))
        valueEnd--;
      if (table.length >= maxLines)
        return this.fail(this.#inTrailers ? 'trailer-size' : 'head-lines', lineStart);
      const id = nameIdOf(handle);
      if (id !== 0) {
        const rule = this.#inTrailers
          ? id <= LAST_FORBIDDEN_TRAILER
            ? 'trailer-field'
            : undefined
          : id <= FIELD_EXPECT
            ? this.#readFraming(id, bytes, valueStart, valueEnd)
            : undefined;
        if (rule !== undefined) return this.fail(rule, lineStart);
      }
      table.push(id, nameOf(handle), lineStart, nameEnd, valueStart, valueEnd);
      pos += 2;
      this.#lineAt = pos;
    }
    return MORE;
  }

  /** What is wrong with a line whose name has not been accepted; MORE when nothing is so far. */
  #nameFault(bytes: Buffer, lineStart: number, end: number): number {
    let at = lineStart;
    while (at < end && TOKEN_LOWER[bytes[at] as number] !== 0) at++;
    if (at === end) return MORE;
    const octet = bytes[at] as number;
    if (octet === 10) return this.fail('line-end', at);
    if (octet !== 32 && octet !== 9) return this.fail('field-name', at);
    return this.fail(at === lineStart ? 'obs-fold' : 'field-name-space', at);
  }

  #readFraming(id: number, bytes: Buffer, start: number, end: number): Http1Rule | undefined {
    return id === FIELD_HOST || id === FIELD_EXPECT
      ? this.readRoleField(id, bytes, start, end)
      : this.framing.read(id, bytes, start, end, this.table.length);
  }
}
