import type { ConsecutiveRule, OutlierDetection } from '@tulle/model';
import { compareEndpoints, type ComparisonReason } from './compare-endpoints.ts';
import { isFailure, type Outcome } from './endpoint-state.ts';
import type { State } from './state.ts';

/** The rule that an endpoint broke. */
export type EjectionReason =
  | 'consecutive-failures'
  | 'gateway-failures'
  | 'local-failures'
  | 'success-rate'
  | ComparisonReason;

/** Fields that always have a value here. */
type Filled =
  | 'consecutiveFailures'
  | 'intervalMs'
  | 'baseEjectionMs'
  | 'maxEjectionMs'
  | 'maxEjectionPercent';
type Policy = OutlierDetection & Required<Pick<OutlierDetection, Filled>>;

/** Local failures in a row, where they count apart (Envoy `consecutive_local_origin_failure`). */
const LOCAL_FAILURES: ConsecutiveRule = { count: 5 };

/** What the detector does with its findings. */
export interface OutlierEvents<Data> {
  ejected(state: State<Data>, reason: EjectionReason, durationMs: number): void;
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
  readonly #random: () => number;
  #policy: Policy | undefined;
  #nextReturnMs = Infinity;
  /** When endpoints are compared next; only requests need that, so that it is not before one has been seen. */
  #compareAtMs = Infinity;
  ejected = 0;

  /** @param states the present set @param random uniform in [0, 1) */
  constructor(events: OutlierEvents<Data>, states: () => readonly State<Data>[], random: () => number) {
    this.#events = events;
    this.#states = states;
    this.#random = random;
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
    this.#compareAtMs = Infinity;
    if (policy === undefined) this.#return(Infinity);
  }

  observed(state: State<Data>, outcome: Outcome, nowMs: number): void {
    const policy = this.#policy;
    if (policy === undefined || state.ejected || state.removed) return;
    if (this.#compareAtMs === Infinity && (policy.deviation ?? policy.failurePercentage) !== undefined)
      this.#compareAtMs = nowMs + policy.intervalMs;
    const { counts } = state;
    const split = policy.splitLocalFailures === true;
    counts.add(outcome, split);
    if (policy.successRate !== undefined && this.#isBelowRate(state, outcome, nowMs, policy.successRate))
      return this.#eject(state, 'success-rate', 100, nowMs, policy);
    const {
      consecutiveFailures: most,
      gatewayFailures: gateway,
      localFailures: local = LOCAL_FAILURES,
    } = policy;
    if (split && counts.localFailures >= local.count)
      return this.#eject(state, 'local-failures', local.enforcedPercent, nowMs, policy);
    if (most > 0 && counts.failures >= most)
      return this.#eject(
        state,
        'consecutive-failures',
        policy.consecutiveFailuresEnforcedPercent,
        nowMs,
        policy,
      );
    if (gateway !== undefined && counts.gatewayFailures >= gateway.count)
      this.#eject(state, 'gateway-failures', gateway.enforcedPercent, nowMs, policy);
  }

  /** Lets ejections end whose time is over, and compares endpoints when it is time. Two comparisons when it is not. */
  refresh(nowMs: number): void {
    if (nowMs >= this.#nextReturnMs) this.#return(nowMs);
    if (nowMs >= this.#compareAtMs) this.#compare(nowMs);
  }

  #return(nowMs: number): void {
    this.#nextReturnMs = Infinity;
    for (const state of this.#states()) {
      if (!state.ejected) continue;
      if (state.ejectedUntilMs > nowMs) {
        this.#nextReturnMs = Math.min(this.#nextReturnMs, state.ejectedUntilMs);
        continue;
      }
      this.#back(state);
      this.#events.returned(state);
    }
  }

  #compare(nowMs: number): void {
    const policy = this.#policy;
    if (policy === undefined) return;
    // The next interval begins with the next request.
    this.#compareAtMs = Infinity;
    const states = this.#states();
    compareEndpoints(
      states.filter(({ ejected }) => !ejected),
      policy,
      (state, reason, enforced) => {
        if (!state.ejected) this.#eject(state, reason, enforced, nowMs, policy);
      },
    );
    for (const { counts } of states) counts.compared();
  }

  /** The endpoint passed an active health check. */
  passedCheck(state: State<Data>): void {
    if (!state.ejected || this.#policy?.healthCheckReturns === false) return;
    this.#back(state);
    this.#events.returned(state);
  }

  #back(state: State<Data>): void {
    state.ejected = false;
    state.consecutiveFailures = 0;
    state.counts.restart();
    this.ejected -= 1;
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
    if (isFailure(outcome)) state.windowFailed += 1;
    return (
      state.windowTotal >= rate.minimumRequests &&
      (state.windowTotal - state.windowFailed) * 100 < rate.belowPercent * state.windowTotal
    );
  }

  #eject(
    state: State<Data>,
    reason: EjectionReason,
    enforcedPercent: number | undefined,
    nowMs: number,
    policy: Policy,
  ): void {
    state.consecutiveFailures = 0;
    state.counts.restart();
    state.windowStartMs = -Infinity;
    if (enforcedPercent !== undefined && this.#random() * 100 >= enforcedPercent) return;
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
    const durationMs =
      Math.min(
        policy.baseEjectionMs * state.ejectionStreak,
        Math.max(policy.maxEjectionMs, policy.baseEjectionMs),
      ) +
      (policy.ejectionJitterMs ?? 0) * this.#random();
    state.ejected = true;
    state.ejections += 1;
    state.ejectedUntilMs = nowMs + durationMs;
    this.ejected += 1;
    this.#nextReturnMs = Math.min(this.#nextReturnMs, state.ejectedUntilMs);
    this.#events.ejected(state, reason, durationMs);
  }
}
