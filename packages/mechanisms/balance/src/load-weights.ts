import type { ClientSideWeights } from '@tulle/model';

/** What an endpoint says of its load (ORCA, `xds.data.orca.v3.OrcaLoadReport`). */
export interface LoadReport {
  /** Part of what it can take that is in use; 1 is all of it, more is too much. */
  readonly utilization: number;
  /** Requests a second that it serves, whoever sends them. */
  readonly requestsPerSecond: number;
  /** How many of them fail. */
  readonly errorsPerSecond: number;
}

/** Defaults as in Envoy. */
const BLACKOUT_MS = 10_000;
const EXPIRATION_MS = 180_000;
const UPDATE_MS = 1_000;
const ERROR_PENALTY = 1;

/** How often weights follow the reports, at least. */
export function updateEveryMs({ updateMs = UPDATE_MS }: ClientSideWeights): number {
  return updateMs;
}

/** The weight that one endpoint's reports give it. */
export class LoadWeight {
  #weight = 0;
  /** Since when it has had one without a gap. */
  #sinceMs = Infinity;
  #atMs = -Infinity;

  /** @returns whether the report says a weight: it needs requests and a utilization */
  take(report: LoadReport, { errorPenalty = ERROR_PENALTY }: ClientSideWeights, nowMs: number): boolean {
    const { utilization, requestsPerSecond: rate, errorsPerSecond } = report;
    const weight = rate / (utilization + (errorPenalty * errorsPerSecond) / rate);
    if (!(utilization > 0) || !(rate > 0) || !(errorsPerSecond >= 0) || !Number.isFinite(weight))
      return false;
    this.#weight = weight;
    this.#atMs = nowMs;
    this.#sinceMs = Math.min(this.#sinceMs, nowMs);
    return true;
  }

  /** @returns 0 where it has none: too new, or too old */
  at(nowMs: number, { blackoutMs = BLACKOUT_MS, expirationMs = EXPIRATION_MS }: ClientSideWeights): number {
    if (nowMs - this.#sinceMs < blackoutMs) return 0;
    if (nowMs - this.#atMs <= expirationMs) return this.#weight;
    this.#sinceMs = Infinity;
    return 0;
  }
}

/** What stands between the others; of an even number the mean of both. @param weights at least one */
export function medianOf(weights: readonly number[]): number {
  const sorted = weights.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}
