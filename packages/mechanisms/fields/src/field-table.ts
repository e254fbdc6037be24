import { TulleError, type MutableHeaders } from '@tulle/filter';
import type { ByteWriter } from './byte-writer.ts';
import { HeadBlock, NO_BLOCK } from './head-block.ts';
import { FIELD_HOST, FIELD_TRAILER, KNOWN_NAMES, knownNameId, LAST_FRAMING } from './known-names.ts';
import { findInvalidName, findInvalidValue, trimBlanks } from './octets.ts';

/** What is kept of a line: its name, its value (undefined: not decoded yet). */
const STRIDE = 2;
const VALUE = 1;
/** Known-name numbers stand behind all lines that there is room for, those of four lines in one integer, an octet each. */
const IDS_EACH = 4;
/** So much room four lines take in all. */
const FOUR_LINES = STRIDE * IDS_EACH + 1;
/** Of an octet: the known-name number, of which there are fewer than 128. */
const ID_BITS = 127;
/** Of an octet: the sender forbade to index the line. */
const NEVER_INDEXED = 128;
/** Integers kept of a line that stands in the block: where name and value do; -1 when they are strings of their own. */
const SPAN_STRIDE = 4;
const NAME_END = 1;
const VALUE_START = 2;
const VALUE_END = 3;

