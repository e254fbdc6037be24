const pattern = /^(?:\d{1,5}(?:h|ms|m|s)){1,4}$/;
const part = /(\d{1,5})(h|ms|m|s)/g;
const unitMs = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const;

/** Gateway API durations (GEP-2257): `10s`, `1h30m`, `250ms`, `0s`; up to four parts of up to five digits. */
export const DURATION_PATTERN = '^([0-9]{1,5}(h|ms|m|s)){1,4}$';

/** @returns milliseconds, or `undefined` when `text` is no duration by GEP-2257 */
export function parseDurationMs(text: string): number | undefined {
  if (!pattern.test(text)) return undefined;
  let total = 0;
  for (const [, digits, unit] of text.matchAll(part))
    total += Number(digits) * unitMs[unit as keyof typeof unitMs];
  return total;
}
