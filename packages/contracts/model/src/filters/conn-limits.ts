import type { JsonSchema } from './json-schema.ts';
import { type Bucket, bucketSchema } from './rate-limit.ts';

/**
 * Configuration of `tulle.conn.ratelimit`: how many connections come in a time (Envoy's
 * `extensions.filters.network.local_ratelimit.v3.LocalRateLimit`, and the listener filter of that name). Each takes a token;
 * one that finds none is closed.
 */
export interface ConnRateLimitFilterConfig {
  /** Shown in metrics and details (`stat_prefix`). */
  readonly name: string;
  readonly bucket: Bucket;
}

/**
 * Configuration of `tulle.conn.limit`: how many connections there are at a time (Envoy's
 * `extensions.filters.network.connection_limit.v3.ConnectionLimit`). One that comes beyond is closed.
 */
export interface ConnLimitFilterConfig {
  /** Shown in metrics and details (`stat_prefix`). */
  readonly name: string;
  /** At a time, of this process (`max_connections`). */
  readonly maxConnections: number;
  /** How long one beyond is left waiting before it is closed, so that its caller does not come back at once (`delay`). Default 0. */
  readonly delayMs?: number;
}

/** Id of the filter that limits how many connections come in a time. */
export const CONN_RATE_LIMIT_FILTER = 'tulle.conn.ratelimit';

/** Id of the filter that limits how many connections there are. */
export const CONN_LIMIT_FILTER = 'tulle.conn.limit';

const name: JsonSchema = { type: 'string', minLength: 1, description: 'Shown in metrics and details.' };

/** JSON Schema of {@link ConnRateLimitFilterConfig}. */
export const connRateLimitFilterSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['name', 'bucket'],
  properties: { name, bucket: bucketSchema },
};

/** JSON Schema of {@link ConnLimitFilterConfig}. */
export const connLimitFilterSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['name', 'maxConnections'],
  properties: {
    name,
    maxConnections: {
      type: 'integer',
      minimum: 1,
      maximum: 9_007_199_254_740_991,
      description: 'Connections at a time, of this process.',
    },
    delayMs: {
      type: 'number',
      minimum: 0,
      maximum: 10_000,
      default: 0,
      description: 'How long one beyond waits before it is closed, milliseconds.',
    },
  },
};
