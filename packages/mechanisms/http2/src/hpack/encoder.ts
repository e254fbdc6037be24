import {
  knownNameId,
  latin1Slice,
  latin1Write,
  LAST_FRAMING,
  type ByteWriter,
  type FieldTable,
} from '@tulle/fields';
import { DEFAULT_TABLE_BYTES } from './decoder.ts';
import { EncoderTable, NameSlot } from './encoder-table.ts';
import { ENTRY_OVERHEAD_BYTES, type HpackEntry } from './entry.ts';
import { huffmanBytes, writeHuffman } from './huffman-encode.ts';
import {
  INDEX,
  NAME_ONLY,
  NEVER_INDEX,
  NEVER_STORED,
  NO_INDEX,
  ONLY_SEEN_AGAIN,
  SECRET,
  SECRET_WHEN_SHORT,
  SHORT_SECRET_BYTES,
  type Indexing,
} from './indexing.ts';
import { pseudoId } from './pseudo.ts';
import { STATIC_TABLE } from './static-table.ts';

/** Entries of one name that are compared with a value: a bound of time, not of memory. */
const MAX_COMPARED = 16;
/** A field larger than this part of the table is not put in by the usual policy: it would push out most of the others. */
const MOST_OF_TABLE = 0.5;

const COLON = 58;
/** Pseudo-headers have slots too, before the known names. */
const PSEUDO_SLOTS = 8;

/** When a value is written as Huffman code, if that is shorter. */
export interface HpackEncoderOptions {
  /**
   * `stored` (default): values that go into the table, once each. `always`: those that come anew with every message too,
   * a third shorter for about 3 ns an octet, which only a slow link repays; names always are.
   */
  readonly huffman?: 'stored' | 'always';
}

/** First octets of the representations (RFC 7541 §6). */
const INDEXED_FIELD = 0x80;
const LITERAL_INDEXED = 0x40;
const LITERAL = 0x00;
const LITERAL_NEVER = 0x10;
const SIZE_UPDATE = 0x20;
const HUFFMAN = 0x80;

/**
 * Writes the header blocks of one direction of a connection (RFC 7541 §3). What is written must be valid: the connection
 * checks names and values before. See `indexing.ts` for what is put into the table.
 */
export class HpackEncoder {
  readonly #ownMaxBytes: number;
  readonly #huffmanAlways: boolean;
  readonly #table: EncoderTable;
  /** The smallest size that the peer set since the last block, and the last; -1 when it set none. */
  #smallestDue = -1;
  #lastDue = -1;
  readonly #slots: (NameSlot | undefined)[] = [];
  /** Slots of names without a number: each has an entry in the table. */
  readonly #others: Map<string, NameSlot> = new Map();

