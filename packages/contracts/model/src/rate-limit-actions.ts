import type { ValueMatch } from './route.ts';

/**
 * How a request is described to filters that limit rates by descriptors (Envoy `config.route.v3.RateLimit`): each action adds
 * one entry, in order; where one has nothing to add, there is no descriptor.
 */
export interface RateLimitActions {
  /** Only filters of this stage look at it, 0–10. Default 0. */
  readonly stage?: number;
  readonly actions: readonly RateLimitAction[];
  /**
   * The limit that holds in place of the one that the service knows (Envoy `RateLimit.limit`): itself, or where an earlier filter says it,
   * `{ requests_per_unit, unit }` with a unit such as `HOUR`. What is no such thing there changes nothing. Default: the service decides.
   */
  readonly limit?: StaticLimit | { readonly namespace: string; readonly path: readonly string[] };
  /**
   * The service is told when the stream is over, and nobody waits for its answer, or heeds it (Envoy `apply_on_stream_done`). Buckets of this
   * process are asked before all the same. Default false.
   */
  readonly atEnd?: boolean;
  /** Whether `x-ratelimit-…` say this limit (Envoy `x_ratelimit_option`). Default: as the filter has it. */
  readonly rateHeaders?: boolean;
}

/** What a filter itself says of how requests are described: then its routes and hosts are not asked. */
export interface OwnRateLimitActions extends RateLimitActions {
  /**
   * How much one request counts, 0–1,000,000,000; or one operator of access logs that says it, e.g. `{ format: '%REQ(x-cost)%' }`, and where that
   * is no such number there is no descriptor (Envoy `hits_addend`, which there counts in a filter's own list alone). Default 1.
   */
  readonly hits?: number | { readonly format: string };
  /** What `hits` says is given back (Envoy `is_negative_hits`). Default false. */
  readonly giveBack?: boolean;
}

/** A limit in figures. */
export interface StaticLimit {
  readonly requestsPerUnit: number;
  readonly unit: RateLimitUnit;
}

/** Names of Envoy's `type.v3.RateLimitUnit`. */
export const RATE_LIMIT_UNITS = ['UNKNOWN', 'SECOND', 'MINUTE', 'HOUR', 'DAY', 'MONTH', 'YEAR'] as const;

/** One of {@link RATE_LIMIT_UNITS}. */
export type RateLimitUnit = (typeof RATE_LIMIT_UNITS)[number];

/**
 * - `source-cluster`: name of the caller's service (`x-envoy-downstream-service-cluster`).
 * - `destination-cluster`: name of the cluster that the route chose.
 * - `header`: the value of a header, under `key`. Without the header there is no descriptor, or with `optional` one without
 *   this entry.
 * - `query`: likewise the first value of a query parameter.
 * - `remote-address`: the caller's address. `masked-remote-address`: its network, `…/bits`.
 * - `generic`: `value` as it stands, under `key`, default `generic_key`.
 * - `header-match`, `query-match`: `value` under `key`, default `header_match` or `query_match`, where the conditions hold; with
 *   `expect: false`, where they do not.
 * - `address-match`: likewise `value` under `key`, default `remote_address_match`, where the caller's address is in one of the networks; with
 *   `format: true` the value has operators of access logs, and `fallback` stands for one that comes to nothing.
 * - `cel`: what an expression comes to, as a text, under `key`. Without a result there is no descriptor, or with `optional` one without this
 *   entry.
 * - `metadata`: what an earlier filter found out, under `key`; else `fallback`; else as with `header`.
 */
export type RateLimitAction =
  | { readonly kind: 'source-cluster' | 'destination-cluster' | 'remote-address' }
  | { readonly kind: 'masked-remote-address'; readonly v4Bits?: number; readonly v6Bits?: number }
  | {
      readonly kind: 'header' | 'query';
      readonly name: string;
      readonly key: string;
      readonly optional?: boolean;
    }
  | {
      readonly kind: 'address-match';
      readonly value: string;
      readonly key?: string;
      readonly format?: boolean;
      readonly fallback?: string;
      readonly expect?: boolean;
      /** `address/bits`. */
      readonly cidrs: readonly string[];
    }
  | { readonly kind: 'cel'; readonly key: string; readonly cel: string; readonly optional?: boolean }
  | { readonly kind: 'generic'; readonly value: string; readonly key?: string }
  | {
      readonly kind: 'header-match';
      readonly value: string;
      readonly key?: string;
      readonly expect?: boolean;
      readonly headers: readonly ValueMatch[];
    }
  | {
      readonly kind: 'query-match';
      readonly value: string;
      readonly key?: string;
      readonly expect?: boolean;
      readonly query: readonly ValueMatch[];
    }
  | {
      readonly kind: 'metadata';
      readonly key: string;
      readonly namespace: string;
      readonly path: readonly string[];
      readonly fallback?: string;
      readonly optional?: boolean;
    };

/** What a route and its host say, as filters find it in the route's metadata under {@link RATE_LIMITS}. */
export interface RouteRateLimits {
  readonly route: readonly RateLimitActions[];
  readonly host: readonly RateLimitActions[];
  /** Whether the host's count also where the route has its own. */
  readonly includeHost: boolean;
}

/** Name in a route's metadata. */
export const RATE_LIMITS = 'tulle.rate-limits';
