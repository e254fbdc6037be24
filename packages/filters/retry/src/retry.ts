import { DELIVER, defineHttpFilter, errorRow, RETRY, type AttemptInfo, type HttpFilter } from '@tulle/filter';
import {
  GRPC_RETRY_STATUSES,
  RETRY_FILTER,
  retryFilterSchema,
  type RetryFilterConfig,
  type RetryOn,
} from '@tulle/model';
import { jsonSchema, perConfig } from '@tulle/schema';
import { backoffDelayMs } from '@tulle/time';

/** Failures before the request went out. */
const CONNECT_FAILURES: ReadonlySet<string> = new Set([
  'TULLE_UPSTREAM_CONNECT',
  'TULLE_UPSTREAM_CONNECT_TIMEOUT',
  'TULLE_UPSTREAM_TLS',
  'TULLE_UPSTREAM_IDENTITY',
  'TULLE_UPSTREAM_NO_ENDPOINT',
]);

/** Whether a condition holds for an attempt that ended. */
const CONDITIONS: Readonly<
  Record<RetryOn, (attempt: AttemptInfo, statusCodes: ReadonlySet<number>) => boolean>
> = {
  'connect-failure': ({ failure, unsent }) =>
    unsent || (failure !== undefined && CONNECT_FAILURES.has(failure)),
  reset: ({ failure }) => failure === 'TULLE_UPSTREAM_RESET',
  'per-try-timeout': ({ failure }) => failure === 'TULLE_PER_TRY_TIMEOUT',
  'gateway-error': ({ status }) => status === 502 || status === 503 || status === 504,
  '5xx': ({ status }) => status >= 500,
  'status-codes': ({ status }, statusCodes) => statusCodes.has(status),
  cancelled: ({ grpcStatus }) => grpcStatus === GRPC_RETRY_STATUSES.cancelled,
  'deadline-exceeded': ({ grpcStatus }) => grpcStatus === GRPC_RETRY_STATUSES['deadline-exceeded'],
  internal: ({ grpcStatus }) => grpcStatus === GRPC_RETRY_STATUSES.internal,
  'resource-exhausted': ({ grpcStatus }) => grpcStatus === GRPC_RETRY_STATUSES['resource-exhausted'],
  unavailable: ({ grpcStatus }) => grpcStatus === GRPC_RETRY_STATUSES.unavailable,
};

interface CompiledPolicy {
  readonly retries: number;
  readonly backoff: { readonly baseMs: number; readonly maxMs: number };
  wants(attempt: AttemptInfo): boolean;
}

function compile(config: RetryFilterConfig): CompiledPolicy {
  const conditions = (config.on ?? ['connect-failure', 'reset']).map((name) => CONDITIONS[name]);
  const statusCodes = new Set(config.statusCodes);
  return {
    retries: config.retries ?? 2,
    backoff: { baseMs: config.backoffBaseMs ?? 25, maxMs: config.backoffMaxMs ?? 250 },
    wants(attempt) {
      for (const condition of conditions) if (condition(attempt, statusCodes)) return true;
      return false;
    },
  };
}

/**
 * When an attempt is worth repeating, and how long to wait. The engine's loop decides whether it may be: it owns the
 * budget, the time left, and the rule that a request goes out twice only when it is provably unsent or idempotent and
 * its body is still at hand (decision D5); this filter does not even ask otherwise.
 */
export const retry: HttpFilter<RetryFilterConfig, RetryFilterConfig> = defineHttpFilter<
  RetryFilterConfig,
  RetryFilterConfig
>({
  apiVersion: 1,
  id: RETRY_FILTER,
  summary: 'When an attempt is worth repeating, and how long to wait before.',
  config: jsonSchema<RetryFilterConfig>(retryFilterSchema),
  routeConfig: jsonSchema<RetryFilterConfig>(retryFilterSchema, { defaults: false }),
  applies: (config) => (config.retries ?? 2) > 0,
  retriesGrpc: (config) => (config.on ?? []).some((reason) => Object.hasOwn(GRPC_RETRY_STATUSES, reason)),
  scope: 'attempt',
  effects: 'none',
  create(host) {
    const policyOf = perConfig(compile);
    const random = (): number => host.random();
    return {
      attemptEnd(stream, config) {
        const policy = policyOf(config);
        const { attempt } = stream;
        if (attempt.number > policy.retries || !policy.wants(attempt) || !attempt.repeatable) return DELIVER;
        if (attempt.failure !== undefined && errorRow(attempt.failure)?.retryable === false) return DELIVER;
        attempt.retryDelayMs = backoffDelayMs(attempt.number, policy.backoff, random);
        return RETRY;
      },
    };
  },
});
