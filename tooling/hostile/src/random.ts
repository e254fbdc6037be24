/** Repeatable randomness: the same seed gives the same run. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** Uniform in [0, 1) (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** Whole number in [0, below). */
  below(below: number): number {
    return Math.floor(this.next() * below);
  }
}

/** How a payload is cut into writes. */
export type Chunking = 'whole' | 'bytes' | 'random';

/** Cuts `bytes`; byte by byte only up to 400 bytes, then in random pieces. */
export function cut(bytes: Buffer, how: Chunking, random: Random): Buffer[] {
  if (how === 'whole' || bytes.length < 2) return [bytes];
  const edges = new Set([0, bytes.length]);
  if (how === 'bytes' && bytes.length <= 400) for (let at = 1; at < bytes.length; at++) edges.add(at);
  else
    for (let count = 1 + random.below(8); count > 0; count--) edges.add(1 + random.below(bytes.length - 1));
  const sorted = [...edges].sort((a, b) => a - b);
  return sorted.slice(1).map((end, index) => bytes.subarray(sorted[index], end));
}
