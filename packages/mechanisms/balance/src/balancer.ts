import {
  formatAddress,
  type BalancePolicy,
  type ClientSideWeights,
  type Endpoint,
  type OutlierDetection,
  type SubsetRules,
  type ZoneRouting,
} from '@tulle/model';
import type { ComparedRates } from './compare-endpoints.ts';
import { leastOfAll, leastRequest, peakEwma } from './best-of-few.ts';
import { byHash } from './hash-table.ts';
import { LevelSet, type LevelOwner } from './level-set.ts';
import { LoadWeight, medianOf, updateEveryMs, type LoadReport } from './load-weights.ts';
import { maglevOf } from './maglev.ts';
import { ringOf } from './ring-hash.ts';
import type { EndpointState, Outcome } from './endpoint-state.ts';
import { OutlierDetector, type EjectionReason, type OutlierEvents } from './outlier-detector.ts';
import type { Picker } from './picker.ts';
import { pickFirst } from './pick-first.ts';
import type { HealthRules, PriorityCount } from './priority-loads.ts';
import { randomPick } from './random-pick.ts';
import { roundRobin } from './round-robin.ts';
import { rampFactor, rampStepMs } from './slow-start.ts';
import { State, type StateOwner } from './state.ts';
import { Subsets, type SubsetCriteria } from './subsets.ts';
import type { CallerZones } from './zones.ts';

/** An endpoint was ejected or came back. */
export interface EjectionEvent<Data> {
  readonly state: EndpointState<Data>;
  readonly ejected: boolean;
  readonly reason: EjectionReason | 'expired';
  /** For an ejection: how long. */
  readonly durationMs: number;
}

/** A rule found that an endpoint is to be ejected. */
export interface DetectionEvent<Data> {
  readonly state: EndpointState<Data>;
  readonly reason: EjectionReason;
  /** Where endpoints were compared: with what outcome. */
  readonly rates: ComparedRates | undefined;
}

/** See {@link createBalancer}. */
export interface BalancerOptions<Data> {
  /** Default peak-EWMA. */
  readonly policy?: BalancePolicy;
  /** Absent: nothing is ejected. */
  readonly outlier?: OutlierDetection;
  /** Endpoints begin unchecked, and wait for {@link Balancer.checked}. Default false. */
  readonly healthChecked?: boolean;
  /** Fewer usable endpoints of a priority than this, percent, and health is not believed; 0: never. Default 50. */
  readonly panicThresholdPercent?: number;
  /** In panic nothing is picked. Default false. */
  readonly failsOnPanic?: boolean;
  /** Localities share by `Endpoint.localityWeight`. Default false. */
  readonly localityWeighted?: boolean;
  /** Absent: labels decide nothing. */
  readonly subsets?: SubsetRules;
  /** Absent: where callers are makes no difference. Not of subsets. */
  readonly zoneRouting?: ZoneRouting;
  /** Where callers are, for `zoneRouting`; asked for each pick. `undefined`: nobody knows. */
  callerZones?(): CallerZones | undefined;
  /** Uniform in [0, 1). */
  random(): number;
  /** Makes what the engine keeps with a new endpoint. Called once for each address that appears. */
  attach(endpoint: Endpoint, address: string): Data;
  /** The address left the set; attempts may still be under way (`state.active`). */
  detach?(state: EndpointState<Data>): void;
  /** An active health check found ill who was not known to be. */
  onFailedCheck?(state: EndpointState<Data>): void;
  /** For metrics and log. */
  onEjection?(event: EjectionEvent<Data>): void;
  /** Something was found, and `state.ejected` says whether it was ejected for it (`enforced…Percent`); for logs. */
  onDetection?(event: DetectionEvent<Data>): void;
  /** An ejection was due and did not happen, since the share that may be out is used up or nothing else is left. */
  onEjectionRefused?(state: EndpointState<Data>): void;
  /** An endpoint was picked although it may be unhealthy, since too few of its priority are healthy. */
  onPanicPick?(): void;
}

