import { LAST_FRAMING, type ByteWriter, type FieldTable } from '@tulle/fields';

/** Put it into the table, so that the next one is an index. */
export const INDEX = 1;
/** Leave the table alone. */
export const NO_INDEX = 2;
/** Leave the table alone, here and at every later hop (RFC 7541 §6.2.3): secrets. */
export const NEVER_INDEX = 3;
/** How a field is written when the table does not have it yet. */
export type Indexing = typeof INDEX | typeof NO_INDEX | typeof NEVER_INDEX;

/** Writes header blocks of one connection direction (RFC 7541 §3). */
export class HpackEncoder {
  /** The peer's SETTINGS_HEADER_TABLE_SIZE; takes effect with the next block. */
  setMaxTableBytes(_bytes: number): void {}

  /** Starts a header block. */
  begin(_out: ByteWriter): void {}

  /** Writes one field. @param name lower case, or a pseudo-header; valid @param indexing default by name */
  field(out: ByteWriter, name: string, value: string, indexing: Indexing = NO_INDEX): void {
    out.reserve(3 + name.length + value.length);
    out.buffer[out.length++] = indexing === NEVER_INDEX ? 16 : 0;
    out.buffer[out.length++] = name.length;
    out.latin1(name);
    out.buffer[out.length++] = value.length;
    out.latin1(value);
  }

  /** Writes the lines of a table, but those with a known-name number 1..`skipIdsUpTo`. */
  fields(out: ByteWriter, table: FieldTable, skipIdsUpTo: number = LAST_FRAMING): void {
    for (let i = 0; i < table.length; i++) {
      const id = table.id(i);
      if (id === 0 || id > skipIdsUpTo) this.field(out, table.name(i), table.value(i));
    }
  }
}
