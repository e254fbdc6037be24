import type { BalancePolicy, Endpoint, OutlierDetection } from '@tulle/model';
import type { EndpointState } from './endpoint-state.ts';

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

/** Makes a balancer with an empty set. */
export declare function createBalancer<Data>(options: BalancerOptions<Data>): Balancer<Data>;
