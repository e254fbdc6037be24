import { create } from '@bufbuild/protobuf';
import type { RetryFilterConfig, RetryOn } from '@tulle/model';
import {
  type HeaderMatcherSchema,
  type RetryPolicy,
  RetryPolicySchema,
} from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import type { EncodeForm } from './form.ts';
import { hasOnly, isFilledList, isInteger, isObject } from './shape.ts';
import { duration, type Fields } from './values.ts';

/** Envoy's word for each reason; it passes over the ones that it does not know. */
const WORDS: Readonly<Record<RetryOn, string>> = {
  'connect-failure': 'connect-failure',
  reset: 'reset',
  'per-try-timeout': 'per-try-timeout', // Envoy: part of `reset` and `5xx`
  'gateway-error': 'gateway-error',
  '5xx': '5xx',
  'status-codes': 'retriable-status-codes',
  cancelled: 'cancelled',
  'deadline-exceeded': 'deadline-exceeded',
  internal: 'internal',
  'resource-exhausted': 'resource-exhausted',
  unavailable: 'unavailable',
};

/**
 * What `RouteAction.retry_policy` can say exactly: `retries` and `on` given, because Envoy's defaults for them differ.
 * @returns `undefined` where it would not say exactly the same
 */
export function encodeRetry(config: unknown): Fields<typeof RetryPolicySchema> | undefined {
  if (!isExplicitRetry(config)) return undefined;
  return {
    retryOn: (config.on ?? []).map((reason) => WORDS[reason]).join(','),
    numRetries: config.retries ?? 0,
    retriableStatusCodes: [...(config.statusCodes ?? [])],
    ...(config.backoffBaseMs !== undefined && {
      retryBackOff: {
        baseInterval: duration(config.backoffBaseMs),
        ...(config.backoffMaxMs !== undefined && { maxInterval: duration(config.backoffMaxMs) }),
      },
    }),
  };
}

/** Methods that may be sent twice (decision D5), as a condition on a request. */
const IDEMPOTENT: Fields<typeof HeaderMatcherSchema> = {
  name: ':method',
  headerMatchSpecifier: {
    case: 'stringMatch',
    value: { matchPattern: { case: 'safeRegex', value: { regex: 'GET|HEAD|OPTIONS|TRACE|PUT|DELETE' } } },
  },
};

/** Reasons for which any method is sent again; for the others only what is idempotent (RFC 9110 §9.2.2). */
const ANY_METHOD: ReadonlySet<RetryOn> = new Set([
  'connect-failure',
  'cancelled',
  'deadline-exceeded',
  'internal',
  'resource-exhausted',
  'unavailable',
]);

/**
 * @param perTryTimeoutMs lives in the retry policy in Envoy; alone it retries nothing
 * @param form a client that is not Tulle's repeats whatever it is told to: it is told which methods. A policy of which one
 *   reason holds for idempotent requests only holds for these as a whole there
 */
export function encodeRetryPolicy(
  config: unknown,
  perTryTimeoutMs: number | undefined,
  form: EncodeForm,
): RetryPolicy | undefined {
  const policy = config === undefined ? {} : encodeRetry(config);
  if (config === undefined && perTryTimeoutMs === undefined) return undefined;
  return create(RetryPolicySchema, {
    ...policy,
    ...(form.workloadCertificate.kind !== 'own' &&
      isExplicitRetry(config) &&
      config.on?.some((reason) => !ANY_METHOD.has(reason)) === true && {
        retriableRequestHeaders: [IDEMPOTENT],
      }),
    ...(perTryTimeoutMs !== undefined && { perTryTimeout: duration(perTryTimeoutMs) }),
  });
}

function isExplicitRetry(config: unknown): config is RetryFilterConfig {
  if (
    !isObject(config) ||
    !hasOnly(config, ['retries', 'on', 'statusCodes', 'backoffBaseMs', 'backoffMaxMs'])
  )
    return false;
  const { retries, on, statusCodes, backoffBaseMs, backoffMaxMs } = config;
  return (
    isInteger(retries, 0, 2 ** 32 - 1) &&
    Array.isArray(on) &&
    on.every(isReason) &&
    (statusCodes === undefined || isFilledList(statusCodes, isStatus)) &&
    (backoffBaseMs === undefined || isInteger(backoffBaseMs, 1, 2 ** 31)) &&
    (backoffMaxMs === undefined || (backoffBaseMs !== undefined && isInteger(backoffMaxMs, 1, 2 ** 31)))
  );
}

function isReason(value: unknown): value is RetryOn {
  return typeof value === 'string' && Object.hasOwn(WORDS, value);
}

function isStatus(value: unknown): value is number {
  return isInteger(value, 100, 599);
}
