import { TulleError, type MutableHeaders } from '@tulle/filter';
import type { ByteWriter } from './byte-writer.ts';
import { FIELD_HOST, FIELD_TRAILER, KNOWN_NAMES, knownNameId, LAST_FRAMING } from './known-names.ts';
import { latin1Slice } from './latin1.ts';
import { findInvalidName, findInvalidValue, trimBlanks } from './octets.ts';

/** What is kept of a line: its name, its value (undefined: not decoded yet), its known-name number. */
const STRIDE = 3;
const VALUE = 1;
/** `~id` where the sender forbade to index the line. */
const ID = 2;
/** Integers kept of a line that stands in the block: where name and value do; -1 when they are strings of their own. */
const SPAN_STRIDE = 4;
const NAME_END = 1;
const VALUE_START = 2;
const VALUE_END = 3;

/** Lines that a table's room grows by while it is small: a head has from four to twelve, and an idle stream keeps two tables. */
const LINES_MORE = 4;
/** Most lines that edits may reach. Parsers have their own, lower limit; this one stops a filter that appends in a loop. */
const MAX_LINES = 1024;
/** A block up to this many bytes is decoded whole, once; in larger ones each value is decoded alone, so that one kept value does not keep it all. */
const MAX_WHOLE_DECODE_BYTES = 4096;
/** After a block larger than this, `reset` lets the storage go, so that one large head does not stay with a pooled stream. */
const MAX_KEPT_BLOCK_BYTES = 8192;

/** Bytes beyond the block that a parser may read as part of a word. */
const SLACK_BYTES = 8;
/** First size of the storage: a usual head. */
const INITIAL_BLOCK_BYTES = 1024;

const EMPTY: Buffer = Buffer.alloc(0);
const EMPTY_VIEW: DataView = new DataView(new ArrayBuffer(0));
const EMPTY_SPANS: Int32Array = new Int32Array(0);
/** Shared: never written, since a line needs room first. */
const EMPTY_LINES: Part[] = [];

type Part = string | number | undefined;

/**
 * The table of field lines behind `Headers` and `MutableHeaders` (decision D12): one array of their parts with its own
 * length, reused by {@link reset}; names interned in lower case with the original spelling kept; values latin1
 * strings, decoded when first read; repeated fields never joined.
 *
 * A parser hands over the bytes of a head once ({@link appendBlock}) and then says where names and values stand
 * ({@link push}). Lines that nobody edited are written out again as the bytes they came in as.
 *
 * `set`, `append` and `remove` are the filter's door: validated, and closed for `host` (the authority decides) and for
 * the framing fields. `put` and `add` are the engine's: validated too, but open for those names.
 */
export class FieldTable implements MutableHeaders {
  #length = 0;
  /** Made with the first line: many tables, those of trailers above all, never get one. */
  #lines: Part[] = EMPTY_LINES;
  /** Made with the first line that stands in the block: those of HTTP/2 never do, and a typed array is dear. */
  #spans: Int32Array = EMPTY_SPANS;
  #block: Buffer = EMPTY;
  #view: DataView = EMPTY_VIEW;
  #blockLength = 0;
  #text: string | undefined = undefined;

  get length(): number {
    return this.#length;
  }

  name(index: number): string {
    return index < this.#length ? (this.#lines[index * STRIDE] as string) : outside(index, this.#length);
  }

  /** Known-name number of line `index` (`FIELD_HOST`, …), 0 for other names. */
  id(index: number): number {
    return index < this.#length ? this.#idAt(index * STRIDE) : 0;
  }

