import type { Endpoint } from '@tulle/model';
import type { LoadReport } from './load-weights.ts';

/** The endpoint answered whole, and not with a 5xx. */
export const SUCCESS = 0;
/** Another 5xx, or a gRPC status that stands for one: counts towards ejection. */
export const FAILURE = 1;
/** Says nothing about the endpoint: the caller went away, a local limit was reached. */
export const NEUTRAL = 2;
/** A failure: 502, 503 or 504. */
export const GATEWAY_FAILURE = 3;
/** A failure on the way: no connection, no answer in time, a reset. */
export const LOCAL_FAILURE = 4;
/** How an attempt ended, seen from balancing. */
export type Outcome =
  | typeof SUCCESS
  | typeof FAILURE
  | typeof NEUTRAL
  | typeof GATEWAY_FAILURE
  | typeof LOCAL_FAILURE;

/** Whether it counts towards ejection. */
export function isFailure(outcome: Outcome): boolean {
  return outcome !== SUCCESS && outcome !== NEUTRAL;
}

/**
 * What active health checks say: `none` where nobody checks, `pending` before the first result.
 */
export type CheckState = 'none' | 'pending' | 'passed' | 'failed';

/**
 * One endpoint with what is known of it. Stays the same object as long as its address stays in the set.
 * @typeParam Data what the engine keeps with it, e.g. its connection pool
 */
export interface EndpointState<Data> {
  /** As configured last. */
  readonly endpoint: Endpoint;
  /** `host:port`, `[v6]:port` or the socket's path; its key in the set. */
  readonly address: string;
  /** Share among its peers. */
  readonly weight: number;
  readonly priority: number;
  readonly data: Data;
  /** Attempts under way. */
  readonly active: number;
  /** Attempts begun, succeeded, failed; only grow. */
  readonly started: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly consecutiveFailures: number;
  /** Ejections so far. */
  readonly ejections: number;
  readonly ejected: boolean;
  /** When it was ejected last, and when it came back last; `undefined`: never. */
  readonly ejectedAtMs: number | undefined;
  readonly returnedAtMs: number | undefined;
  readonly check: CheckState;
  /** Its last health check passed, and it said that it is degraded. */
  readonly checkedDegraded: boolean;
  /** Its source or its health check calls it degraded: it is picked where the others do not suffice. */
  readonly degraded: boolean;
  /** Whether it may be picked: well by its source and its health check, and not ejected. */
  readonly usable: boolean;
  /** Whether it left the set; attempts under way may still end on it. */
  readonly removed: boolean;
  /** Peak-EWMA of latency in milliseconds, for dumps. */
  readonly latencyMs: number;
  /**
   * It says how much load it has; counts where the policy goes by that.
   * @returns whether the report says a weight: it needs requests and a utilization
   */
  reportLoad(report: LoadReport, nowMs: number): boolean;
  /** An attempt begins. */
  onStart(): void;
  /**
   * That attempt ended: the endpoint has nothing more to do for it (its response is whole, a tunnel is over, or it
   * failed). Exactly once for each `onStart`.
   * @param latencyMs from start to response head or failure; how long a body takes says little of the endpoint
   */
  onEnd(outcome: Outcome, latencyMs: number, nowMs: number): void;
}
