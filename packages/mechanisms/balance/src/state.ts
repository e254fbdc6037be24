import { formatAddress, type Endpoint } from '@tulle/model';
import { isFailure, NEUTRAL, type CheckState, type EndpointState, type Outcome } from './endpoint-state.ts';
import type { LoadReport, LoadWeight } from './load-weights.ts';
import { OutlierCounts } from './outlier-counts.ts';

/** What states tell and ask of the balancer that they belong to. */
export interface StateOwner<Data> {
  /** Latency assumed of an endpoint that has not answered yet. */
  defaultRttMs: number;
  /** Time in which an observation loses two thirds of its weight. */
  decayMs: number;
  /** No round of health checks is over yet: what is pending may be picked. */
  readonly warming: boolean;
  reported(state: State<Data>, report: LoadReport, nowMs: number): boolean;
  observed(state: State<Data>, outcome: Outcome, nowMs: number): void;
}

/** A failure counts as twice what the endpoint seemed to take, up to this: quick errors must not attract traffic. */
const MAX_PENALTY_MS = 10_000;
/** Below this a latency says nothing; keeps the number of active attempts in the comparison. */
const MIN_LATENCY_MS = 1e-6;

/** An endpoint's state as the balancer writes it. */
export class State<Data> implements EndpointState<Data> {
  readonly address: string;
  readonly data: Data;
  endpoint: Endpoint;
  weight = 1;
  /** Its part of the picks at present: the weight, with what locality does to it. Set by the balancer. */
  share = 1;
  priority = 0;
  /** The source calls it healthy and gives it a share. */
  healthy = true;
  active = 0;
  started = 0;
  succeeded = 0;
  failed = 0;
  consecutiveFailures = 0;
  ejections = 0;
  ejected = false;
  check: CheckState = 'none';
  /** Its last health check passed, and said so. */
  checkedDegraded = false;
  /** When it came, or passed its health check again. */
  freshSinceMs: number;
  removed = false;
  /** Of its reports; `undefined`: it has not said any. */
  loadWeight: LoadWeight | undefined = undefined;
  /** When its ejection ends, or ended last. */
  ejectedUntilMs: number = -Infinity;
  ejectedAtMs: number | undefined = undefined;
  returnedAtMs: number | undefined = undefined;
  /** Ejections in a row. */
  ejectionStreak = 0;
  windowStartMs: number = -Infinity;
  windowTotal = 0;
  windowFailed = 0;
  /** What the outlier detector counts: in a row, and since it compared endpoints last. */
  readonly counts: OutlierCounts = new OutlierCounts();
  readonly #owner: StateOwner<Data>;
  #ewmaMs: number;
  #observedAtMs: number;

  constructor(owner: StateOwner<Data>, endpoint: Endpoint, data: Data, nowMs: number) {
    this.#owner = owner;
    this.address = formatAddress(endpoint.address);
    this.data = data;
    this.endpoint = endpoint;
    this.#ewmaMs = owner.defaultRttMs;
    this.#observedAtMs = nowMs;
    this.freshSinceMs = nowMs;
    this.configure(endpoint);
  }

  configure(endpoint: Endpoint): void {
    this.endpoint = endpoint;
    this.weight = endpoint.weight ?? 1;
    this.priority = endpoint.priority ?? 0;
    const { health = 'healthy' } = endpoint;
    this.healthy = (health === 'healthy' || health === 'degraded') && this.weight > 0;
  }

  /** Counts among those of its priority: gets new work, if not now. */
  get member(): boolean {
    return this.endpoint.health !== 'draining' && this.weight > 0 && !this.#awaitsCheck;
  }

  get usable(): boolean {
    return this.healthy && !this.ejected && !this.removed && this.check !== 'failed' && !this.#awaitsCheck;
  }

  /** New, and not checked yet: neither well nor ill. */
  get #awaitsCheck(): boolean {
    return this.check === 'pending' && !this.#owner.warming;
  }

  /** Picked only where those that are not do not suffice. */
  get degraded(): boolean {
    return this.endpoint.health === 'degraded' || this.checkedDegraded;
  }

  get latencyMs(): number {
    return this.#ewmaMs;
  }

  /** Expected latency times load: what peak-EWMA compares. Fades with time, so that a slow endpoint is tried again. */
  cost(nowMs: number): number {
    return Math.max(this.#ewmaMs * this.#fading(nowMs), MIN_LATENCY_MS) * (this.active + 1);
  }

  reportLoad(report: LoadReport, nowMs: number): boolean {
    return this.#owner.reported(this, report, nowMs);
  }

  onStart(): void {
    this.active += 1;
    this.started += 1;
  }

  onEnd(outcome: Outcome, latencyMs: number, nowMs: number): void {
    this.active = Math.max(this.active - 1, 0);
    if (outcome === NEUTRAL) return;
    if (isFailure(outcome)) {
      this.failed += 1;
      this.consecutiveFailures += 1;
      this.#observe(
        Math.max(latencyMs, this.#owner.defaultRttMs, Math.min(2 * this.#ewmaMs, MAX_PENALTY_MS)),
        nowMs,
      );
    } else {
      this.succeeded += 1;
      this.consecutiveFailures = 0;
      this.#observe(latencyMs, nowMs);
    }
    this.#owner.observed(this, outcome, nowMs);
  }

  /** Peak-sensitive: a worse value counts at once, a better one by its share of the decay (Finagle's PeakEwma). */
  #observe(latencyMs: number, nowMs: number): void {
    const keep = this.#fading(nowMs);
    this.#ewmaMs = latencyMs > this.#ewmaMs * keep ? latencyMs : this.#ewmaMs * keep + latencyMs * (1 - keep);
    this.#observedAtMs = Math.max(this.#observedAtMs, nowMs);
  }

  #fading(nowMs: number): number {
    return nowMs <= this.#observedAtMs ? 1 : Math.exp((this.#observedAtMs - nowMs) / this.#owner.decayMs);
  }
}
