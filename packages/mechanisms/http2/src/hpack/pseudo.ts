/*
 * Pseudo-headers (RFC 9113 §8.3, RFC 8441 §4) have negative numbers, so that `id < 0` tells them from field lines, whose
 * numbers are the known names of @tulle/fields, 0 for every other name.
 */
export const PSEUDO_METHOD = -1;
export const PSEUDO_SCHEME = -2;
export const PSEUDO_AUTHORITY = -3;
export const PSEUDO_PATH = -4;
export const PSEUDO_STATUS = -5;
export const PSEUDO_PROTOCOL = -6;
/** Any other name that begins with a colon: no such field may be sent (RFC 9113 §8.3). */
export const PSEUDO_UNKNOWN = -7;

const NAMES: readonly string[] = ['', ':method', ':scheme', ':authority', ':path', ':status', ':protocol'];

const IDS: ReadonlyMap<string, number> = new Map(
  NAMES.flatMap((name, at): [string, number][] => (at === 0 ? [] : [[name, -at]])),
);

/** Number of a pseudo-header, {@link PSEUDO_UNKNOWN} for others. @param name begins with a colon */
export function pseudoId(name: string): number {
  return IDS.get(name) ?? PSEUDO_UNKNOWN;
}

/** The one copy of a pseudo-header's name. @param id from {@link pseudoId} */
export function pseudoName(id: number): string | undefined {
  return NAMES[-id];
}
