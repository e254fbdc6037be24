import type { OutlierDetection } from '@tulle/model';
import { FAILURE, type Outcome } from './endpoint-state.ts';
import type { State } from './state.ts';

/** What the detector does with its findings. */
export interface OutlierEvents<Data> {
  ejected(state: State<Data>, reason: 'consecutive-failures' | 'success-rate', durationMs: number): void;
  returned(state: State<Data>): void;
  refused(state: State<Data>): void;
}

/**
 * Ejects endpoints that fail (Envoy `OutlierDetection`). Passive: it sees what requests met, and costs a few
 * comparisons each. Ejections end by the clock, when somebody looks.
 */
export class OutlierDetector<Data> {
  readonly #events: OutlierEvents<Data>;
  readonly #states: () => readonly State<Data>[];
  #policy:
    | (Required<Omit<OutlierDetection, 'successRate'>> & Pick<OutlierDetection, 'successRate'>)
    | undefined;
  #nextReturnMs = Infinity;
  ejected = 0;

  /** @param states the present set */
  constructor(events: OutlierEvents<Data>, states: () => readonly State<Data>[]) {
    this.#events = events;
    this.#states = states;
  }

  /** Takes another policy; with none everything returns. */
  configure(policy: OutlierDetection | undefined): void {
    this.#policy =
      policy === undefined
        ? undefined
        : {
            consecutiveFailures: 5,
            intervalMs: 10_000,
            baseEjectionMs: 30_000,
            maxEjectionMs: 300_000,
            maxEjectionPercent: 10,
            ...policy,
          };
    if (policy === undefined) this.refresh(Infinity);
  }

  observed(state: State<Data>, outcome: Outcome, nowMs: number): void {
    const policy = this.#policy;
    if (policy === undefined || state.ejected || state.removed) return;
    if (policy.successRate !== undefined && this.#isBelowRate(state, outcome, nowMs, policy.successRate)) {
      this.#eject(state, 'success-rate', nowMs, policy);
    } else if (policy.consecutiveFailures > 0 && state.consecutiveFailures >= policy.consecutiveFailures) {
      this.#eject(state, 'consecutive-failures', nowMs, policy);
    }
  }

  /** Lets ejections end whose time is over. One comparison when there is none. */
  refresh(nowMs: number): void {
    if (nowMs < this.#nextReturnMs) return;
    this.#nextReturnMs = Infinity;
    for (const state of this.#states()) {
      if (!state.ejected) continue;
      if (state.ejectedUntilMs > nowMs) {
        this.#nextReturnMs = Math.min(this.#nextReturnMs, state.ejectedUntilMs);
        continue;
      }
      state.ejected = false;
      state.consecutiveFailures = 0;
      this.ejected -= 1;
      this.#events.returned(state);
    }
  }

  /** The endpoint left the set. */
  forget(state: State<Data>): void {
    if (!state.ejected) return;
    state.ejected = false;
    this.ejected -= 1;
  }

  /** Counts in windows that start anew; enough requests and too few successes: true. */
  #isBelowRate(
    state: State<Data>,
    outcome: Outcome,
    nowMs: number,
    rate: NonNullable<OutlierDetection['successRate']>,
  ): boolean {
    if (nowMs - state.windowStartMs >= rate.windowMs) {
      state.windowStartMs = nowMs;
      state.windowTotal = 0;
      state.windowFailed = 0;
    }
    state.windowTotal += 1;
    if (outcome === FAILURE) state.windowFailed += 1;
    return (
      state.windowTotal >= rate.minimumRequests &&
      (state.windowTotal - state.windowFailed) * 100 < rate.belowPercent * state.windowTotal
    );
  }

  #eject(
    state: State<Data>,
    reason: 'consecutive-failures' | 'success-rate',
    nowMs: number,
    policy: Pick<
      Required<OutlierDetection>,
      'intervalMs' | 'baseEjectionMs' | 'maxEjectionMs' | 'maxEjectionPercent'
    >,
  ): void {
    state.consecutiveFailures = 0;
    state.windowStartMs = -Infinity;
    const states = this.#states();
    const allowed = Math.max(Math.floor((states.length * policy.maxEjectionPercent) / 100), 1);
    // The last one stays: without it every request would fail without having been tried.
    if (this.ejected >= allowed || !states.some((other) => other !== state && other.usable)) {
      this.#events.refused(state);
      return;
    }
    // A streak shrinks by one for each interval without ejection, as in Envoy.
    const calm = Math.max(Math.floor((nowMs - state.ejectedUntilMs) / policy.intervalMs), 0);
    state.ejectionStreak = Math.max(state.ejectionStreak - calm, 0) + 1;
    const durationMs = Math.min(
      policy.baseEjectionMs * state.ejectionStreak,
      Math.max(policy.maxEjectionMs, policy.baseEjectionMs),
    );
    state.ejected = true;
    state.ejections += 1;
    state.ejectedUntilMs = nowMs + durationMs;
    this.ejected += 1;
    this.#nextReturnMs = Math.min(this.#nextReturnMs, state.ejectedUntilMs);
    this.#events.ejected(state, reason, durationMs);
  }
}
