import { FIELD_VALUE, findName, latin1Slice, nameIdOf, nameOf } from '@tulle/fields';
import { DecoderTable } from './decoder-table.ts';
import { HpackEntry } from './entry.ts';
import { HPACK_FAULTS, type HpackFault } from './faults.ts';
import { decodeHuffman, mostDecodedBytes, NOT_HUFFMAN } from './huffman-decode.ts';
import { pseudoId, pseudoName } from './pseudo.ts';
import type { HpackFieldSink, InvalidFieldRule } from './sink.ts';
import { FIRST_DYNAMIC, STATIC_TABLE } from './static-table.ts';

/** Table size of both sides until SETTINGS say otherwise (RFC 9113 §6.5.2). */
export const DEFAULT_TABLE_BYTES = 4096;

/** Integers above this are refused: no length or index of a block that a connection accepts comes near it. */
const MAX_INTEGER: number = 2 ** 28;
/** What {@link HpackDecoder} stands at when an integer is no good. */
const BAD_INTEGER = -1;
const TRUNCATED = -2;

const COLON = 58;

/**
 * Reads the header blocks of one direction of a connection (RFC 7541 §3). Fields by index allocate nothing: entries are
 * shared. Memory: the table's bytes, and a scratch as long as the longest string of a block up to 16 KiB.
 *
 * The caller bounds a block before it is read: a string is at most 8/5 of its block, but an index of one octet can stand
 * for a field as long as the table, so the sum of what {@link HpackFieldSink} gets is counted there
 * (SETTINGS_MAX_HEADER_LIST_SIZE), and reading goes on when it is too much, because the table must.
 */
export class HpackDecoder {
  /** Our SETTINGS_HEADER_TABLE_SIZE. */
  readonly maxTableBytes: number;
  /** The most that a size update may ask for now. */
  #limitBytes: number;
  #updateDue = false;
  readonly #table: DecoderTable;
  /** Where reading stands after a call of a `#read…`; {@link BAD_INTEGER} or {@link TRUNCATED} when it failed. */
  #at = 0;
  #id = 0;
  #name = '';
  #invalid: InvalidFieldRule | undefined = undefined;

  /** @param maxTableBytes our SETTINGS_HEADER_TABLE_SIZE; 4096 is what a peer assumes that has not read it yet */
  constructor(maxTableBytes: number = DEFAULT_TABLE_BYTES) {
    this.maxTableBytes = maxTableBytes;
    this.#limitBytes = Math.max(maxTableBytes, DEFAULT_TABLE_BYTES);
    this.#table = new DecoderTable(DEFAULT_TABLE_BYTES);
  }

  /** What the entries of the table count now (RFC 7541 §4.1). */
  get tableBytes(): number {
    return this.#table.sizeBytes;
  }

  /**
   * The peer acknowledged the SETTINGS with {@link maxTableBytes}: from now on its table is at most that, and when it
   * was larger, its next block must begin by saying so (RFC 7541 §4.2).
   */
  acknowledged(): void {
    this.#limitBytes = this.maxTableBytes;
    this.#updateDue = this.#table.capacityBytes > this.#limitBytes;
  }

