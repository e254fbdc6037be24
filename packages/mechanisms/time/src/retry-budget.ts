import { RecentCount } from './recent-count.ts';
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

/**
 * Keeps retries from multiplying load: in any window at most `percent` of its requests may be retried, or
 * `minPerSecond` where that is more. Both calls are O(1) and allocate nothing.
 */
export class RetryBudget {
  readonly #share: number;
  readonly #floor: TokenBucket | undefined;
  readonly #requests: RecentCount;
  readonly #retries: RecentCount;

  constructor(options: RetryBudgetOptions, nowMs: number) {
    const { percent = 20, minPerSecond = 10, intervalMs = 10_000 } = options;
    this.#share = percent / 100;
    this.#requests = new RecentCount(intervalMs, nowMs);
    this.#retries = new RecentCount(intervalMs, nowMs);
    if (minPerSecond > 0)
      this.#floor = new TokenBucket(
        { capacity: Math.max(minPerSecond, 1), refillPerSecond: minPerSecond },
        nowMs,
      );
  }

  /** A request (not a retry) begins. */
  onRequest(nowMs: number): void {
    this.#requests.add(nowMs);
  }

  /** Takes one retry. @returns whether it is allowed; false: deliver the failure and count it */
  tryRetry(nowMs: number): boolean {
    const withinShare = this.#retries.count(nowMs) + 1 <= this.#requests.count(nowMs) * this.#share;
    // The floor counts every retry, so that share and floor are alternatives and do not add up.
    const withinFloor = this.#floor?.take(1, nowMs) ?? false;
    if (!withinShare && !withinFloor) return false;
    this.#retries.add(nowMs);
    return true;
  }

  /** Requests and retries in the window, for dumps. */
  counts(nowMs: number): { readonly requests: number; readonly retries: number } {
    return { requests: this.#requests.count(nowMs), retries: this.#retries.count(nowMs) };
  }
}
