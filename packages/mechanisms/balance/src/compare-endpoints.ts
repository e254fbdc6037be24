import type { OutlierDetection } from '@tulle/model';
import type { OutlierCounts } from './outlier-counts.ts';

/** A rule by which an endpoint stands out among the others. */
export type ComparisonReason = 'deviation' | 'failure-percentage';

/** What a comparison found, all in percent. */
export interface ComparedRates {
  /** Of local failures, where they count apart. */
  readonly local: boolean;
  /** Success rate of the endpoint. */
  readonly rate: number;
  /** Mean of all, and what may not be fallen below; by deviation alone. */
  readonly mean?: number;
  readonly threshold?: number;
}

/** An endpoint with its counts. */
interface Counted {
  readonly counts: OutlierCounts;
}

/**
 * Endpoints that stand out by their counts since the last comparison, each rule by itself (Envoy `OutlierDetection`:
 * success rate by standard deviation, failure percentage).
 * @param states those that are not ejected
 * @param found called for each, with the percentage by which the rule is enforced
 */
export function compareEndpoints<T extends Counted>(
  states: readonly T[],
  { deviation, failurePercentage, splitLocalFailures = false }: OutlierDetection,
  found: (state: T, reason: ComparisonReason, enforcedPercent: number, rates: ComparedRates) => void,
): void {
  for (const local of splitLocalFailures ? [false, true] : [false]) {
    if (deviation !== undefined) {
      const rated = ratesOf(states, local, deviation.minimumRequests);
      const enforced = (local ? deviation.localEnforcedPercent : deviation.enforcedPercent) ?? 100;
      if (rated.length > 0 && rated.length >= deviation.minimumEndpoints) {
        const mean = rated.reduce((sum, [, rate]) => sum + rate, 0) / rated.length;
        const variance = rated.reduce((sum, [, rate]) => sum + (rate - mean) ** 2, 0) / rated.length;
        const threshold = mean - Math.sqrt(variance) * deviation.factor;
        for (const [state, rate] of rated)
          if (rate < threshold) found(state, 'deviation', enforced, { local, rate, mean, threshold });
      }
    }
    if (failurePercentage !== undefined) {
      const rated = ratesOf(states, local, failurePercentage.minimumRequests);
      const enforced =
        (local ? failurePercentage.localEnforcedPercent : failurePercentage.enforcedPercent) ?? 100;
      if (rated.length > 0 && rated.length >= failurePercentage.minimumEndpoints)
        for (const [state, rate] of rated)
          if (100 - rate >= failurePercentage.thresholdPercent)
            found(state, 'failure-percentage', enforced, { local, rate });
    }
  }
}

/** Success rates, percent, of endpoints that had enough requests. */
function ratesOf<T extends Counted>(
  states: readonly T[],
  local: boolean,
  minimumRequests: number,
): readonly (readonly [state: T, rate: number])[] {
  return states.flatMap((state) => {
    const { counts } = state;
    const [total, failed] = local ? [counts.localTotal, counts.localFailed] : [counts.total, counts.failed];
    return total > 0 && total >= minimumRequests ? [[state, ((total - failed) * 100) / total] as const] : [];
  });
}
