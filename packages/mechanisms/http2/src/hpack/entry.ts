import type { InvalidFieldRule } from './sink.ts';

/** Octets that an entry counts beyond its name and value (RFC 7541 §4.1). */
export const ENTRY_OVERHEAD_BYTES = 32;

/** A field of a table, shared by reference: decoding it by index allocates nothing. */
export class HpackEntry {
  /** Known-name number, 0 for other names, negative for pseudo-headers. */
  readonly id: number;
  readonly name: string;
  readonly value: string;
  /** What it counts against the table (RFC 7541 §4.1). */
  readonly sizeBytes: number;
  /** Set when the field is no HTTP field; judged once, when it came. */
  readonly invalid: InvalidFieldRule | undefined;

  constructor(id: number, name: string, value: string, invalid: InvalidFieldRule | undefined) {
    this.id = id;
    this.name = name;
    this.value = value;
    this.sizeBytes = name.length + value.length + ENTRY_OVERHEAD_BYTES;
    this.invalid = invalid;
  }
}