/** Chooses endpoints of one cluster. */
export interface Balancer<Data> {
  /** Every endpoint of the set, in its order. */
  readonly endpoints: readonly EndpointState<Data>[];
  /** How many may be picked: healthy or degraded, and not ejected. */
  readonly usable: number;
  /** How many of them are degraded. */
  readonly degraded: number;
  readonly ejected: number;
  /**
   * Takes a new set. Endpoints that stay (by address) keep their state; a double address counts once, the first.
   * @param rules how their health counts
   */
  update(endpoints: readonly Endpoint[], nowMs: number, rules?: HealthRules): void;
  /** Takes other policies; states stay. */
  configure(policy: BalancePolicy | undefined, outlier: OutlierDetection | undefined): void;
  /**
   * The endpoint for an attempt; does not start it. Allocates nothing. Where a priority has none left that is not
   * excluded, the others follow, first to last.
   * @param excluded not these, e.g. what this request tried already
   * @param hash where {@link hashes}: what is equal goes to the same endpoint; from 0 to 2^32 - 1, below 0 for none
   * @param subset labels that the endpoint must have, where the cluster has subsets
   * @returns `undefined` when none is left (with `excluded`: call again without, or give up)
   */
  pick(
    nowMs: number,
    excluded?: readonly EndpointState<Data>[],
    hash?: number,
    subset?: SubsetCriteria,
  ): EndpointState<Data> | undefined;
  /**
   * The same, but only what may be picked without panic, and only degraded ones or only others: for one that chooses among
   * the endpoints of several balancers.
   */
  pickUsable(
    nowMs: number,
    excluded: readonly EndpointState<Data>[] | undefined,
    hash: number,
    degraded: boolean,
  ): EndpointState<Data> | undefined;
  /** How many there are of each priority, first to last; another list whenever something changed. */
  readonly counts: readonly PriorityCount[];
  /** Whether so few of the first priority are usable that health is not believed there. */
  readonly panics: boolean;
  /** How many endpoints the set has. */
  readonly size: number;
  /** Whether the policy goes by hashes. */
  readonly hashes: boolean;
  /** Whether the policy goes by what endpoints say of their load, see {@link EndpointState.reportLoad}. */
  readonly readsLoad: boolean;
  /**
   * What an active health check found, each time; once it has, `pending` endpoints are not picked until it has found them well.
   * @param degraded it passed, and the endpoint says that it is degraded. Default false
   */
  checked(state: EndpointState<Data>, passed: boolean, nowMs: number, degraded?: boolean): void;
  /** Every endpoint that was there at the beginning has been checked, or is given up: from now on new ones wait. */
  warmed(nowMs: number): void;
  /** The endpoint with this address. */
  get(address: string): EndpointState<Data> | undefined;
  /** Lets ejections end whose time is over; `pick` does so as well. Call it before a dump. */
  refresh(nowMs: number): void;
}

/** Peak-EWMA numbers of Linkerd and Finagle. */
const DEFAULT_RTT_MS = 30;
const DEFAULT_DECAY_MS = 10_000;

/** Envoy's `healthy_panic_threshold`. */
const DEFAULT_PANIC_PERCENT = 50;

/** As many points as a maglev table has places; Envoy lets a ring have 8 Mi, some 64 MiB. */
const MAX_RING = 65_537;
/** Envoy's, a prime. */
const MAGLEV_SIZE = 65_537;

const NONE: readonly EndpointState<never>[] = Object.freeze([]);

class EndpointBalancer<Data> implements Balancer<Data>, StateOwner<Data>, LevelOwner<Data> {
  endpoints: readonly State<Data>[] = [];
  usable = 0;
  rules: HealthRules = {};
  defaultRttMs = DEFAULT_RTT_MS;
  decayMs = DEFAULT_DECAY_MS;
  warming = true;
  hashes = false;
  readsLoad = false;
  readonly panicThresholdPercent: number;
  readonly failsOnPanic: boolean;
  readonly #options: BalancerOptions<Data>;
  readonly #outlier: OutlierDetector<Data>;
  #byAddress = new Map<string, State<Data>>();
  #policy: BalancePolicy;
  readonly #all: LevelSet<Data>;
  readonly #subsets: Subsets<Data> | undefined;
  /** Without panic; made for the first that asks. */
  #usableOnly: LevelSet<Data> | undefined;
  /** As last taken into account. */
  #zones: CallerZones | undefined;
  /** When shares follow a slow start again. */
  #rampsOnAtMs = Infinity;
  /** Of the last event that may change what is picked. */
  #nowMs = 0;

  constructor(options: BalancerOptions<Data>) {
    this.#options = options;
    const events: OutlierEvents<Data> = {
      ejected: (state, reason, durationMs) => this.#changed({ state, ejected: true, reason, durationMs }),
      returned: (state) => this.#changed({ state, ejected: false, reason: 'expired', durationMs: 0 }),
      refused: (state) => options.onEjectionRefused?.(state),
      detected: (state, reason, rates) => options.onDetection?.({ state, reason, rates }),
    };
    this.#outlier = new OutlierDetector(
      events,
      () => this.endpoints,
      () => options.random(),
    );
    this.panicThresholdPercent = options.panicThresholdPercent ?? DEFAULT_PANIC_PERCENT;
    this.failsOnPanic = options.failsOnPanic === true;
    this.#policy = this.#take(options.policy);
    this.#outlier.configure(options.outlier);
    this.#all = new LevelSet(this, options.localityWeighted === true);
    const { subsets } = options;
    this.#subsets =
      subsets && new Subsets(subsets, this.#all, () => new LevelSet(this, subsets.localityWeighted === true));
  }

