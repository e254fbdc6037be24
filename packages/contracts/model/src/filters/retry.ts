import type { HeaderMatch } from '../route.ts';
import { headerMatchesSchema } from '../schema/header-match.ts';
import type { JsonSchema } from './json-schema.ts';

/** When an attempt is worth repeating. */
export type RetryOn =
  /** Connect or handshake failed, or the request is provably unsent (decision D5). Safe for any method. */
  | 'connect-failure'
  /** The endpoint closed before a response byte. Only for idempotent requests. */
  | 'reset'
  /** The per-try timeout fired. Only for idempotent requests. */
  | 'per-try-timeout'
  /** 502, 503 or 504. Only for idempotent requests. */
  | 'gateway-error'
  /** Any 5xx. Only for idempotent requests. */
  | '5xx'
  /** One of `statusCodes`. Only for idempotent requests. */
  | 'status-codes'
  /** 409 (Envoy `retriable-4xx`). Only for idempotent requests. */
  | 'retriable-4xx'
  /** The answer says `x-envoy-ratelimited`. Only for idempotent requests. */
  | 'rate-limited'
  /** The answer fulfils one of `responseHeaders`. Only for idempotent requests. */
  | 'response-headers'
  /**
   * gRPC calls that the service refused with this status before it answered anything ("trailers-only"), whatever they
   * do: name those after which a call was not carried out, or may be carried out twice. (Envoy's words.)
   */
  | GrpcRetryOn;

/** gRPC statuses by which calls are repeated. */
export type GrpcRetryOn =
  | 'cancelled'
  | 'deadline-exceeded'
  | 'internal'
  | 'resource-exhausted'
  | 'unavailable';

/** Their numbers (grpc/doc/statuscodes.md). */
export const GRPC_RETRY_STATUSES: Readonly<Record<GrpcRetryOn, number>> = Object.freeze({
  cancelled: 1,
  'deadline-exceeded': 4,
  internal: 13,
  'resource-exhausted': 8,
  unavailable: 14,
});

/** Configuration of `tulle.http.retry`: the policy; the loop, budget and safety rules are the engine's. */
export interface RetryFilterConfig {
  /** Further attempts after the first, 0–10. 0 switches it off. Default 2. */
  readonly retries?: number;
  /** Default `['connect-failure', 'reset']`. */
  readonly on?: readonly RetryOn[];
  /** 400–599, used with `status-codes`. */
  readonly statusCodes?: readonly number[];
  /** Used with `response-headers`: one of them is enough (Envoy `retriable_headers`). */
  readonly responseHeaders?: readonly HeaderMatch[];
  /** Only requests are sent again that fulfil one of them (Envoy `retriable_request_headers`). Default: all are. */
  readonly requestHeaders?: readonly HeaderMatch[];
  /** First backoff, doubled each time, full jitter. Default 25 (Envoy). */
  readonly backoffBaseMs?: number;
  /** Default ten times `backoffBaseMs` (Envoy), so 250 by default. */
  readonly backoffMaxMs?: number;
  /** Least wait, whatever chance says (Gateway API `HTTPRouteRetry.backoff`). Default 0. Envoy has no such thing and waits without it. */
  readonly backoffMinMs?: number;
  /**
   * Waits as long as an answer says instead, by the first of these fields that it has: `seconds` from now, or a
   * `unix-timestamp` in seconds (Envoy `rate_limited_retry_back_off`). What is longer than `maxMs` counts for nothing.
   */
  readonly resetBackoff?: {
    readonly headers: readonly { readonly name: string; readonly format: 'seconds' | 'unix-timestamp' }[];
    /** Default 300,000 (Envoy). */
    readonly maxMs?: number;
  };
}

/** Id of the retry filter. */
export const RETRY_FILTER = 'tulle.http.retry';

/** JSON Schema of {@link RetryFilterConfig}. */
export const retryFilterSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    retries: {
      type: 'integer',
      minimum: 0,
      maximum: 10,
      default: 2,
      description: 'Further attempts after the first; 0 switches retries off.',
    },
    on: {
      type: 'array',
      uniqueItems: true,
      default: ['connect-failure', 'reset'],
      items: {
        enum: [
          'connect-failure',
          'reset',
          'per-try-timeout',
          'gateway-error',
          '5xx',
          'status-codes',
          'retriable-4xx',
          'rate-limited',
          'response-headers',
          ...Object.keys(GRPC_RETRY_STATUSES),
        ],
      },
      description:
        'What is worth another attempt. All but connect-failure and the statuses of gRPC apply to idempotent requests only.',
    },
    statusCodes: {
      type: 'array',
      items: { type: 'integer', minimum: 400, maximum: 599 },
      uniqueItems: true,
      description: 'Statuses that status-codes means.',
    },
    responseHeaders: {
      ...headerMatchesSchema,
      description: 'Conditions on the answer, of which one must hold, that response-headers means.',
    },
    requestHeaders: {
      ...headerMatchesSchema,
      description: 'Only requests are sent again that fulfil one of these.',
    },
    resetBackoff: {
      type: 'object',
      additionalProperties: false,
      required: ['headers'],
      description: 'Fields of an answer that say how long to wait instead.',
      properties: {
        headers: {
          type: 'array',
          minItems: 1,
          items: {
            type: 'object',
            additionalProperties: false,
            required: ['name', 'format'],
            properties: {
              name: { type: 'string', minLength: 1 },
              format: { enum: ['seconds', 'unix-timestamp'] },
            },
          },
        },
        maxMs: {
          type: 'number',
          minimum: 1,
          maximum: 3_600_000,
          default: 300_000,
          description: 'What is longer, in milliseconds, counts for nothing.',
        },
      },
    },
    backoffBaseMs: {
      type: 'number',
      minimum: 1,
      maximum: 60_000,
      default: 25,
      description: 'First backoff in milliseconds, doubled each time, full jitter.',
    },
    backoffMaxMs: {
      type: 'number',
      minimum: 1,
      maximum: 600_000,
      description: 'Longest backoff in milliseconds. Default ten times `backoffBaseMs`.',
    },
    backoffMinMs: {
      type: 'number',
      minimum: 0,
      maximum: 600_000,
      default: 0,
      description: 'Least backoff in milliseconds, whatever the jitter.',
    },
  },
};
