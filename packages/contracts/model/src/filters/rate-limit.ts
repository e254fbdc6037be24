import { headerEditsSchema } from './headers.ts';
import type { HeaderEdits } from '../header-edits.ts';
import type { OwnRateLimitActions } from '../rate-limit-actions.ts';
import { ownRateLimitActionsSchema } from '../schema/rate-limit-actions.ts';
import type { JsonSchema } from './json-schema.ts';

/** Configuration of `tulle.http.ratelimit`: local token buckets. */
export interface RateLimitFilterConfig {
  /** All limits that apply must have a token; the first without one refuses with 429 and `retry-after`. */
  readonly limits: readonly RateLimit[];
  /** Limits by what routes say of a request (Envoy's `local_ratelimit`), beside `limits`. */
  readonly descriptors?: DescriptorLimits;
}

/**
 * Limits in Envoy's words (`extensions.filters.http.local_ratelimit.v3.LocalRateLimit`). A request takes a token of the bucket
 * of each of its descriptors that is listed, and one of the default bucket.
 */
export interface DescriptorLimits {
  /** Shown in metrics and details (`stat_prefix`). */
  readonly name: string;
  readonly bucket: Bucket;
  /**
   * How requests are described, in place of what routes and hosts say (Envoy `rate_limits`); an empty list describes none. What is there `atEnd`
   * counts nowhere. A request that counts 0 is refused by the bucket of its descriptor; the default bucket always gives one token (both as in Envoy).
   */
  readonly rateLimits?: readonly OwnRateLimitActions[];
  /** Buckets of the requests whose route gives them exactly these entries. An entry whose value is empty stands for every value. */
  readonly buckets?: readonly DescriptorBucket[];
  /**
   * Buckets kept at most for the values of one descriptor with empty values; past it the one unused longest goes. Default 20, as in Envoy
   * (`max_dynamic_descriptors`).
   */
  readonly maxDynamic?: number;
  /** Which of the route's `rateLimits` count. Default 0. */
  readonly stage?: number;
  /** Whose `rateLimits` count: the route's, else its host's (`override`, the default); both; or the route's alone (`ignore`). */
  readonly host?: 'override' | 'include' | 'ignore';
  /** Whether a request that took a token of another bucket needs one of the default bucket too. Default true. */
  readonly alwaysDefault?: boolean;
  /** One set of buckets for each connection. Default one for the process. */
  readonly perConnection?: boolean;
  /** Share of requests that are counted, 0–100. Default 100. */
  readonly percent?: number;
  /** Share of those without a token that are refused; the others go on. Default 100. */
  readonly enforcedPercent?: number;
  /** Of a refusal, 400–599. Default 429. */
  readonly status?: number;
  /** What gRPC calls are told: RESOURCE_EXHAUSTED for UNAVAILABLE. Default false. */
  readonly resourceExhausted?: boolean;
  /** Edits of refusals. */
  readonly responseHeaders?: HeaderEdits;
  /** Edits of requests that have no token and go on. */
  readonly unenforcedHeaders?: HeaderEdits;
  /** Say limit, rest and time to the next token in `x-ratelimit-…` (draft 03 of the IETF's ratelimit-headers). Default false. */
  readonly rateHeaders?: boolean;
  /** Say in `retry-after` of a refusal with 429 in how many seconds there is a token, at least 1 (Envoy `enable_retry_after_header`). Default false. */
  readonly retryAfter?: boolean;
}

/** Tokens that come back. */
export interface Bucket {
  /** How many there are at most. */
  readonly capacity: number;
  /** How many come back each `intervalMs`. */
  readonly tokens: number;
  readonly intervalMs: number;
}

/** The bucket of one descriptor. */
export interface DescriptorBucket {
  readonly entries: readonly { readonly key: string; readonly value: string }[];
  readonly bucket: Bucket;
  /** Requests that find no token are counted, and go on (Envoy `shadow_mode`). Default false. */
  readonly shadow?: boolean;
}

/** One limit. */
export interface RateLimit {
  /** Shown in metrics and details. */
  readonly name: string;
  /** Requests allowed each `intervalMs`. */
  readonly requests: number;
  /** Default 1,000. */
  readonly intervalMs?: number;
  /** Bucket size: how many may come at once. Default `requests`. */
  readonly burst?: number;
  /**
   * One bucket for each value of these; none: one bucket for the route. `identity` is the proven SPIFFE id, `address`
   * the peer's IP address, `{ header }` the first line of a field. A request that lacks a value shares the bucket ''.
   */
  readonly by?: readonly RateLimitKey[];
  /** Buckets kept at most; past it the one unused longest goes, counted. Default 10,000. */
  readonly maxKeys?: number;
  /**
   * Whose requests the limit counts, where a proxy has several processes (`--workers`): `process`, each counts its own and
   * lets the whole limit pass; `proxy`, all together, and so do all limits of the proxy that have this name and these
   * numbers, wherever they stand. Default `process`: no request ever waits for another process.
   */
  readonly scope?: 'process' | 'proxy';
}

/** What tells buckets apart. */
export type RateLimitKey = 'identity' | 'address' | { readonly header: string };