  random(): number {
    return this.#options.random();
  }

  onPanicPick(): void {
    this.#options.onPanicPick?.();
  }

  get degraded(): number {
    return this.#all.degraded;
  }

  get ejected(): number {
    return this.#outlier.ejected;
  }

  configure(policy: BalancePolicy | undefined, outlier: OutlierDetection | undefined): void {
    this.#policy = this.#take(policy);
    this.#all.reset();
    this.#subsets?.reset();
    this.#usableOnly?.reset();
    this.#outlier.configure(outlier);
    this.#rebuild(this.#nowMs);
  }

  update(endpoints: readonly Endpoint[], nowMs: number, rules: HealthRules = {}): void {
    this.rules = rules;
    const before = this.#byAddress;
    const after = new Map<string, State<Data>>();
    for (const endpoint of endpoints) {
      const address = formatAddress(endpoint.address);
      if (after.has(address)) continue;
      const known = before.get(address);
      known?.configure(endpoint);
      after.set(address, known ?? this.#join(endpoint, address, nowMs));
    }
    this.#byAddress = after;
    this.endpoints = [...after.values()];
    for (const [address, state] of before) {
      if (after.has(address)) continue;
      this.#outlier.forget(state);
      state.removed = true;
      this.#options.detach?.(state);
    }
    this.#rebuild(nowMs);
  }

  #join(endpoint: Endpoint, address: string, nowMs: number): State<Data> {
    const state = new State(this, endpoint, this.#options.attach(endpoint, address), nowMs);
    if (this.#options.healthChecked === true) state.check = 'pending';
    return state;
  }

  checked(state: State<Data>, passed: boolean, nowMs: number, degraded = false): void {
    const check = passed ? 'passed' : 'failed';
    if (passed && !state.removed) this.#outlier.passedCheck(state, nowMs);
    const same = state.check === check && state.checkedDegraded === degraded;
    if (same || state.removed) return;
    if (passed && state.check !== 'passed') state.freshSinceMs = nowMs;
    const fails = !passed && state.check !== 'failed';
    state.check = check;
    state.checkedDegraded = degraded;
    this.#rebuild(nowMs);
    if (fails) this.#options.onFailedCheck?.(state);
  }

  warmed(nowMs: number): void {
    if (!this.warming) return;
    this.warming = false;
    this.#rebuild(nowMs);
  }

  pick(
    nowMs: number,
    excluded: readonly EndpointState<Data>[] = NONE,
    hash = -1,
    subset?: SubsetCriteria,
  ): State<Data> | undefined {
    this.#outlier.refresh(nowMs);
    if (nowMs >= this.#rampsOnAtMs) this.#rebuild(nowMs);
    if (this.#options.zoneRouting !== undefined) this.#followZones(nowMs);
    const levels = this.#subsets === undefined ? this.#all : this.#subsets.find(subset);
    return levels?.pick(nowMs, excluded, hash);
  }

  pickUsable(
    nowMs: number,
    excluded: readonly EndpointState<Data>[] = NONE,
    hash: number,
    degraded: boolean,
  ): State<Data> | undefined {
    this.#outlier.refresh(nowMs);
    if (nowMs >= this.#rampsOnAtMs) this.#rebuild(nowMs);
    if (this.#usableOnly === undefined) {
      const rulesNow = (): HealthRules => this.rules;
      const owner: LevelOwner<Data> = {
        panicThresholdPercent: 0,
        get rules() {
          return rulesNow();
        },
        failsOnPanic: false,
        random: () => this.random(),
        makePicker: () => this.makePicker(),
        onPanicPick: () => {},
      };
      this.#usableOnly = new LevelSet(owner, this.#options.localityWeighted === true);
      this.#usableOnly.rebuild(this.endpoints, this.#ramp(nowMs));
    }
    return this.#usableOnly.pickKind(degraded, nowMs, excluded, hash);
  }

  #followZones(nowMs: number): void {
    const { zoneRouting, callerZones } = this.#options;
    const zones = callerZones?.();
    if (zones === this.#zones || zoneRouting === undefined) return;
    this.#zones = zones;
    this.#all.setZones(zones, zoneRouting);
    this.#rebuild(nowMs);
  }

  get counts(): readonly PriorityCount[] {
    return this.#all.counts;
  }

  get panics(): boolean {
    return this.#all.panics;
  }

  get size(): number {
    return this.endpoints.length;
  }

  get(address: string): State<Data> | undefined {
    return this.#byAddress.get(address);
  }

  refresh(nowMs: number): void {
    this.#outlier.refresh(nowMs);
  }

  observed(state: State<Data>, outcome: Outcome, nowMs: number): void {
    this.#nowMs = nowMs;
    this.#outlier.observed(state, outcome, nowMs);
  }

  reported(state: State<Data>, report: LoadReport, nowMs: number): boolean {
    const policy = this.#policy;
    if (policy.policy !== 'client-side-weighted-round-robin' || state.removed) return false;
    const taken = (state.loadWeight ??= new LoadWeight()).take(report, policy, nowMs);
    if (taken && this.#rampsOnAtMs === Infinity) this.#rampsOnAtMs = nowMs + updateEveryMs(policy);
    return taken;
  }

  #changed(event: EjectionEvent<Data>): void {
    this.#rebuild(this.#nowMs);
    this.#options.onEjection?.(event);
  }

  #rebuild(nowMs: number): void {
    this.#nowMs = nowMs;
    const partOf = this.#ramp(nowMs);
    this.#all.rebuild(this.endpoints, partOf);
    this.usable = this.#all.usable;
    this.#subsets?.rebuild(this.endpoints, partOf);
    this.#usableOnly?.rebuild(this.endpoints, partOf);
  }

  /** The part of its weight that an endpoint has now, and when that is asked again. */
  #ramp(nowMs: number): (state: State<Data>) => number {
    this.#rampsOnAtMs = Infinity;
    if (this.#policy.policy === 'client-side-weighted-round-robin')
      return this.#byReports(this.#policy, nowMs);
    const slowStart = 'slowStart' in this.#policy ? this.#policy.slowStart : undefined;
    if (slowStart === undefined) return whole;
    return (state) => {
      const factor = rampFactor(slowStart, nowMs - state.freshSinceMs);
      if (factor < 1) this.#rampsOnAtMs = nowMs + rampStepMs(slowStart);
      return factor;
    };
  }

  /** Who has said nothing that counts is taken for one in the middle of the others. */
  #byReports(policy: ClientSideWeights, nowMs: number): (state: State<Data>) => number {
    const weights = new Map<State<Data>, number>();
    for (const state of this.endpoints) {
      if (state.loadWeight === undefined) continue;
      this.#rampsOnAtMs = nowMs + updateEveryMs(policy);
      const weight = state.loadWeight.at(nowMs, policy);
      if (weight > 0) weights.set(state, weight);
    }
    if (weights.size === 0) return whole;
    const median = medianOf([...weights.values()]);
    return (state) => (weights.get(state) ?? median) / state.weight;
  }

  #take(policy: BalancePolicy = { policy: 'peak-ewma' }): BalancePolicy {
    if (policy.policy === 'peak-ewma') {
      this.defaultRttMs = policy.defaultRttMs ?? DEFAULT_RTT_MS;
      this.decayMs = policy.decayMs ?? DEFAULT_DECAY_MS;
    }
    this.readsLoad = policy.policy === 'client-side-weighted-round-robin';
    this.hashes = policy.policy === 'ring-hash' || policy.policy === 'maglev';
    return policy;
  }

  makePicker(): Picker<Data> {
    const policy = this.#policy;
    const random = (): number => this.#options.random();
    switch (policy.policy) {
      case 'round-robin':
      case 'client-side-weighted-round-robin':
        return roundRobin(random);
      case 'random':
        return randomPick(random);
      case 'least-request':
        return policy.fullScan === true
          ? leastOfAll(random, policy.activeRequestBias)
          : leastRequest(random, policy.choices ?? 2, policy.activeRequestBias);
      case 'pick-first':
        return pickFirst(random, policy.shuffle === true);
      case 'peak-ewma':
        return peakEwma(random);
      case 'ring-hash':
        return byHash(random, ringOf(policy.minRingSize ?? 1_024, policy.maxRingSize ?? MAX_RING), policy);
      case 'maglev':
        return byHash(random, maglevOf(policy.tableSize ?? MAGLEV_SIZE), policy);
    }
  }
}

function whole(): number {
  return 1;
}

/** Makes a balancer with an empty set. */
export function createBalancer<Data>(options: BalancerOptions<Data>): Balancer<Data> {
  return new EndpointBalancer(options);
}
