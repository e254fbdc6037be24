import type { JsonSchema } from './json-schema.ts';

/** Configuration of `tulle.http.ratelimit`: local token buckets. */
export interface RateLimitFilterConfig {
  /** All limits that apply must have a token; the first without one refuses with 429 and `retry-after`. */
  readonly limits: readonly RateLimit[];
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

/** JSON Schema of {@link RateLimitFilterConfig}. */
export const rateLimitFilterSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['limits'],
  properties: {
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
