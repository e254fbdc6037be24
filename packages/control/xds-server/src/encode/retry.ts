import { create } from '@bufbuild/protobuf';
import type { ForwardAction, HeaderMatch, RetryFilterConfig, RetryOn } from '@tulle/model';
import {
  type RetryPolicy,
  RetryPolicy_ResetHeaderFormat as ResetFormat,
  RetryPolicySchema,
} from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import { encodeHeaderCondition } from './matchers.ts';
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
  'retriable-4xx': 'retriable-4xx',
  'rate-limited': 'envoy-ratelimited',
  'response-headers': 'retriable-headers',
  cancelled: 'cancelled',
  'deadline-exceeded': 'deadline-exceeded',
  internal: 'internal',
  'resource-exhausted': 'resource-exhausted',
  unavailable: 'unavailable',
};

/**
 * What `RouteAction.retry_policy` can say exactly: `retries` and `on` given, because Envoy's defaults for them differ. The
 * least backoff is beside it, in the route's metadata: Envoy goes without.
 * @returns `undefined` where it would not say exactly the same
 */
export function encodeRetry(config: unknown): Fields<typeof RetryPolicySchema> | undefined {
  if (!isExplicitRetry(config)) return undefined;
  return {
    retryOn: (config.on ?? []).map((reason) => WORDS[reason]).join(','),
    numRetries: config.retries ?? 0,
    retriableStatusCodes: [...(config.statusCodes ?? [])],
    retriableHeaders: (config.responseHeaders ?? []).map((one) => encodeHeaderCondition(one, 'this')),
    retriableRequestHeaders: (config.requestHeaders ?? []).map((one) => encodeHeaderCondition(one, 'this')),
    ...(config.resetBackoff && {
      rateLimitedRetryBackOff: {
        resetHeaders: config.resetBackoff.headers.map(({ name, format }) => ({
          name,
          format: format === 'seconds' ? ResetFormat.SECONDS : ResetFormat.UNIX_TIMESTAMP,
        })),
        ...(config.resetBackoff.maxMs !== undefined && { maxInterval: duration(config.resetBackoff.maxMs) }),
      },
    }),
    ...encodeBackOff(config),
  };
}

/** Where the longest interval is the shorter one, it is the first one too: what says otherwise is refused by Envoy and gRPC. */
export function encodeBackOff({
  backoffBaseMs: baseMs,
  backoffMaxMs: maxMs,
}: RetryFilterConfig): Pick<Fields<typeof RetryPolicySchema>, 'retryBackOff'> {
  if (baseMs === undefined) return {};
  return {
    retryBackOff: {
      baseInterval: duration(Math.min(baseMs, maxMs ?? baseMs)),
      ...(maxMs !== undefined && { maxInterval: duration(maxMs) }),
    },
  };
}

/** Time limits of attempts live in the retry policy in Envoy; alone they retry nothing. */
export function encodeRetryPolicy(
  config: unknown,
  { perTryTimeoutMs, perTryIdleTimeoutMs }: ForwardAction,
): RetryPolicy | undefined {
  const policy = config === undefined ? {} : encodeRetry(config);
  if (config === undefined && perTryTimeoutMs === undefined && perTryIdleTimeoutMs === undefined)
    return undefined;
  return create(RetryPolicySchema, {
    ...policy,
    ...(perTryTimeoutMs !== undefined && { perTryTimeout: duration(perTryTimeoutMs) }),
    ...(perTryIdleTimeoutMs !== undefined && { perTryIdleTimeout: duration(perTryIdleTimeoutMs) }),
  });
}

