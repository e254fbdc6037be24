/** A rate as operators read it; undefined: nothing is known. */
export const rate = (rps: number | undefined): string | undefined =>
  rps === undefined ? undefined : `${rps.toFixed(1)}rps`;

/** For programs. */
export const rounded = (value: number | undefined, digits: number): number | null =>
  value === undefined ? null : Number(value.toFixed(digits));
