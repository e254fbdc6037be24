/**
 * Requests go to endpoints with the labels that their route asks for, `WeightedCluster.subset` (Envoy `LbSubsetConfig`). What
 * a request that asks for other keys than any selector has, or for nobody's values, falls back to: `none`, it is refused;
 * `any` endpoint; the `default` subset; by a selector also the labels of `fallbackKeys` alone.
 */
export interface SubsetRules {
  /** Default `none`. */
  readonly fallback?: Exclude<SubsetFallback, 'keys'>;
  /** Labels of the default subset; empty or absent: every endpoint. */
  readonly defaultSubset?: Readonly<Record<string, string>>;
  /** Which keys make subsets. At least one. */
  readonly selectors: readonly SubsetSelector[];
  /** Whether localities share by weight within a subset. Default false (Envoy `locality_weight_aware`). */
  readonly localityWeighted?: boolean;
}

export type SubsetFallback = 'none' | 'any' | 'default' | 'keys';

/** Each combination of values of these keys is a subset. */
export interface SubsetSelector {
  /** At least one. */
  readonly keys: readonly string[];
  /** Default: the rules'. */
  readonly fallback?: SubsetFallback;
  /** Some of `keys`, fewer; for the fallback `keys`. */
  readonly fallbackKeys?: readonly string[];
  /** Each of these subsets is one endpoint, the first that has the values. Default false. */
  readonly singleHost?: boolean;
}

/**
 * How an endpoint is chosen.
 * - `round-robin`: weighted, smooth. `random`: weighted.
 * - `client-side-weighted-round-robin`: weighted by what endpoints say of their load in fields or trailers of their answers,
 *   `endpoint-load-metrics` or `endpoint-load-metrics-bin` (ORCA): requests a second over utilization.
 * - `least-request`: fewest active requests for its weight, of `choices` (default 2) drawn at random, or of all with
 *   `fullScan`. `activeRequestBias`: how much active requests count against weights; 0: weights alone. Default 1.
 * - `peak-ewma`: least latency x load of two drawn; seed `defaultRttMs` 30, decay `decayMs` 10,000 (Linkerd's numbers).
 * - `pick-first`: always the first that is well, in the order of the set, or with `shuffle` in an order by chance.
 * - `ring-hash`, `maglev`: by a hash of what the `hashPolicy` of the cluster, else of the route, says, so that what is equal goes to the same endpoint
 *   as long as that is well; at random without one. A ring has `minRingSize` points (default 1,024), as many more as
 *   weights need, at most `maxRingSize` (default 65,537; Envoy 8,388,608). A maglev table has `tableSize` places, a prime
 *   (default 65,537): more even, and more of it moves when the set changes. See {@link HashOptions}.
 */
export type BalancePolicy =
  | { readonly policy: 'round-robin'; readonly slowStart?: SlowStart }
  | ({ readonly policy: 'client-side-weighted-round-robin' } & ClientSideWeights)
  | { readonly policy: 'random' }
  | {
      readonly policy: 'least-request';
      readonly choices?: number;
      readonly fullScan?: boolean;
      readonly activeRequestBias?: number;
      readonly slowStart?: SlowStart;
    }
  | { readonly policy: 'peak-ewma'; readonly defaultRttMs?: number; readonly decayMs?: number }
  | { readonly policy: 'pick-first'; readonly shuffle?: boolean }
  | ({
      readonly policy: 'ring-hash';
      readonly minRingSize?: number;
      readonly maxRingSize?: number;
    } & HashOptions)
  | ({ readonly policy: 'maglev'; readonly tableSize?: number } & HashOptions);

/**
 * Requests say themselves which endpoints they go to (Envoy `OverrideHost`): addresses (`10.0.0.5:8080`, `[2001:db8::1]:80`) behind
 * commas, the first for the first attempt, the next for the next one; up to 16 of them. Those that the cluster does not have are
 * passed over; others are taken whatever is known of their health, as there. Where none is left, the cluster's policy chooses.
 *
 * Who comes to the cluster as a part of an aggregate says nothing by it (as there).
 *
 * Who may say the header reaches any endpoint of the cluster; none beyond it.
 */
export interface HostOverride {
  /** Where addresses are looked for; those of the first come first. At least one. */
  readonly sources: readonly HostSource[];
  /** Where it is noted, as what a filter found out, to which address an attempt goes. Absent: nowhere. */
  readonly chosenIn?: MetadataPlace;
}

/** The first line of a field of the request, or text that a filter found out. */
export type HostSource =
  | { readonly kind: 'header'; readonly name: string }
  | ({ readonly kind: 'metadata' } & MetadataPlace);

/** A place among what filters found out about a request (Envoy's dynamic metadata). */
export interface MetadataPlace {
  /** E.g. `envoy.lb`. */
  readonly namespace: string;
  /** Keys on the way to the value. At least one. */
  readonly path: readonly string[];
}

/**
 * Callers stay where they are as far as endpoints there reach, by where this proxy says that it and its like are (Envoy
 * `ZoneAwareLbConfig`): of the first priority, where endpoints and callers are at two places at least.
 */
export interface ZoneRouting {
  /** Part of the requests of which that holds, percent. Default 100. */
  readonly percent?: number;
  /** Where fewer endpoints may be picked than so many, it holds of none. Default 6. */
  readonly minEndpoints?: number;
}

/** How weights follow reports of load (Envoy `ClientSideWeightedRoundRobin`; defaults as there). */
export interface ClientSideWeights {
  /** How long an endpoint has to report before its weight counts; until then it has that of the others' median. Default 10,000. */
  readonly blackoutMs?: number;
  /** A weight that is not reported again is given up after this. Default 180,000. */
  readonly expirationMs?: number;
  /** How often weights follow. At least 100. Default 1,000. */
  readonly updateMs?: number;
  /** How much failing requests count as utilization: this times their share of all. Default 1. */
  readonly errorPenalty?: number;
}

/** Of balancing by hashes (Envoy `ConsistentHashingLbConfig`). */
export interface HashOptions {
  /** Endpoints have their place by `hostname`, where they have one, instead of their address. Default false. */
  readonly useHostname?: boolean;
  /**
   * Most requests that an endpoint has at a time, percent of the average, for its weight; what would be more goes to the
   * next. At least 100. Default: no bound.
   */
  readonly balanceFactorPercent?: number;
}

/**
 * An endpoint that is new, or passes its health check again, gets its weight little by little (Envoy `SlowStartConfig`).
 * Endpoints that come at the same time share evenly from the first.
 */
export interface SlowStart {
  /** How long it takes. */
  readonly windowMs: number;
  /** 1: the weight grows evenly; more: faster at first. Default 1. */
  readonly aggression?: number;
  /** Least part of its weight. Default 10. */
  readonly minWeightPercent?: number;
}
