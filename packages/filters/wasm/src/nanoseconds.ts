/** Of milliseconds. Whole milliseconds are exact; parts of one as far as a double has them. */
export function nanosecondsOf(ms: number): bigint {
  return BigInt(Math.floor(ms)) * 1_000_000n + BigInt(Math.floor((ms % 1) * 1e6));
}
