import type { OwnRateLimitActions } from '../rate-limit-actions.ts';
import { ownRateLimitActionsSchema } from '../schema/rate-limit-actions.ts';
import type { HeaderEdits } from '../header-edits.ts';
import { headerEditsSchema } from './headers.ts';
import type { JsonSchema } from './json-schema.ts';

/**
 * Configuration of `tulle.http.global-ratelimit`: a service counts for all proxies (Envoy `extensions.filters.http.ratelimit.v3.RateLimit`,
 * `envoy.service.ratelimit.v3.RateLimitService`). Requests are described by the `rateLimits` of routes and hosts; one that
 * is not described is not counted.
 */
export interface GlobalRateLimitFilterConfig {
  /** Which of the service's limits are meant. */
  readonly domain: string;
  /** Cluster that is asked, over gRPC. */
  readonly cluster: string;
  /** `:authority` of calls. Default the cluster's name. */
  readonly authority?: string;
  /** For one call. Default 20 (Envoy): counting must not become what a request waits for. */
  readonly timeoutMs?: number;
  /** What becomes of a request when the service gives no answer. Default `allow` (Envoy); `deny` is counted. */
  readonly failureMode?: 'allow' | 'deny';
  /** Status of such a refusal, 400–599. Default 500 (Envoy `status_on_error`). */
  readonly statusOnError?: number;
  /** Share of requests without an answer that are refused, 0–100, in place of `failureMode` (Envoy `failure_mode_deny_percent`). */
  readonly denyPercent?: number;
  /** Requests from where alone are counted: `internal` and `external` are told apart by `x-envoy-internal`. Default: all. */
  readonly requests?: 'internal' | 'external';
  /** Share of requests that are counted, 0–100 (Envoy `filter_enabled`). Default 100. */
  readonly percent?: number;
  /** Share of those over the limit that are refused; the others go on, with what the service says (Envoy `filter_enforced`). Default 100. */
  readonly enforcedPercent?: number;
  /** How requests are described, in place of what routes and hosts say (Envoy `rate_limits`). */
  readonly rateLimits?: readonly OwnRateLimitActions[];
  /** Under which name later filters find the metadata of answers. Default `envoy.filters.http.ratelimit` (Envoy `metadata_namespace`). */
  readonly metadataNamespace?: string;
  /** Which `rateLimits` of routes and hosts count, 0–10. Default 0. */
  readonly stage?: number;
  /** Whose `rateLimits` count: the route's, else its host's (`override`, the default); both; or the route's alone. */
  readonly host?: 'override' | 'include' | 'ignore';
  /** Status of a refusal, 400–599. Default 429. */
  readonly status?: number;
  /** What gRPC calls are told: RESOURCE_EXHAUSTED for UNAVAILABLE. Default false. */
  readonly resourceExhausted?: boolean;
  /** Edits of refusals. */
  readonly responseHeaders?: HeaderEdits;
  /** Mark refusals by `x-envoy-ratelimited`. Default true. */
  readonly mark?: boolean;
  /** Say limit, rest and time to the next token in `x-ratelimit-…` (draft 03 of the IETF's ratelimit-headers). Default false. */
  readonly rateHeaders?: boolean;
  /**
   * Say in `retry-after` of a refusal with 429 after how many seconds the limits are reset, at least 1, where the service says so and says no
   * `retry-after` itself (Envoy `enable_retry_after_header`). Default false.
   */
  readonly retryAfter?: boolean;
  /** Calls under way; further requests are treated as without an answer. Default 1,024, as a cluster's requests. */
  readonly maxActiveCalls?: number;
}

/** What a route gives differently; absent fields are as in the base. */
export interface GlobalRateLimitRouteConfig {
  readonly domain?: string;
  readonly host?: 'override' | 'include' | 'ignore';
  /** In place of the filter's own, the route's and the host's. */
  readonly rateLimits?: readonly OwnRateLimitActions[];
}

/** Id of the filter. */
export const GLOBAL_RATE_LIMIT_FILTER = 'tulle.http.global-ratelimit';

const text = (description: string): JsonSchema => ({ type: 'string', minLength: 1, description });
const status = (fallback: number, description: string): JsonSchema => ({
  type: 'integer',
  minimum: 400,
  maximum: 599,
  default: fallback,
  description,
});
const share = (description: string): JsonSchema => ({
  type: 'number',
  minimum: 0,
  maximum: 100,
  description,
});
const host: JsonSchema = {
  enum: ['override', 'include', 'ignore'],
  description:
    'Whose rateLimits count: the route’s, else its host’s (the default); both; or the route’s alone.',
};

/** JSON Schema of {@link GlobalRateLimitFilterConfig}. */
export const globalRateLimitFilterSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['domain', 'cluster'],
  properties: {
    domain: text('Which of the service’s limits are meant.'),
    cluster: text('Cluster that is asked, over gRPC.'),
    authority: text(':authority of calls. Default the cluster’s name.'),
    timeoutMs: {
      type: 'integer',
      minimum: 1,
      maximum: 60_000,
      default: 20,
      description: 'For one call, in milliseconds.',
    },
    failureMode: {
      enum: ['allow', 'deny'],
      default: 'allow',
      description: 'What becomes of a request when the service gives no answer.',
    },
    statusOnError: status(500, 'Status of such a refusal.'),
    denyPercent: share('Share of requests without an answer that are refused, in place of failureMode.'),
    requests: {
      enum: ['internal', 'external'],
      description: 'Count only requests that are internal, or only others. Default: all.',
    },
    percent: { ...share('Share of requests that are counted.'), default: 100 },
    enforcedPercent: { ...share('Share of those over the limit that are refused.'), default: 100 },
    rateLimits: {
      ...ownRateLimitActionsSchema,
      description: 'How requests are described, in place of what routes and hosts say.',
    },
    metadataNamespace: {
      type: 'string',
      minLength: 1,
      default: 'envoy.filters.http.ratelimit',
      description: 'Under which name later filters find the metadata of answers.',
    },
    stage: {
      type: 'integer',
      minimum: 0,
      maximum: 10,
      default: 0,
      description: 'Which rateLimits of the route count.',
    },
    host,
    status: status(429, 'Status of a refusal.'),
    resourceExhausted: {
      type: 'boolean',
      default: false,
      description: 'Tell gRPC calls RESOURCE_EXHAUSTED for UNAVAILABLE.',
    },
    responseHeaders: { ...headerEditsSchema, description: 'Edits of refusals.' },
    mark: { type: 'boolean', default: true, description: 'Mark refusals by x-envoy-ratelimited.' },
    rateHeaders: {
      type: 'boolean',
      default: false,
      description: 'Say limit, rest and time to the next token in x-ratelimit-….',
    },
    retryAfter: {
      type: 'boolean',
      default: false,
      description: 'Say in retry-after of a refusal with 429 after how many seconds the limits are reset.',
    },
    maxActiveCalls: {
      type: 'integer',
      minimum: 1,
      maximum: 1_000_000,
      default: 1_024,
      description: 'Calls under way; further requests are treated as without an answer.',
    },
  },
};

/** JSON Schema of {@link GlobalRateLimitRouteConfig}. */
export const globalRateLimitRouteSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    domain: text('Which of the service’s limits are meant.'),
    host,
    rateLimits: ownRateLimitActionsSchema,
  },
};