/** Id of the rate-limit filter. */
export const RATE_LIMIT_FILTER = 'tulle.http.ratelimit';

const percent = (description: string): JsonSchema => ({
  type: 'number',
  minimum: 0,
  maximum: 100,
  default: 100,
  description,
});
/** JSON Schema of {@link Bucket}. */
export const bucketSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['capacity', 'tokens', 'intervalMs'],
  description: 'Tokens that come back.',
  properties: {
    capacity: { type: 'integer', minimum: 1, maximum: 4_294_967_295, description: 'How many at most.' },
    tokens: { type: 'integer', minimum: 1, maximum: 4_294_967_295, description: 'How many come back.' },
    intervalMs: { type: 'number', minimum: 50, description: 'In which time, milliseconds.' },
  },
};

/** JSON Schema of {@link DescriptorLimits}. */
const descriptors: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['name', 'bucket'],
  description: 'Limits by what routes say of a request, in the words of Envoy’s local_ratelimit.',
  properties: {
    name: { type: 'string', minLength: 1, description: 'Shown in metrics and details.' },
    bucket: bucketSchema,
    rateLimits: {
      ...ownRateLimitActionsSchema,
      description: 'How requests are described, in place of what routes and hosts say.',
    },
    buckets: {
      type: 'array',
      maxItems: 10_000,
      description:
        'Buckets of requests whose route gives them exactly these entries; an empty value stands for every one.',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['entries', 'bucket'],
        properties: {
          entries: {
            type: 'array',
            minItems: 1,
            maxItems: 32,
            items: {
              type: 'object',
              additionalProperties: false,
              required: ['key', 'value'],
              properties: {
                key: { type: 'string', minLength: 1, description: 'Key.' },
                value: { type: 'string', description: 'Value.' },
              },
            },
          },
          bucket: bucketSchema,
          shadow: {
            type: 'boolean',
            default: false,
            description: 'Count requests that find no token, and let them go on.',
          },
        },
      },
    },
    maxDynamic: {
      type: 'integer',
      minimum: 1,
      maximum: 1_000_000,
      default: 20,
      description: 'Buckets kept at most for the values of one descriptor with empty values.',
    },
    stage: {
      type: 'integer',
      minimum: 0,
      maximum: 10,
      default: 0,
      description: 'Which of the route’s rateLimits count.',
    },
    host: {
      enum: ['override', 'include', 'ignore'],
      default: 'override',
      description: 'Whose rateLimits count: the route’s, else its host’s; both; or the route’s alone.',
    },
    alwaysDefault: {
      type: 'boolean',
      default: true,
      description:
        'Whether a request that took a token of another bucket needs one of the default bucket too.',
    },
    perConnection: {
      type: 'boolean',
      default: false,
      description: 'One set of buckets for each connection.',
    },
    percent: percent('Share of requests that are counted.'),
    enforcedPercent: percent('Share of those without a token that are refused.'),
    status: { type: 'integer', minimum: 400, maximum: 599, default: 429, description: 'Of a refusal.' },
    resourceExhausted: {
      type: 'boolean',
      default: false,
      description: 'Tell gRPC calls RESOURCE_EXHAUSTED for UNAVAILABLE.',
    },
    responseHeaders: { ...headerEditsSchema, description: 'Edits of refusals.' },
    unenforcedHeaders: {
      ...headerEditsSchema,
      description: 'Edits of requests that have no token and go on.',
    },
    rateHeaders: {
      type: 'boolean',
      default: false,
      description: 'Say limit, rest and time to the next token in x-ratelimit-….',
    },
    retryAfter: {
      type: 'boolean',
      default: false,
      description: 'Say in retry-after of a refusal with 429 in how many seconds there is a token.',
    },
  },
};

/** JSON Schema of {@link RateLimitFilterConfig}. */
export const rateLimitFilterSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['limits'],
  properties: {
    descriptors,
    limits: {
      type: 'array',
      description: 'All limits must have a token.',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['name', 'requests'],
        properties: {
          name: { type: 'string', minLength: 1, description: 'Shown in metrics and details.' },
          requests: { type: 'number', exclusiveMinimum: 0, description: 'Requests allowed each interval.' },
          intervalMs: {
            type: 'number',
            minimum: 10,
            default: 1000,
            description: 'Interval in milliseconds.',
          },
          burst: { type: 'number', minimum: 1, description: 'Bucket size; default: requests.' },
          by: {
            type: 'array',
            description: 'One bucket for each value of these; none: one for the route.',
            items: {
              anyOf: [
                { enum: ['identity', 'address'] },
                {
                  type: 'object',
                  additionalProperties: false,
                  required: ['header'],
                  properties: { header: { type: 'string', minLength: 1 } },
                },
              ],
            },
          },
          maxKeys: {
            type: 'integer',
            minimum: 1,
            maximum: 1_000_000,
            default: 10_000,
            description: 'Buckets kept at most.',
          },
          scope: {
            enum: ['process', 'proxy'],
            default: 'process',
            description:
              'Of several processes of a proxy each lets the limit pass, or all together; then limits of the same name and numbers are one.',
          },
        },
      },
    },
  },
};
