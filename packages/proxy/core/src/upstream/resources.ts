import type { CircuitLimits } from '@tulle/model';
import { RecentCount, RetryBudget } from '@tulle/time';

const DEFAULT_LIMIT = 1024;
/** Envoy's `RetryBudget`. */
const RETRY_PERCENT = 20;
const LEAST_RETRIES = 3;

/** What streams of one priority may use of a cluster, and what they do (Envoy `CircuitBreakers.Thresholds`). */
export class Resources {
  readonly maxConnections: number;
  readonly maxPending: number;
  readonly maxRequests: number;
  /** Streams that wait for a connection. */
  pending = 0;
  /** Streams under way. */
  requests = 0;
  /** Of them those that are tried again, or wait to be. */
  retries = 0;
  readonly #maxRetries: number;
  readonly #share: number;
  readonly #leastRetries: number;
  /** Absent where retries are counted as they are under way. */
  readonly #budget: RetryBudget | undefined;
  /** Attempts begun lately, where retries are a share of those. */
  readonly #recent: RecentCount | undefined;

  /** @param budget used where the limits say nothing about retries; `undefined`: a new one by their `retryBudget` */
  constructor(limits: CircuitLimits, nowMs: number, budget: RetryBudget | undefined) {
    const { maxRetries, retryConcurrency: concurrency } = limits;
    this.maxConnections = limits.maxConnections ?? DEFAULT_LIMIT;
    this.maxPending = limits.maxPendingRequests ?? DEFAULT_LIMIT;
    this.maxRequests = limits.maxRequests ?? DEFAULT_LIMIT;
    this.#maxRetries = concurrency === undefined ? (maxRetries ?? Infinity) : Infinity;
    this.#share = concurrency === undefined ? Infinity : (concurrency.percent ?? RETRY_PERCENT) / 100;
    this.#leastRetries = concurrency?.least ?? LEAST_RETRIES;
    const { intervalMs = 0 } = concurrency ?? {};
    this.#recent = intervalMs > 0 ? new RecentCount(intervalMs, nowMs) : undefined;
    this.#budget =
      maxRetries === undefined && concurrency === undefined
        ? (budget ?? new RetryBudget(limits.retryBudget ?? {}, nowMs))
        : undefined;
  }

  get budget(): RetryBudget | undefined {
    return this.#budget;
  }

  /** A request (not a retry) begins. */
  onRequest(nowMs: number): void {
    if (this.#budget !== undefined) this.#budget.onRequest(nowMs);
    else if (this.#recent !== undefined) this.#recent.add(nowMs);
  }

  /** Takes one retry. @returns whether it is allowed */
  tryRetry(nowMs: number): boolean {
    if (this.#budget !== undefined) {
      if (!this.#budget.tryRetry(nowMs)) return false;
    } else if (this.retries >= this.#mostRetries(nowMs)) return false;
    this.retries++;
    this.#recent?.add(nowMs);
    return true;
  }

  #mostRetries(nowMs: number): number {
    if (this.#share === Infinity) return this.#maxRetries;
    const of = this.#recent === undefined ? this.requests : this.#recent.count(nowMs);
    return Math.max(this.#leastRetries, Math.floor(this.#share * of));
  }
}
