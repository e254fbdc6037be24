/**
 * Decision notes (D10) as a stream keeps them: site and reason in one integer where the reason fits 16 bits, which most do, then
 * the operand; of 10,000 streams that wait each has some six.
 */

/** In the place of a reason: it follows as an integer of its own. */
const REASON_FOLLOWS = 0xffff;

/** Whether the note takes three integers. */
export function isLongNote(reason: number): boolean {
  return reason >>> 0 >= REASON_FOLLOWS;
}

/** Writes a note at `at`, where there is room. @returns where the next one goes */
export function writeNote(
  notes: number[],
  at: number,
  site: number,
  reason: number,
  operand: number,
): number {
  let end = at;
  if (isLongNote(reason)) {
    notes[end++] = (site << 16) | REASON_FOLLOWS;
    notes[end++] = reason | 0;
  } else notes[end++] = (site << 16) | reason;
  notes[end++] = operand | 0;
  return end;
}

/** Copies `count` notes as triples (site, reason, operand) to `into[at…]`. @returns where the last one ends */
export function copyNotes(notes: readonly number[], count: number, into: Int32Array, at: number): number {
  let from = 0;
  let to = at;
  for (let i = 0; i < count; i++) {
    const first = notes[from++] as number;
    into[to++] = first >> 16;
    const reason = first & REASON_FOLLOWS;
    into[to++] = reason === REASON_FOLLOWS ? (notes[from++] as number) : reason;
    into[to++] = notes[from++] as number;
  }
  return to;
}
