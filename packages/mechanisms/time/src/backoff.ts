/** How delays between tries grow. */
export interface BackoffOptions {
  /** Upper bound of the first delay. */
  readonly baseMs: number;
  /** Upper bound of every delay. */
  readonly maxMs: number;
}

/**
 * Delay before another try, with full jitter: uniform in [0, min(maxMs, baseMs * 2^(attempt - 1))), so that callers who
 * failed together do not come back together.
 * @param attempt tries that failed so far, 1 for the first
 * @param random uniform in [0, 1)
 */
export function backoffDelayMs(attempt: number, options: BackoffOptions, random: () => number): number {
  return random() * Math.min(options.maxMs, options.baseMs * 2 ** Math.max(attempt - 1, 0));
}

/**
 * A time with up to a share of it added at random, so that what began together does not end together.
 * @param percent of `ms`, 0 to 100
 * @param random uniform in [0, 1)
 */
export function jitteredMs(ms: number, percent: number, random: () => number): number {
  return percent > 0 ? ms * (1 + (percent / 100) * random()) : ms;
}

/** A backoff that counts for itself, e.g. of one connection that is made again and again. */
export interface Backoff {
  /** Delay before the next try in milliseconds. */
  next(): number;
  /** After a success. */
  reset(): void;
}

/** Makes a {@link Backoff}. @param random uniform in [0, 1) */
export function createBackoff(options: BackoffOptions, random: () => number): Backoff {
  let attempt = 0;
  return {
    next() {
      attempt = Math.min(attempt + 1, 64);
      return backoffDelayMs(attempt, options, random);
    },
    reset() {
      attempt = 0;
    },
  };
}
