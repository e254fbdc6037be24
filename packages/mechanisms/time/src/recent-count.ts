/** Parts of the window: it moves on in steps of a tenth. */
const PARTS = 10;

/** How often something happened in the last while: a ring of ten parts, so that both calls are O(1) and allocate nothing. */
export class RecentCount {
  readonly #partMs: number;
  readonly #counts = new Float64Array(PARTS);
  #sum = 0;
  /** Number of the part that is being counted, since time 0. */
  #part: number;

  /** @param intervalMs length of the window, above 0 */
  constructor(intervalMs: number, nowMs: number) {
    if (!(intervalMs > 0)) throw new RangeError(`intervalMs must be more than 0, not ${intervalMs}`);
    this.#partMs = intervalMs / PARTS;
    this.#part = Math.floor(nowMs / this.#partMs);
  }

  add(nowMs: number): void {
    this.#advance(nowMs);
    const index = this.#part % PARTS;
    this.#counts[index] = (this.#counts[index] as number) + 1;
    this.#sum += 1;
  }

  /** In the last while, which is up to a tenth shorter than the window. */
  count(nowMs: number): number {
    this.#advance(nowMs);
    return this.#sum;
  }

  #advance(nowMs: number): void {
    const part = Math.floor(nowMs / this.#partMs);
    const steps = Math.min(part - this.#part, PARTS);
    for (let step = 1; step <= steps; step += 1) {
      const index = (this.#part + step) % PARTS;
      this.#sum -= this.#counts[index] as number;
      this.#counts[index] = 0;
    }
    if (part > this.#part) this.#part = part;
  }
}