  /** @param maxTableBytes own bound, whatever the peer allows; 4096, the protocol's default, holds some 50 usual fields */
  constructor(maxTableBytes: number = DEFAULT_TABLE_BYTES, options: HpackEncoderOptions = {}) {
    this.#huffmanAlways = options.huffman === 'always';
    this.#ownMaxBytes = maxTableBytes;
    this.#table = new EncoderTable(DEFAULT_TABLE_BYTES, (slot) => {
      if (slot.id === 0) this.#others.delete(slot.name);
    });
    // an own bound below the protocol's default is told at the first block
    if (maxTableBytes < DEFAULT_TABLE_BYTES) this.setMaxTableBytes(DEFAULT_TABLE_BYTES);
  }

  /** What the entries of the table count now (RFC 7541 §4.1). */
  get tableBytes(): number {
    return this.#table.sizeBytes;
  }

  /** Names without a number that are remembered: at most as many as entries. */
  get namesHeld(): number {
    return this.#others.size;
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE; takes effect, and is told, at the start of the next block (RFC 7541 §4.2). */
  setMaxTableBytes(bytes: number): void {
    const size = Math.min(bytes, this.#ownMaxBytes);
    if (this.#lastDue < 0) {
      if (size === this.#table.capacityBytes) return;
      this.#smallestDue = size;
    } else if (size < this.#smallestDue) this.#smallestDue = size;
    this.#lastDue = size;
  }

  /** Starts a header block. */
  begin(out: ByteWriter): void {
    if (this.#lastDue < 0) return;
    if (this.#smallestDue < this.#lastDue) this.#resize(out, this.#smallestDue);
    this.#resize(out, this.#lastDue);
    this.#lastDue = -1;
  }

  #resize(out: ByteWriter, bytes: number): void {
    writeInteger(out, SIZE_UPDATE, 0x1f, bytes);
    this.#table.resize(bytes);
  }

  /**
   * Writes one field.
   * @param name lower case, or a pseudo-header
   * @param value latin1
   * @param indexing what to do when the table does not have it; by default as its name has it
   */
  field(out: ByteWriter, name: string, value: string, indexing?: Indexing): void {
    const id = name.charCodeAt(0) === COLON ? pseudoId(name) : knownNameId(name);
    this.#write(out, id, name, value, indexing);
  }

  /** Writes the lines of `table` in order, but those with a known-name number 1..`skipIdsUpTo`. */
  fields(out: ByteWriter, table: FieldTable, skipIdsUpTo: number = LAST_FRAMING): void {
    const { length } = table;
    for (let i = 0; i < length; i++) {
      const id = table.id(i);
      if (id !== 0 && id <= skipIdsUpTo) continue;
      this.#write(out, id, table.name(i), table.value(i), table.isNeverIndexed(i) ? NEVER_INDEX : undefined);
    }
  }

  #slotOf(id: number, name: string): NameSlot | undefined {
    if (id === 0) return this.#others.get(name);
    const at = id + PSEUDO_SLOTS;
    const slot = this.#slots[at];
    if (slot !== undefined) return slot;
    while (this.#slots.length <= at) this.#slots.push(undefined);
    return (this.#slots[at] = new NameSlot(id, name));
  }

  #write(out: ByteWriter, id: number, name: string, value: string, indexing: Indexing | undefined): void {
    let slot = this.#slotOf(id, name);
    if (slot !== undefined && indexing !== NEVER_INDEX) {
      const index = this.#find(slot, value);
      if (index > 0) {
        writeInteger(out, INDEXED_FIELD, 0x7f, index);
        return;
      }
    }
    const how = indexing ?? this.#usual(slot, name, value);
    const sizeBytes = name.length + value.length + ENTRY_OVERHEAD_BYTES;
    const stored = how === INDEX && sizeBytes <= this.#table.capacityBytes;
    // the name's index counts before the new entry moves it
    const nameIndex = slot === undefined ? 0 : this.#nameIndex(slot);
    if (stored) writeInteger(out, LITERAL_INDEXED, 0x3f, nameIndex);
    else writeInteger(out, how === NEVER_INDEX ? LITERAL_NEVER : LITERAL, 0x0f, nameIndex);
    if (nameIndex === 0) writeString(out, name);
    if (stored || this.#huffmanAlways) writeString(out, value);
    else writePlain(out, value);
    if (!stored) return;
    slot ??= new NameSlot(0, name);
    this.#table.add(slot, ownCopy(value));
    // only now: making room may have taken the last entry of this very name, and its slot with it
    if (id === 0) this.#others.set(name, slot);
  }

  /** Index of a field that the tables have, 0 otherwise. */
  #find(slot: NameSlot, value: string): number {
    let entry = slot.newest;
    for (let i = 0; entry !== undefined && i < MAX_COMPARED; i++) {
      if (entry.value === value) return this.#table.indexOf(entry);
      entry = entry.older;
    }
    const first = slot.staticIndex;
    for (let i = 0; i < slot.staticCount; i++)
      if ((STATIC_TABLE[first + i] as HpackEntry).value === value) return first + i;
    return 0;
  }

  #nameIndex(slot: NameSlot): number {
    if (slot.staticIndex > 0) return slot.staticIndex;
    return slot.newest === undefined ? 0 : this.#table.indexOf(slot.newest);
  }

  #usual(slot: NameSlot | undefined, name: string, value: string): Indexing {
    const large =
      name.length + value.length + ENTRY_OVERHEAD_BYTES > this.#table.capacityBytes * MOST_OF_TABLE;
    if (slot === undefined) return large ? NO_INDEX : INDEX;
    const { kind } = slot;
    if (kind === SECRET || (kind === SECRET_WHEN_SHORT && value.length <= SHORT_SECRET_BYTES))
      return NEVER_INDEX;
    if (large || kind === NEVER_STORED) return NO_INDEX;
    if (slot.newest === undefined && kind !== ONLY_SEEN_AGAIN) return INDEX;
    if (kind === NAME_ONLY) return NO_INDEX;
    const mark = markOf(value);
    if (slot.missed === mark) return INDEX;
    slot.missed = mark;
    return NO_INDEX;
  }
}

/** Writes an integer behind the first bits of an octet (RFC 7541 §5.1). @param mask of its prefix */
function writeInteger(out: ByteWriter, first: number, mask: number, value: number): void {
  out.reserve(6);
  const buffer = out.buffer;
  if (value < mask) {
    buffer[out.length++] = first | value;
    return;
  }
  buffer[out.length++] = first | mask;
  let rest = value - mask;
  for (; rest >= 128; rest = (rest / 128) | 0) buffer[out.length++] = (rest & 127) | 128;
  buffer[out.length++] = rest;
}

/** Writes a string, as Huffman code when that is shorter (RFC 7541 §5.2). */
function writeString(out: ByteWriter, text: string): void {
  const bytes = huffmanBytes(text);
  if (bytes < text.length) {
    writeInteger(out, HUFFMAN, 0x7f, bytes);
    writeHuffman(out, text, bytes);
    return;
  }
  writePlain(out, text);
}

function writePlain(out: ByteWriter, text: string): void {
  writeInteger(out, 0, 0x7f, text.length);
  out.latin1(text);
}

/** Tells one value from the next, almost surely: its length and up to 24 of its octets. Never 0. */
function markOf(value: string): number {
  const { length } = value;
  let mark = length;
  for (let i = Math.max(0, length - 16); i < length; i++)
    mark = Math.imul(mark ^ value.charCodeAt(i), 0x01000193);
  for (let i = Math.min(8, length - 16) - 1; i >= 0; i--)
    mark = Math.imul(mark ^ value.charCodeAt(i), 0x01000193);
  return mark | 1;
}

const copying: Buffer = Buffer.allocUnsafeSlow(DEFAULT_TABLE_BYTES);

/** A value may be a slice of a whole head's text; what stays in a table must not keep that. */
function ownCopy(value: string): string {
  if (value.length > copying.length) return Buffer.from(value, 'latin1').toString('latin1');
  latin1Write(copying, value, 0);
  return latin1Slice(copying, 0, value.length);
}
