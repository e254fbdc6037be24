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
  /** First backoff, doubled each time, full jitter. Default 25 (Envoy). */
  readonly backoffBaseMs?: number;
  /** Default 250 (Envoy). */
  readonly backoffMaxMs?: number;
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
      default: 250,
      description: 'Longest backoff in milliseconds.',
    },
  },
};