function isExplicitRetry(config: unknown): config is RetryFilterConfig {
  if (
    !isObject(config) ||
    !hasOnly(config, [
      'retries',
      'on',
      'statusCodes',
      'responseHeaders',
      'requestHeaders',
      'backoffBaseMs',
      'backoffMaxMs',
      'backoffMinMs',
      'resetBackoff',
    ])
  )
    return false;
  const {
    retries,
    on,
    statusCodes,
    backoffBaseMs,
    backoffMaxMs,
    backoffMinMs,
    responseHeaders,
    requestHeaders,
    resetBackoff,
  } = config;
  return (
    isInteger(retries, 0, 2 ** 32 - 1) &&
    Array.isArray(on) &&
    on.every(isReason) &&
    (statusCodes === undefined || isFilledList(statusCodes, isStatus)) &&
    (responseHeaders === undefined || isFilledList(responseHeaders, isPlainCondition)) &&
    (requestHeaders === undefined || isFilledList(requestHeaders, isPlainCondition)) &&
    (resetBackoff === undefined || isResets(resetBackoff)) &&
    (backoffMinMs === undefined || isInteger(backoffMinMs, 0, 2 ** 31)) &&
    (backoffBaseMs === undefined || isInteger(backoffBaseMs, 1, 2 ** 31)) &&
    (backoffMaxMs === undefined || (backoffBaseMs !== undefined && isInteger(backoffMaxMs, 1, 2 ** 31)))
  );
}

/** What a matcher of Envoy's says exactly: an inverted condition says what an absent field is. */
function isPlainCondition(value: unknown): value is HeaderMatch {
  if (!isObject(value) || !hasOnly(value, ['name', 'match', 'invert', 'absent']) || !isObject(value['match']))
    return false;
  const { name, match, invert, absent } = value;
  const { kind, value: text } = match;
  return (
    typeof name === 'string' &&
    name !== '' &&
    !name.startsWith(':') &&
    (invert === undefined ||
      invert === false ||
      (invert === true && kind !== 'present' && absent === 'fails')) &&
    (absent === undefined || (absent === 'fails' && invert === true)) &&
    (kind === 'present'
      ? hasOnly(match, ['kind'])
      : hasOnly(match, ['kind', 'value']) &&
        ['exact', 'prefix', 'suffix', 'contains', 'regex'].includes(String(kind)) &&
        typeof text === 'string')
  );
}

function isResets(value: unknown): value is NonNullable<RetryFilterConfig['resetBackoff']> {
  if (!isObject(value) || !hasOnly(value, ['headers', 'maxMs'])) return false;
  const { headers, maxMs } = value;
  return isFilledList(headers, isReset) && (maxMs === undefined || isInteger(maxMs, 1, 2 ** 31));
}

type Reset = NonNullable<RetryFilterConfig['resetBackoff']>['headers'][number];

function isReset(value: unknown): value is Reset {
  return (
    isObject(value) &&
    hasOnly(value, ['name', 'format']) &&
    typeof value['name'] === 'string' &&
    (value['format'] === 'seconds' || value['format'] === 'unix-timestamp')
  );
}

/** What Envoy's words mean besides themselves, as the client reads them. */
const NO_ANSWER: readonly RetryOn[] = ['reset', 'per-try-timeout', 'connect-failure'];
const WIDE: ReadonlySet<RetryOn> = new Set<RetryOn>(['5xx', 'gateway-error', 'reset']);

/** Reasons of a policy where Envoy's words would say more, for the route's metadata. */
export function retryReasons(config: unknown): readonly RetryOn[] | undefined {
  if (!isExplicitRetry(config)) return undefined;
  const on = config.on ?? [];
  const read: RetryOn[] = [];
  for (const reason of on)
    for (const one of WIDE.has(reason) ? [reason, ...NO_ANSWER] : [reason])
      if (!read.includes(one)) read.push(one);
  return JSON.stringify(read) === JSON.stringify(on) ? undefined : on;
}

/** Least backoff of a policy, for the route's metadata. */
export function retryBackoffMin(config: unknown): number | undefined {
  return isExplicitRetry(config) ? config.backoffMinMs : undefined;
}

function isReason(value: unknown): value is RetryOn {
  return typeof value === 'string' && Object.hasOwn(WORDS, value);
}

function isStatus(value: unknown): value is number {
  return isInteger(value, 100, 599);
}
