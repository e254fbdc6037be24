import type { RoutePriority } from '@tulle/model';

/** Who is refused last. `critical` never is. */
export type Priority = RoutePriority;

/** What a priority means while load is shed. */
interface PriorityRule {
  /** Its part of the time that an iteration of the loop begins requests. */
  readonly budget: number;
  /** Which part of such requests is refused where `share` of the ordinary ones is. */
  share(share: number): number;
}

/** Shedding begins with the low ones, and reaches the high ones when half of the ordinary are refused. */
export const PRIORITIES: Readonly<Record<Exclude<Priority, 'critical'>, PriorityRule>> = Object.freeze({
  low: { budget: 0.5, share: (share) => share * 4 },
  default: { budget: 1, share: (share) => share },
  high: { budget: 2, share: (share) => share * 2 - 1 },
});
