/** Parts of each power of two: a percentile is right to 1/32, some 3 %. */
const PARTS_BITS = 5;
const PARTS = 1 << PARTS_BITS;
/** 2^32 µs, over an hour. */
const MAX_BITS = 32;
const MAX_MICROS = 2 ** MAX_BITS - 1;

/** Counts of durations in fixed buckets, each power of two in equal parts: a sample is one store, and nothing is allocated. */
export class LatencyHistogram {
  readonly #counts: Uint32Array = new Uint32Array((MAX_BITS - PARTS_BITS + 1) * PARTS);
  count = 0;

  record(ms: number): void {
    const index = indexOf(Math.min(Math.max(Math.round(ms * 1000), 0), MAX_MICROS));
    this.#counts[index] = (this.#counts[index] as number) + 1;
    this.count++;
  }

  /** The duration that so many percent of the samples do not exceed, in milliseconds; 0 without samples. */
  percentile(percent: number): number {
    const rank = Math.max(Math.ceil((this.count * percent) / 100), 1);
    let seen = 0;
    for (let index = 0; index < this.#counts.length; index++) {
      seen += this.#counts[index] as number;
      if (seen >= rank) return middleOf(index) / 1000;
    }
    return 0;
  }

  reset(): void {
    if (this.count === 0) return;
    this.#counts.fill(0);
    this.count = 0;
  }
}

/** The first buckets are single microseconds; from 2^5 on a power of two has {@link PARTS} of them. */
function indexOf(micros: number): number {
  if (micros < PARTS) return micros;
  const bits = 31 - Math.clz32(micros);
  const shift = bits - PARTS_BITS;
  return (shift + 1) * PARTS + ((micros >>> shift) - PARTS);
}

function middleOf(index: number): number {
  if (index < PARTS) return index;
  const shift = Math.floor(index / PARTS) - 1;
  const width = 2 ** shift;
  return (PARTS + (index % PARTS)) * width + (width - 1) / 2;
}
