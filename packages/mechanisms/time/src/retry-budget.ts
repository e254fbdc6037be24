import { TokenBucket } from './token-bucket.ts';

/** Share of requests that may be retries; the fields of the model's `RetryBudget`. */
export interface RetryBudgetOptions {
  /** Retries allowed for each hundred requests of the window. Default 20 (Gateway API retryConstraint, Linkerd). */
  readonly percent?: number;
  /** Retries a second that are allowed in any case, so that a quiet service may retry at all. Default 10. */
  readonly minPerSecond?: number;
  /** Length of the window. Default 10,000. */
  readonly intervalMs?: number;
}

/** Parts of the window: it moves on in steps of a tenth. */
const PARTS = 10;

/**
 * Keeps retries from multiplying load: in any window at most `percent` of its requests may be retried, or
 * `minPerSecond` where that is more. Counts in a ring of ten parts, so both calls are O(1) and allocate nothing.
 */
export class RetryBudget {
  readonly #share: number;
  readonly #partMs: number;
  readonly #floor: TokenBucket | undefined;
  readonly #requests = new Float64Array(PARTS);
  readonly #retries = new Float64Array(PARTS);
  #requestSum = 0;
  #retrySum = 0;
  /** Number of the part that is being counted, since time 0. */
  #part: number;

  constructor(options: RetryBudgetOptions, nowMs: number) {
    const perSecond = options.minPerSecond ?? 10;
    this.#share = (options.percent ?? 20) / 100;
    this.#partMs = (options.intervalMs ?? 10_000) / PARTS;
    if (!(this.#partMs > 0))
      throw new RangeError(`intervalMs must be more than 0, not ${options.intervalMs}`);
    if (perSecond > 0)
      this.#floor = new TokenBucket({ capacity: Math.max(perSecond, 1), refillPerSecond: perSecond }, nowMs);
    this.#part = Math.floor(nowMs / this.#partMs);
  }

  /** A request (not a retry) begins. */
  onRequest(nowMs: number): void {
    this.#advance(nowMs);
    const index = this.#part % PARTS;
    this.#requests[index] = (this.#requests[index] as number) + 1;
    this.#requestSum += 1;
  }

  /** Takes one retry. @returns whether it is allowed; false: deliver the failure and count it */
  tryRetry(nowMs: number): boolean {
    this.#advance(nowMs);
    const withinShare = this.#retrySum + 1 <= this.#requestSum * this.#share;
    // The floor counts every retry, so that share and floor are alternatives and do not add up.
    const withinFloor = this.#floor?.take(1, nowMs) ?? false;
    if (!withinShare && !withinFloor) return false;
    const index = this.#part % PARTS;
    this.#retries[index] = (this.#retries[index] as number) + 1;
    this.#retrySum += 1;
    return true;
  }

  /** Requests and retries in the window, for dumps. */
  counts(nowMs: number): { readonly requests: number; readonly retries: number } {
    this.#advance(nowMs);
    return { requests: this.#requestSum, retries: this.#retrySum };
  }

  #advance(nowMs: number): void {
    const part = Math.floor(nowMs / this.#partMs);
    const steps = Math.min(part - this.#part, PARTS);
    for (let step = 1; step <= steps; step += 1) {
      const index = (this.#part + step) % PARTS;
      this.#requestSum -= this.#requests[index] as number;
      this.#retrySum -= this.#retries[index] as number;
      this.#requests[index] = 0;
      this.#retries[index] = 0;
    }
    if (part > this.#part) this.#part = part;
  }
}
