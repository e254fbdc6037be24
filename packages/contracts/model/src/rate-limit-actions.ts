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
   * Where an earlier filter says which limit holds in place of the one that the service knows, `{ requests_per_unit, unit }` with a
   * unit such as `HOUR` (Envoy `RateLimit.limit`). What is no such thing there changes nothing. Default: the service decides.
   */
  readonly limit?: { readonly namespace: string; readonly path: readonly string[] };
}

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
 * - `address-match`: likewise `value` under `key`, default `remote_address_match`, where the caller's address is in one of the networks.
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
      readonly expect?: boolean;
      /** `address/bits`. */
      readonly cidrs: readonly string[];
    }
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
