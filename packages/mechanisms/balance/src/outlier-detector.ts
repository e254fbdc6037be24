import type { ConsecutiveRule, OutlierDetection } from '@tulle/model';
import { compareEndpoints, type ComparedRates, type ComparisonReason } from './compare-endpoints.ts';
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
  /** A rule found it, whatever chance makes of that, where it may be ejected at all; after {@link ejected}. */
  detected(state: State<Data>, reason: EjectionReason, rates: ComparedRates | undefined): void;
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
      return this.#found(state, 'success-rate', 100, nowMs, policy);
    const {
      consecutiveFailures: most,
      gatewayFailures: gateway,
      localFailures: local = LOCAL_FAILURES,
    } = policy;
    if (split && counts.localFailures >= local.count)
      return this.#found(state, 'local-failures', local.enforcedPercent, nowMs, policy);
    // In the order in which Envoy looks.
    if (gateway !== undefined && counts.gatewayFailures >= gateway.count) {
      this.#found(state, 'gateway-failures', gateway.enforcedPercent, nowMs, policy);
      if (state.ejected) return;
    }
    if (most > 0 && counts.failures >= most)
      this.#found(state, 'consecutive-failures', policy.consecutiveFailuresEnforcedPercent, nowMs, policy);
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
      this.#back(state, nowMs);
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
      (state, reason, enforced, rates) => {
        if (!state.ejected) this.#found(state, reason, enforced, nowMs, policy, rates);
      },
    );
    for (const { counts } of states) counts.compared();
  }

  /** The endpoint passed an active health check. */
  passedCheck(state: State<Data>, nowMs: number): void {
    if (!state.ejected || this.#policy?.healthCheckReturns === false) return;
    this.#back(state, nowMs);
    this.#events.returned(state);
  }

  #back(state: State<Data>, nowMs: number): void {
    state.ejected = false;
    state.returnedAtMs = nowMs;
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

  /** A rule is broken: the endpoint is ejected, unless that is not allowed, or chance spares it. */
  #found(
    state: State<Data>,
    reason: EjectionReason,
    enforcedPercent: number | undefined,
    nowMs: number,
    policy: Policy,
    rates?: ComparedRates,
  ): void {
    const allowed = Math.max(Math.floor((this.#states().length * policy.maxEjectionPercent) / 100), 1);
    // The last one stays: without it every request would fail without having been tried.
    if (this.ejected >= allowed || !this.#states().some((other) => other !== state && other.usable)) {
      beginAnew(state, reason);
      this.#events.refused(state);
      return;
    }
    if (enforcedPercent === undefined || this.#random() * 100 < enforcedPercent)
      this.#eject(state, reason, nowMs, policy);
    else beginAnew(state, reason);
    this.#events.detected(state, reason, rates);
  }

  #eject(state: State<Data>, reason: EjectionReason, nowMs: number, policy: Policy): void {
    state.consecutiveFailures = 0;
    state.counts.restart();
    state.windowStartMs = -Infinity;
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
    state.ejectedAtMs = nowMs;
    state.ejectedUntilMs = nowMs + durationMs;
    this.ejected += 1;
    this.#nextReturnMs = Math.min(this.#nextReturnMs, state.ejectedUntilMs);
    this.#events.ejected(state, reason, durationMs);
  }
}

/** The rule alone that found something: what others have counted stays, so that they find it, too. */
function beginAnew(state: State<unknown>, reason: EjectionReason): void {
  const { counts } = state;
  if (reason === 'consecutive-failures') counts.restartOne('failures');
  else if (reason === 'gateway-failures') counts.restartOne('gatewayFailures');
  else if (reason === 'local-failures') counts.restartOne('localFailures');
  else if (reason === 'success-rate') state.windowStartMs = -Infinity;
}
