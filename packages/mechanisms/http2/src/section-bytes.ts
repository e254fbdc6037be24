import { LAST_FRAMING, type FieldTable } from '@tulle/fields';

/** What each line counts beyond its octets (RFC 9113 §6.5.2, SETTINGS_MAX_HEADER_LIST_SIZE). */
export const LINE_OVERHEAD_BYTES = 32;

/** What the lines of `fields` that are sent count against the peer's SETTINGS_MAX_HEADER_LIST_SIZE. */
export function sectionBytes(fields: FieldTable): number {
  let bytes = 0;
  for (let i = 0; i < fields.length; i++) {
    const id = fields.id(i);
    if (id !== 0 && id <= LAST_FRAMING) continue;
    bytes += fields.name(i).length + fields.value(i).length + LINE_OVERHEAD_BYTES;
  }
  return bytes;
}
