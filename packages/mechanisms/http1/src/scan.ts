import { FIELD_VALUE } from '@tulle/fields';

/*
 * Four octets at a time. `(x - 0x01010101) & ~x & 0x80808080` is not zero exactly when one of the four octets of x is
 * zero, and its lowest set bit marks the first such octet; with 0x20202020 it is not zero exactly when one is below 32.
 */

/** Position of the first colon in `bytes[pos, end)`, -1 when there is none. */
export function findColon(bytes: Uint8Array, view: DataView, pos: number, end: number): number {
  for (; pos + 4 <= end; pos += 4) {
    const diff = view.getInt32(pos, true) ^ 0x3a3a3a3a;
    const zero = (diff - 0x01010101) & ~diff & 0x80808080;
    if (zero !== 0) return pos + ((31 - Math.clz32(zero & -zero)) >> 3);
  }
  for (; pos < end; pos++) if (bytes[pos] === 58) return pos;
  return -1;
}

/** Position of the first octet from `pos` that no field value may have, or `end`. */
export function skipValue(bytes: Uint8Array, view: DataView, pos: number, end: number): number {
  for (; pos + 4 <= end; pos += 4) {
    const word = view.getInt32(pos, true);
    const del = word ^ 0x7f7f7f7f;
    if ((((word - 0x20202020) & ~word) | ((del - 0x01010101) & ~del)) & 0x80808080) break;
  }
  while (pos < end && FIELD_VALUE[bytes[pos] as number] === 1) pos++;
  return pos;
}

/** Whether `bytes[pos, end)` has LF, anything after CR, or a control that no line may have: then the line can be judged. */
export function hasLineEnd(bytes: Uint8Array, pos: number, end: number): boolean {
  for (; pos < end; pos++) if (ENDS_LINE[bytes[pos] as number] === 1 || bytes[pos - 1] === 13) return true;
  return false;
}

const ENDS_LINE: Uint8Array = lineEnds();

function lineEnds(): Uint8Array {
  const table = new Uint8Array(256);
  table.fill(1, 0, 32);
  table[9] = 0;
  table[13] = 0;
  table[127] = 1;
  return table;
}