  /**
   * Reads one whole block, `block[start, end)`, whose octets are not kept.
   * @returns a connection error COMPRESSION_ERROR (RFC 9113 §4.3); after one the decoder is of no use
   */
  decode(block: Buffer, start: number, end: number, sink: HpackFieldSink): HpackFault | undefined {
    let at = start;
    let updates = 0;
    let field = false;
    while (at < end) {
      const octet = block[at++] as number;
      if (octet >= 0x80) {
        // indexed field (§6.1)
        let index = octet & 0x7f;
        if (index === 0x7f) {
          index = this.#readInteger(block, at, end, 0x7f);
          at = this.#at;
          if (at < 0) return integerFault(at);
        }
        const entry =
          index < FIRST_DYNAMIC
            ? (STATIC_TABLE[index] as HpackEntry)
            : this.#table.get(index - FIRST_DYNAMIC);
        if (entry === undefined || index === 0) return HPACK_FAULTS['hpack-index'];
        if (this.#updateDue) return HPACK_FAULTS['hpack-size-update-missing'];
        field = true;
        if (entry.invalid === undefined) sink.onField(entry.id, entry.name, entry.value, false);
        else sink.onInvalidField(entry.name, entry.value, entry.invalid);
        continue;
      }
      if ((octet & 0xe0) === 0x20) {
        // size update (§6.3)
        let bytes = octet & 0x1f;
        if (bytes === 0x1f) {
          bytes = this.#readInteger(block, at, end, 0x1f);
          at = this.#at;
          if (at < 0) return integerFault(at);
        }
        if (field) return HPACK_FAULTS['hpack-size-update-late'];
        if (bytes > this.#limitBytes || ++updates > 2) return HPACK_FAULTS['hpack-size-update'];
        this.#table.resize(bytes);
        this.#updateDue = false;
        continue;
      }
      // literal (§6.2): with indexing 01, without 0000, never 0001
      if (this.#updateDue) return HPACK_FAULTS['hpack-size-update-missing'];
      field = true;
      const indexing = octet >= 0x40;
      const prefix = indexing ? 0x3f : 0x0f;
      let index = octet & prefix;
      if (index === 0) {
        const fault = this.#readName(block, at, end);
        if (fault !== undefined) return fault;
        at = this.#at;
      } else {
        if (index === prefix) {
          index = this.#readInteger(block, at, end, prefix);
          at = this.#at;
          if (at < 0) return integerFault(at);
        }
        const entry = index < FIRST_DYNAMIC ? STATIC_TABLE[index] : this.#table.get(index - FIRST_DYNAMIC);
        if (entry === undefined) return HPACK_FAULTS['hpack-index'];
        this.#id = entry.id;
        this.#name = entry.name;
        this.#invalid = entry.invalid === 'field-name' ? 'field-name' : undefined;
      }
      // value
      if (at >= end) return HPACK_FAULTS['hpack-truncated'];
      const head = block[at++] as number;
      let size = head & 0x7f;
      if (size === 0x7f) {
        size = this.#readInteger(block, at, end, 0x7f);
        at = this.#at;
        if (at < 0) return integerFault(at);
      }
      if (size > end - at) return HPACK_FAULTS['hpack-truncated'];
      let value: string;
      if (size === 0) value = '';
      else if (head >= 0x80) {
        const octets = scratchFor(mostDecodedBytes(size));
        let length = decodeHuffman(block, at, at + size, octets, 0);
        if (length === NOT_HUFFMAN) return HPACK_FAULTS['hpack-huffman'];
        const valid = length >= 0;
        if (!valid) length = -2 - length;
        if (!valid || hasBlankEnd(octets, 0, length)) this.#invalid ??= 'field-value';
        value = latin1Slice(octets, 0, length);
      } else {
        if (!isValue(block, at, at + size)) this.#invalid ??= 'field-value';
        value = latin1Slice(block, at, at + size);
      }
      at += size;
      const invalid = this.#invalid;
      if (indexing) this.#table.add(new HpackEntry(this.#id, this.#name, value, invalid));
      if (invalid === undefined) sink.onField(this.#id, this.#name, value, octet >= 0x10 && !indexing);
      else sink.onInvalidField(this.#name, value, invalid);
    }
    return undefined;
  }

  /** Reads the rest of an integer whose prefix is full (§5.1). */
  #readInteger(block: Buffer, at: number, end: number, prefix: number): number {
    let value = prefix;
    for (let shift = 0; shift <= 28; shift += 7) {
      if (at >= end) {
        this.#at = TRUNCATED;
        return 0;
      }
      const octet = block[at++] as number;
      value += (octet & 0x7f) * 2 ** shift;
      if (octet < 0x80) {
        this.#at = value > MAX_INTEGER ? BAD_INTEGER : at;
        return value;
      }
    }
    this.#at = BAD_INTEGER;
    return 0;
  }

  /** Reads a literal name (§5.2) to `#id`, `#name` and `#invalid`. */
  #readName(block: Buffer, at: number, end: number): HpackFault | undefined {
    if (at >= end) return HPACK_FAULTS['hpack-truncated'];
    const head = block[at++] as number;
    let size = head & 0x7f;
    if (size === 0x7f) {
      size = this.#readInteger(block, at, end, 0x7f);
      at = this.#at;
      if (at < 0) return integerFault(at);
    }
    if (size > end - at) return HPACK_FAULTS['hpack-truncated'];
    let length = size;
    const octets = scratchFor(mostDecodedBytes(size));
    if (head >= 0x80) {
      length = decodeHuffman(block, at, at + size, octets, 0);
      if (length === NOT_HUFFMAN) return HPACK_FAULTS['hpack-huffman'];
      if (length < 0) length = -2 - length;
    } else block.copy(octets, 0, at, at + size);
    this.#at = at + size;
    this.#judgeName(octets, length);
    return undefined;
  }

  #judgeName(octets: Buffer, length: number): void {
    this.#id = 0;
    this.#invalid = undefined;
    if (length > 0 && octets[0] === COLON) {
      const name = latin1Slice(octets, 0, length);
      this.#id = pseudoId(name);
      this.#name = pseudoName(this.#id) ?? name;
      return;
    }
    // upper case is no HTTP/2 name (RFC 9113 §8.2.1), though it would be found below
    let upper = length === 0;
    for (let i = 0; i < length; i++) if (((octets[i] as number) - 65) >>> 0 < 26) upper = true;
    const handle = upper ? -1 : findName(octets, scratchView, 0, length);
    if (handle < 0) {
      this.#name = latin1Slice(octets, 0, length);
      this.#invalid = 'field-name';
      return;
    }
    this.#name = nameOf(handle);
    this.#id = nameIdOf(handle);
  }
}

const integerFault = (at: number): HpackFault =>
  HPACK_FAULTS[at === TRUNCATED ? 'hpack-truncated' : 'hpack-integer'];

const isBlank = (octet: number): boolean => octet === 32 || octet === 9;

const hasBlankEnd = (octets: Uint8Array, start: number, end: number): boolean =>
  start < end && (isBlank(octets[start] as number) || isBlank(octets[end - 1] as number));

function isValue(octets: Uint8Array, start: number, end: number): boolean {
  if (hasBlankEnd(octets, start, end)) return false;
  for (let at = start; at < end; at++) if (FIELD_VALUE[octets[at] as number] === 0) return false;
  return true;
}

/** A longer scratch is let go after its string, so that one long field does not stay. */
const KEPT_SCRATCH_BYTES = 16384;
/** `findName` reads words. */
const SLACK_BYTES = 8;

let scratch: Buffer = Buffer.allocUnsafeSlow(KEPT_SCRATCH_BYTES + SLACK_BYTES);
let scratchView: DataView = viewOf(scratch);

/** Room for `bytes` octets, shared by all decoders: filled and read within one call. */
function scratchFor(bytes: number): Buffer {
  const need = Math.max(bytes, KEPT_SCRATCH_BYTES) + SLACK_BYTES;
  if (scratch.length < need || (scratch.length > need && need === KEPT_SCRATCH_BYTES + SLACK_BYTES)) {
    scratch = Buffer.allocUnsafeSlow(need);
    scratchView = viewOf(scratch);
  }
  return scratch;
}

function viewOf(buffer: Buffer): DataView {
  return new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
}