  #idAt(at: number): number {
    const id = this.#lines[at + ID] as number;
    return id < 0 ? ~id : id;
  }

  rawName(index: number): string {
    if (index >= this.#length) return outside(index, this.#length);
    const at = index * SPAN_STRIDE;
    const start = at < this.#spans.length ? (this.#spans[at] as number) : -1;
    return start < 0
      ? (this.#lines[index * STRIDE] as string)
      : this.blockText(start, this.#spans[at + NAME_END] as number);
  }

  value(index: number): string {
    if (index >= this.#length) return outside(index, this.#length);
    const value = this.#lines[index * STRIDE + VALUE] as string | undefined;
    return value === undefined ? this.#decode(index) : value;
  }

  #decode(index: number): string {
    const at = index * SPAN_STRIDE;
    const value = this.blockText(
      this.#spans[at + VALUE_START] as number,
      this.#spans[at + VALUE_END] as number,
    );
    this.#lines[index * STRIDE + VALUE] = value;
    return value;
  }

  get(name: string): string | undefined {
    const lines = this.#lines;
    for (let i = 0; i < this.#length; i++) if (lines[i * STRIDE] === name) return this.value(i);
    return undefined;
  }

  getAll(name: string): string[] {
    const values: string[] = [];
    for (let i = 0; i < this.#length; i++) if (this.#lines[i * STRIDE] === name) values.push(this.value(i));
    return values;
  }

  has(name: string): boolean {
    const lines = this.#lines;
    for (let i = 0; i < this.#length; i++) if (lines[i * STRIDE] === name) return true;
    return false;
  }

  forEach(fn: (name: string, value: string) => void): void {
    for (let i = 0; i < this.#length; i++) fn(this.#lines[i * STRIDE] as string, this.value(i));
  }

  /** Index of the first line with the known-name number `id` at or after `from`, -1 when there is none. */
  indexOfId(id: number, from = 0): number {
    for (let i = from; i < this.#length; i++) if (this.#idAt(i * STRIDE) === id) return i;
    return -1;
  }

  set(name: string, value: string): void {
    refuseEngineField(name);
    this.put(name, value);
  }

  append(name: string, value: string): void {
    refuseEngineField(name);
    this.add(name, value);
  }

  remove(name: string): number {
    refuseEngineField(name);
    return this.drop(name);
  }

  /** Engine's door: replaces every line of `name` by one, framing fields too. @throws TulleError `TULLE_HEADER_INVALID` */
  put(name: string, value: string): void {
    const checked = checkValue(name, value);
    for (let i = 0; i < this.#length; i++) {
      if (this.#lines[i * STRIDE] !== name) continue;
      this.#lines[i * STRIDE + VALUE] = checked;
      if (this.#spans.length > 0) this.#spans[i * SPAN_STRIDE + VALUE_START] = -1;
      this.#dropFrom(name, i + 1);
      return;
    }
    this.#addChecked(name, checked);
  }

  /** Engine's door: adds a line, framing fields too. @throws TulleError `TULLE_HEADER_INVALID` */
  add(name: string, value: string): void {
    this.#addChecked(name, checkValue(name, value));
  }

  /** Engine's door: removes every line of `name`, framing fields too; returns how many there were. */
  drop(name: string): number {
    return this.#dropFrom(name, 0);
  }

  /** Removes every line with a known-name number in `first..last`; returns how many there were. One pass. */
  dropIds(first: number, last: number): number {
    let kept = 0;
    for (let i = 0; i < this.#length; i++) {
      const id = this.#idAt(i * STRIDE);
      if (id >= first && id <= last) continue;
      if (kept !== i) this.#move(i, kept);
      kept++;
    }
    return this.#truncate(kept);
  }

  #dropFrom(name: string, from: number): number {
    let kept = from;
    for (let i = from; i < this.#length; i++) {
      if (this.#lines[i * STRIDE] === name) continue;
      if (kept !== i) this.#move(i, kept);
      kept++;
    }
    return this.#truncate(kept);
  }

  #move(from: number, to: number): void {
    const lines = this.#lines;
    for (let i = 0; i < STRIDE; i++) lines[to * STRIDE + i] = lines[from * STRIDE + i];
    const spans = this.#spans;
    if (spans.length === 0) return;
    for (let i = 0; i < SPAN_STRIDE; i++)
      spans[to * SPAN_STRIDE + i] = spans[from * SPAN_STRIDE + i] as number;
  }

  #truncate(length: number): number {
    const removed = this.#length - length;
    for (let i = length; i < this.#length; i++) this.#lines[i * STRIDE + VALUE] = undefined;
    this.#length = length;
    return removed;
  }

  #addChecked(name: string, value: string): void {
    const id = knownNameId(name);
    if (id === 0) checkName(name);
    const index = this.#length;
    if (index >= MAX_LINES) {
      throw new TulleError(
        'TULLE_HEADER_INVALID',
        `Field "${printable(name)}" would be line ${index + 1}: a message may have ${MAX_LINES}. Is a filter appending in a loop?`,
      );
    }
    this.pushValue(id, name, value);
  }

  #growLines(): void {
    const before = this.#lines;
    const lines = before.length / STRIDE;
    // of exactly this size: an array that `push` grows begins with room for 17
    const next = Array.from<Part>({
      length: STRIDE * (lines + Math.max(LINES_MORE, lines >>> 1)),
    });
    for (let i = 0; i < before.length; i++) next[i] = before[i];
    this.#lines = next;
  }

  /** Room for the spans of all lines that there is room for; those that have none stand in no block. */
  #growSpans(): void {
    const next = new Int32Array((this.#lines.length / STRIDE) * SPAN_STRIDE).fill(-1);
    next.set(this.#spans);
    this.#spans = next;
  }

  // — the parser's door: what is pushed was validated by the parser —

  /** The bytes that {@link push} points into; owned by the table, valid until `reset`. */
  get block(): Buffer {
    return this.#block;
  }

  /** The same memory; a few bytes beyond `blockLength` may be read (they mean nothing). */
  get blockView(): DataView {
    return this.#view;
  }

  get blockLength(): number {
    return this.#blockLength;
  }

  /** Copies `source[start, end)` behind the bytes already in the block. */
  appendBlock(source: Buffer, start: number, end: number): void {
    const need = this.#blockLength + end - start;
    if (need + SLACK_BYTES > this.#block.length) this.#growBlock(need + SLACK_BYTES);
    source.copy(this.#block, this.#blockLength, start, end);
    this.#blockLength = need;
    this.#text = undefined;
  }

  #growBlock(need: number): void {
    let size = Math.max(INITIAL_BLOCK_BYTES, this.#block.length);
    while (size < need) size *= 2;
    const next = Buffer.allocUnsafeSlow(size);
    if (this.#blockLength > 0) this.#block.copy(next, 0, 0, this.#blockLength);
    this.#block = next;
    this.#view = new DataView(next.buffer, next.byteOffset, next.length);
  }

  /** Cuts the block to its first `length` bytes. */
  truncateBlock(length: number): void {
    this.#blockLength = Math.min(length, this.#blockLength);
    this.#text = undefined;
  }

  /**
   * Adds a parsed line. Positions count from the start of the block; bytes at `valueEnd` up to the line end must be
   * blanks and CR LF.
   * @param name lower case: from `nameOf`
   */
  push(
    id: number,
    name: string,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
  ): void {
    const index = this.#length;
    const at = index * STRIDE;
    if (at === this.#lines.length) this.#growLines();
    // beyond the length, values are undefined already
    this.#lines[at] = name;
    this.#lines[at + ID] = id;
    const spanAt = index * SPAN_STRIDE;
    if (spanAt >= this.#spans.length) this.#growSpans();
    const spans = this.#spans;
    spans[spanAt] = nameStart;
    spans[spanAt + NAME_END] = nameEnd;
    spans[spanAt + VALUE_START] = valueStart;
    spans[spanAt + VALUE_END] = valueEnd;
    this.#length = index + 1;
  }

  /**
   * Adds a parsed line whose value is a string already, as HPACK hands it over.
   * @param name lower case, interned
   * @param value latin1, valid
   * @param neverIndexed the sender forbade to put it into a compression table, at this hop and later (RFC 7541 §6.2.3)
   */
  pushValue(id: number, name: string, value: string, neverIndexed = false): void {
    const index = this.#length;
    const at = index * STRIDE;
    if (at === this.#lines.length) this.#growLines();
    const lines = this.#lines;
    lines[at] = name;
    lines[at + VALUE] = value;
    lines[at + ID] = neverIndexed ? ~id : id;
    this.#length = index + 1;
    if (this.#spans.length > 0) this.#noSpan(index * SPAN_STRIDE);
  }

  #noSpan(at: number): void {
    if (at >= this.#spans.length) this.#growSpans();
    this.#spans[at] = -1;
    this.#spans[at + NAME_END] = -1;
    this.#spans[at + VALUE_START] = -1;
    this.#spans[at + VALUE_END] = -1;
  }

  /** Whether line `index` may not be put into a compression table. */
  isNeverIndexed(index: number): boolean {
    return index < this.#length && (this.#lines[index * STRIDE + ID] as number) < 0;
  }

  /** Latin1 text of a part of the block. */
  blockText(start: number, end: number): string {
    if (start === end) return '';
    if (this.#blockLength > MAX_WHOLE_DECODE_BYTES) return latin1Slice(this.#block, start, end);
    return (this.#text ??= latin1Slice(this.#block, 0, this.#blockLength)).slice(start, end);
  }

  /** Makes this table equal to `other`, without sharing anything that changes. */
  copyFrom(other: FieldTable): void {
    this.reset();
    this.appendBlock(other.#block, 0, other.#blockLength);
    this.#text = other.#text;
    const size = other.#length * STRIDE;
    while (this.#lines.length < size) this.#growLines();
    for (let i = 0; i < size; i++) this.#lines[i] = other.#lines[i];
    const spans = other.#length * SPAN_STRIDE;
    if (this.#spans.length > 0 || other.#spans.length > 0) {
      if (this.#spans.length < spans) this.#growSpans();
      if (other.#spans.length > 0) this.#spans.set(other.#spans.subarray(0, spans));
      else this.#spans.fill(-1, 0, spans);
    }
    this.#length = other.#length;
  }

  /** Empties the table for the next message; keeps its storage unless that grew beyond 8 KiB. */
  reset(): void {
    for (let i = 0; i < this.#length; i++) this.#lines[i * STRIDE + VALUE] = undefined;
    this.#length = 0;
    this.#blockLength = 0;
    this.#text = undefined;
    if (this.#block.length > MAX_KEPT_BLOCK_BYTES) {
      this.#block = EMPTY;
      this.#view = EMPTY_VIEW;
    }
  }

  /**
   * Writes the lines as HTTP/1 (`Name: value` CR LF), in order, in the spelling they came in, skipping framing and
   * one-hop fields: those the encoder writes itself. No empty line at the end.
   * @param skipIdsUpTo known-name numbers 1..this are left out; `LAST_FORBIDDEN_TRAILER` for a trailer section
   */
  writeLines(out: ByteWriter, skipIdsUpTo: number = LAST_FRAMING): void {
    const spans = this.#spans;
    const positioned = spans.length > 0;
    const block = this.#block;
    let runStart = 0;
    let runEnd = -1;
    for (let i = 0; i < this.#length; i++) {
      const id = this.#idAt(i * STRIDE);
      if (id !== 0 && id <= skipIdsUpTo) continue;
      const at = i * SPAN_STRIDE;
      const nameStart = positioned ? (spans[at] as number) : -1;
      const nameEnd = positioned ? (spans[at + NAME_END] as number) : -1;
      const valueStart = positioned ? (spans[at + VALUE_START] as number) : -1;
      const valueEnd = positioned ? (spans[at + VALUE_END] as number) : -1;
      const untouched =
        nameStart >= 0 && valueStart === nameEnd + 2 && block[nameEnd + 1] === 32 && block[valueEnd] === 13;
      if (untouched && nameStart === runEnd) {
        runEnd = valueEnd + 2;
        continue;
      }
      if (runEnd > 0) out.bytes(block, runStart, runEnd);
      runEnd = -1;
      if (untouched) {
        runStart = nameStart;
        runEnd = valueEnd + 2;
        continue;
      }
      if (nameStart >= 0) out.bytes(block, nameStart, nameEnd);
      else out.latin1(this.#lines[i * STRIDE] as string);
      out.latin1(': ');
      if (valueStart >= 0) out.bytes(block, valueStart, valueEnd);
      else out.latin1(this.#lines[i * STRIDE + VALUE] as string);
      out.crlf();
    }
    if (runEnd > 0) out.bytes(block, runStart, runEnd);
  }
}

function checkName(name: string): void {
  const at = findInvalidName(name);
  if (at < 0) return;
  throw new TulleError(
    'TULLE_HEADER_INVALID',
    name.length === 0
      ? 'A field name is empty; give a lower-case token such as "x-team".'
      : `Field name "${printable(name)}" has ${charName(name.charCodeAt(at))} at position ${at}: a name is a lower-case token (RFC 9110 §5.6.2).`,
    { context: { field: printable(name), position: at } },
  );
}

function checkValue(name: string, value: string): string {
  const at = findInvalidValue(value);
  if (at < 0) return trimBlanks(value);
  throw new TulleError(
    'TULLE_HEADER_INVALID',
    `Value of field "${printable(name)}" has ${charName(value.charCodeAt(at))} at position ${at}: only HTAB, visible characters and U+0080 to U+00FF may stand there (RFC 9110 §5.5). Percent- or base64-encode it.`,
    { context: { field: printable(name), position: at } },
  );
}

function refuseEngineField(name: string): void {
  const id = knownNameId(name);
  if (id === 0 || (id > LAST_FRAMING && id !== FIELD_TRAILER)) return;
  throw new TulleError(
    'TULLE_HEADER_INVALID',
    id === FIELD_HOST
      ? 'Field "host" follows the authority of the request: assign stream.request.authority instead.'
      : `Field "${KNOWN_NAMES[id]}" belongs to the framing of one hop and is written by the engine; leave it alone.`,
    { context: { field: name } },
  );
}

function outside(index: number, length: number): never {
  throw new RangeError(`Field line ${index} does not exist: the table has ${length}.`);
}

const charName = (code: number): string => `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;

const printable = (text: string): string => text.slice(0, 64).replace(/[^\x20-\x7e]/g, '?');
