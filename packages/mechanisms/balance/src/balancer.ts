import { formatAddress, type BalancePolicy, type Endpoint, type OutlierDetection } from '@tulle/model';
import { leastRequest, peakEwma } from './best-of-few.ts';
import type { EndpointState, Outcome } from './endpoint-state.ts';
import { OutlierDetector, type OutlierEvents } from './outlier-detector.ts';
import type { Picker } from './picker.ts';
import { randomPick } from './random-pick.ts';
import { roundRobin } from './round-robin.ts';
import { State, type StateOwner } from './state.ts';

/** An endpoint was ejected or came back. */
export interface EjectionEvent<Data> {
  readonly state: EndpointState<Data>;
  readonly ejected: boolean;
  readonly reason: 'consecutive-failures' | 'success-rate' | 'expired';
  /** For an ejection: how long. */
  readonly durationMs: number;
}

/** See {@link createBalancer}. */
export interface BalancerOptions<Data> {
  /** Default peak-EWMA. */
  readonly policy?: BalancePolicy;
  /** Absent: nothing is ejected. */
  readonly outlier?: OutlierDetection;
  /** Uniform in [0, 1). */
  random(): number;
  /** Makes what the engine keeps with a new endpoint. Called once for each address that appears. */
  attach(endpoint: Endpoint, address: string): Data;
  /** The address left the set; attempts may still be under way (`state.active`). */
  detach?(state: EndpointState<Data>): void;
  /** For metrics and log. */
  onEjection?(event: EjectionEvent<Data>): void;
  /** An ejection was due and did not happen, since the share that may be out is used up or nothing else is left. */
  onEjectionRefused?(state: EndpointState<Data>): void;
}

/** Chooses endpoints of one cluster. */
export interface Balancer<Data> {
  /** Every endpoint of the set, in its order. */
  readonly endpoints: readonly EndpointState<Data>[];
  /** How many may be picked now: healthy, not ejected, of the priority in use. */
  readonly usable: number;
  readonly ejected: number;
  /** Takes a new set. Endpoints that stay (by address) keep their state; a double address counts once, the first. */
  update(endpoints: readonly Endpoint[], nowMs: number): void;
  /** Takes other policies; states stay. */
  configure(policy: BalancePolicy | undefined, outlier: OutlierDetection | undefined): void;
  /**
   * The endpoint for an attempt; does not start it. Allocates nothing.
   * @param excluded not these, e.g. what this request tried already
   * @returns `undefined` when none is left (with `excluded`: call again without, or give up)
   */
  pick(nowMs: number, excluded?: readonly EndpointState<Data>[]): EndpointState<Data> | undefined;
  /** The endpoint with this address. */
  get(address: string): EndpointState<Data> | undefined;
  /** Lets ejections end whose time is over; `pick` does so as well. Call it before a dump. */
  refresh(nowMs: number): void;
}

/** Peak-EWMA numbers of Linkerd and Finagle. */
const DEFAULT_RTT_MS = 30;
const DEFAULT_DECAY_MS = 10_000;

const NONE: readonly EndpointState<never>[] = Object.freeze([]);

class EndpointBalancer<Data> implements Balancer<Data>, StateOwner<Data> {
  endpoints: readonly State<Data>[] = [];
  usable = 0;
  defaultRttMs = DEFAULT_RTT_MS;
  decayMs = DEFAULT_DECAY_MS;
  readonly #options: BalancerOptions<Data>;
  readonly #outlier: OutlierDetector<Data>;
  #byAddress = new Map<string, State<Data>>();
  #picker: Picker<Data>;

  constructor(options: BalancerOptions<Data>) {
    this.#options = options;
    const events: OutlierEvents<Data> = {
      ejected: (state, reason, durationMs) => this.#changed({ state, ejected: true, reason, durationMs }),
      returned: (state) => this.#changed({ state, ejected: false, reason: 'expired', durationMs: 0 }),
      refused: (state) => options.onEjectionRefused?.(state),
    };
    this.#outlier = new OutlierDetector(events, () => this.endpoints);
    this.#picker = this.#makePicker(options.policy);
    this.#outlier.configure(options.outlier);
  }

  get ejected(): number {
    return this.#outlier.ejected;
  }

  configure(policy: BalancePolicy | undefined, outlier: OutlierDetection | undefined): void {
    this.#picker = this.#makePicker(policy);
    this.#outlier.configure(outlier);
    this.#rebuild();
  }

  update(endpoints: readonly Endpoint[], nowMs: number): void {
    const before = this.#byAddress;
    const after = new Map<string, State<Data>>();
    for (const endpoint of endpoints) {
      const address = formatAddress(endpoint.address);
      if (after.has(address)) continue;
      const known = before.get(address);
      known?.configure(endpoint);
      after.set(address, known ?? new State(this, endpoint, this.#options.attach(endpoint, address), nowMs));
    }
    this.#byAddress = after;
    this.endpoints = [...after.values()];
    for (const [address, state] of before) {
      if (after.has(address)) continue;
      this.#outlier.forget(state);
      state.removed = true;
      this.#options.detach?.(state);
    }
    this.#rebuild();
  }

  pick(nowMs: number, excluded: readonly EndpointState<Data>[] = NONE): State<Data> | undefined {
    this.#outlier.refresh(nowMs);
    return this.#picker.pick(nowMs, excluded);
  }

  get(address: string): State<Data> | undefined {
    return this.#byAddress.get(address);
  }

  refresh(nowMs: number): void {
    this.#outlier.refresh(nowMs);
  }

  observed(state: State<Data>, outcome: Outcome, nowMs: number): void {
    this.#outlier.observed(state, outcome, nowMs);
  }

  #changed(event: EjectionEvent<Data>): void {
    this.#rebuild();
    this.#options.onEjection?.(event);
  }

  /** The usable endpoints of the first priority that has any. */
  #rebuild(): void {
    let priority = Infinity;
    for (const state of this.endpoints)
      if (state.usable && state.priority < priority) priority = state.priority;
    const usable = this.endpoints.filter((state) => state.usable && state.priority === priority);
    this.usable = usable.length;
    this.#picker.rebuild(usable);
  }

  #makePicker(policy: BalancePolicy = { policy: 'peak-ewma' }): Picker<Data> {
    const random = (): number => this.#options.random();
    switch (policy.policy) {
      case 'round-robin':
        return roundRobin(random);
      case 'random':
        return randomPick(random);
      case 'least-request':
        return leastRequest(random, policy.choices ?? 2);
      case 'peak-ewma':
        this.defaultRttMs = policy.defaultRttMs ?? DEFAULT_RTT_MS;
        this.decayMs = policy.decayMs ?? DEFAULT_DECAY_MS;
        return peakEwma(random);
    }
  }
}

/** Makes a balancer with an empty set. */
export function createBalancer<Data>(options: BalancerOptions<Data>): Balancer<Data> {
  return new EndpointBalancer(options);
}
