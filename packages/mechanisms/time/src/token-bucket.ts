/** What a bucket allows. */
export interface TokenBucketOptions {
  /** Tokens that fit: how many may be taken at once. > 0 */
  readonly capacity: number;
  /** Tokens that come back each second, evenly. > 0 */
  readonly refillPerSecond: number;
}

/**
 * A token bucket that is filled when it is looked at: two numbers, no timer. Starts full. Times are the caller's
 * monotonic milliseconds; a time before the last one counts as the last one.
 */
export class TokenBucket {
  readonly capacity: number;
  readonly refillPerMs: number;
  #tokens: number;
  #atMs: number;

  /** @throws RangeError when a number is not positive */
  constructor(options: TokenBucketOptions, nowMs: number) {
    if (!(options.capacity > 0))
      throw new RangeError(`capacity must be more than 0, not ${options.capacity}`);
    if (!(options.refillPerSecond > 0))
      throw new RangeError(`refillPerSecond must be more than 0, not ${options.refillPerSecond}`);
    this.capacity = options.capacity;
    this.refillPerMs = options.refillPerSecond / 1_000;
    this.#tokens = options.capacity;
    this.#atMs = nowMs;
  }

  /** Takes `count` tokens, all or none. @returns whether they were there */
  take(count: number, nowMs: number): boolean {
    this.#refill(nowMs);
    // A hair of rounding must not refuse at the very moment that nextAtMs named.
    if (this.#tokens + 1e-9 < count) return false;
    this.#tokens = Math.max(this.#tokens - count, 0);
    return true;
  }

  /** Gives tokens back that were taken for something that did not happen. */
  giveBack(count: number): void {
    this.#tokens = Math.min(this.#tokens + count, this.capacity);
  }

  /** Tokens at hand. */
  available(nowMs: number): number {
    this.#refill(nowMs);
    return this.#tokens;
  }

  /** When `count` tokens will be there if nobody takes any: now, later, or Infinity when they never fit. */
  nextAtMs(count: number, nowMs: number): number {
    this.#refill(nowMs);
    if (count > this.capacity) return Infinity;
    if (this.#tokens >= count) return nowMs;
    return this.#atMs + (count - this.#tokens) / this.refillPerMs;
  }

  /** Full again, as if just made; for pooled buckets. */
  reset(nowMs: number): void {
    this.#tokens = this.capacity;
    this.#atMs = nowMs;
  }

  #refill(nowMs: number): void {
    if (nowMs <= this.#atMs) return;
    this.#tokens = Math.min(this.#tokens + (nowMs - this.#atMs) * this.refillPerMs, this.capacity);
    this.#atMs = nowMs;
  }
}