/** Lines that a table's room grows by while it is small, a multiple of four: a head has from four to twelve, and an idle stream keeps two tables. */
const LINES_MORE = 4;
/** Most lines that edits may reach. Parsers have their own, lower limit; this one stops a filter that appends in a loop. */
const MAX_LINES = 1024;
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
  /** Where in there the known-name numbers begin: twice as many as lines that there is room for. */
  #ids = 0;
  /** Made with the first bytes or positions: tables of HTTP/2 never get one. */
  #block: HeadBlock = NO_BLOCK;

  get length(): number {
    return this.#length;
  }

  name(index: number): string {
    return index < this.#length ? (this.#lines[index * STRIDE] as string) : outside(index, this.#length);
  }

  /** Known-name number of line `index` (`FIELD_HOST`, …), 0 for other names. */
  id(index: number): number {
    return index < this.#length ? this.idOctet(index) & ID_BITS : 0;
  }

  private idOctet(index: number): number {
    const four = this.#lines[this.#ids + (index >> 2)] as number;
    return (four >> ((index & 3) << 3)) & 255;
  }

  private setIdOctet(index: number, octet: number): void {
    const at = this.#ids + (index >> 2);
    const shift = (index & 3) << 3;
    this.#lines[at] = ((this.#lines[at] as number) & ~(255 << shift)) | (octet << shift);
  }

  rawName(index: number): string {
    if (index >= this.#length) return outside(index, this.#length);
    const at = index * SPAN_STRIDE;
    const { spans } = this.#block;
    const start = at < spans.length ? (spans[at] as number) : -1;
    return start < 0
      ? (this.#lines[index * STRIDE] as string)
      : this.blockText(start, spans[at + NAME_END] as number);
  }

  value(index: number): string {
    if (index >= this.#length) return outside(index, this.#length);
    const value = this.#lines[index * STRIDE + VALUE] as string | undefined;
    return value === undefined ? this.decode(index) : value;
  }

  private decode(index: number): string {
    const at = index * SPAN_STRIDE;
    const { spans } = this.#block;
    const value = this.blockText(spans[at + VALUE_START] as number, spans[at + VALUE_END] as number);
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
    const lines = this.#lines;
    const ids = this.#ids;
    for (let i = from; i < this.#length; i++)
      if ((((lines[ids + (i >> 2)] as number) >> ((i & 3) << 3)) & ID_BITS) === id) return i;
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
      const { spans } = this.#block;
      if (spans.length > 0) spans[i * SPAN_STRIDE + VALUE_START] = -1;
      this.dropFrom(name, i + 1);
      return;
    }
    this.addChecked(name, checked);
  }

  /** Engine's door: adds a line, framing fields too. @throws TulleError `TULLE_HEADER_INVALID` */
  add(name: string, value: string): void {
    this.addChecked(name, checkValue(name, value));
  }

  /** Engine's door: removes every line of `name`, framing fields too; returns how many there were. */
  drop(name: string): number {
    return this.dropFrom(name, 0);
  }

  /** Removes every line with a known-name number in `first..last`; returns how many there were. One pass. */
  dropIds(first: number, last: number): number {
    let kept = 0;
    for (let i = 0; i < this.#length; i++) {
      const id = this.idOctet(i) & ID_BITS;
      if (id >= first && id <= last) continue;
      if (kept !== i) this.move(i, kept);
      kept++;
    }
    return this.truncate(kept);
  }

  private dropFrom(name: string, from: number): number {
    let kept = from;
    for (let i = from; i < this.#length; i++) {
      if (this.#lines[i * STRIDE] === name) continue;
      if (kept !== i) this.move(i, kept);
      kept++;
    }
    return this.truncate(kept);
  }

  private move(from: number, to: number): void {
    const lines = this.#lines;
    lines[to * STRIDE] = lines[from * STRIDE];
    lines[to * STRIDE + VALUE] = lines[from * STRIDE + VALUE];
    this.setIdOctet(to, this.idOctet(from));
    const { spans } = this.#block;
    if (spans.length === 0) return;
    for (let i = 0; i < SPAN_STRIDE; i++)
      spans[to * SPAN_STRIDE + i] = spans[from * SPAN_STRIDE + i] as number;
  }

  private truncate(length: number): number {
    const removed = this.#length - length;
    for (let i = length; i < this.#length; i++) this.#lines[i * STRIDE + VALUE] = undefined;
    this.#length = length;
    return removed;
  }

  private addChecked(name: string, value: string): void {
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

  private growLines(): void {
    const before = this.#lines;
    const idsBefore = this.#ids;
    const lines = idsBefore / STRIDE;
    const more = Math.max(LINES_MORE, (lines >>> 1) & ~(IDS_EACH - 1));
    // of exactly this size: an array that `push` grows begins with room for 17
    const next = Array.from<Part>({ length: ((lines + more) * FOUR_LINES) / IDS_EACH });
    for (let i = 0; i < idsBefore; i++) next[i] = before[i];
    const ids = (lines + more) * STRIDE;
    for (let i = 0; i < (lines + more) / IDS_EACH; i++) next[ids + i] = before[idsBefore + i] ?? 0;
    this.#lines = next;
    this.#ids = ids;
  }

  // — the parser's door: what is pushed was validated by the parser —

  /** The bytes that {@link push} points into; owned by the table, valid until `reset`. */
  get block(): Buffer {
    return this.#block.bytes;
  }

  /** The same memory; a few bytes beyond `blockLength` may be read (they mean nothing). */
  get blockView(): DataView {
    return this.#block.view;
  }

  get blockLength(): number {
    return this.#block.length;
  }

  /** Copies `source[start, end)` behind the bytes already in the block. */
  appendBlock(source: Buffer, start: number, end: number): void {
    this.ownBlock().append(source, start, end);
  }

  private ownBlock(): HeadBlock {
    if (this.#block === NO_BLOCK) this.#block = new HeadBlock();
    return this.#block;
  }

  /** Cuts the block to its first `length` bytes. */
  truncateBlock(length: number): void {
    if (this.#block !== NO_BLOCK) this.#block.truncate(length);
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
    if (at === this.#ids) this.growLines();
    // beyond the length, values are undefined already
    this.#lines[at] = name;
    this.setIdOctet(index, id);
    const spanAt = index * SPAN_STRIDE;
    let { spans } = this.#block;
    if (spanAt >= spans.length) spans = this.growSpans();
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
    if (at === this.#ids) this.growLines();
    const lines = this.#lines;
    lines[at] = name;
    lines[at + VALUE] = value;
    this.setIdOctet(index, neverIndexed ? id | NEVER_INDEXED : id);
    this.#length = index + 1;
    if (this.#block.spans.length > 0) this.noSpan(index * SPAN_STRIDE);
  }

  /** Room for the spans of all lines that there is room for; those that have none stand in no block. */
  private growSpans(): Int32Array {
    return this.ownBlock().growSpans((this.#ids / STRIDE) * SPAN_STRIDE);
  }

  private noSpan(at: number): void {
    let { spans } = this.#block;
    if (at >= spans.length) spans = this.growSpans();
    spans[at] = -1;
    spans[at + NAME_END] = -1;
    spans[at + VALUE_START] = -1;
    spans[at + VALUE_END] = -1;
  }

  /** Whether line `index` may not be put into a compression table. */
  isNeverIndexed(index: number): boolean {
    return index < this.#length && (this.idOctet(index) & NEVER_INDEXED) !== 0;
  }

  /** Latin1 text of a part of the block. */
  blockText(start: number, end: number): string {
    return this.#block.text(start, end);
  }

  /** Makes this table equal to `other`, without sharing anything that changes. */
  copyFrom(other: FieldTable): void {
    this.reset();
    const size = other.#length * STRIDE;
    while (this.#ids < size) this.growLines();
    for (let i = 0; i < size; i++) this.#lines[i] = other.#lines[i];
    const ids = this.#ids;
    const idsOfOther = other.#ids;
    for (let i = 0; i * IDS_EACH < other.#length; i++) this.#lines[ids + i] = other.#lines[idsOfOther + i];
    if (other.#block !== NO_BLOCK) this.ownBlock().copyFrom(other.#block);
    const from = other.#block.spans;
    const count = other.#length * SPAN_STRIDE;
    let { spans } = this.#block;
    if (spans.length > 0 || from.length > 0) {
      if (spans.length < count) spans = this.growSpans();
      if (from.length > 0) spans.set(from.subarray(0, count));
      else spans.fill(-1, 0, count);
    }
    this.#length = other.#length;
  }

  /** Empties the table for the next message; keeps its storage unless that grew beyond 8 KiB. */
  reset(): void {
    for (let i = 0; i < this.#length; i++) this.#lines[i * STRIDE + VALUE] = undefined;
    this.#length = 0;
    if (this.#block !== NO_BLOCK) this.#block.reset();
  }

  /**
   * Writes the lines as HTTP/1 (`Name: value` CR LF), in order, in the spelling they came in, skipping framing and
   * one-hop fields: those the encoder writes itself. No empty line at the end.
   * @param skipIdsUpTo known-name numbers 1..this are left out; `LAST_FORBIDDEN_TRAILER` for a trailer section
   */
  writeLines(out: ByteWriter, skipIdsUpTo: number = LAST_FRAMING): void {
    const { spans, bytes: block } = this.#block;
    const positioned = spans.length > 0;
    let runStart = 0;
    let runEnd = -1;
    for (let i = 0; i < this.#length; i++) {
      const id = this.idOctet(i) & ID_BITS;
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
