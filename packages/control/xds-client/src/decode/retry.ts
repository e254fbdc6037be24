import type { RetryFilterConfig, RetryOn } from '@tulle/model';
import type { RetryPolicy } from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import type { DecodeContext } from './context.ts';
import { filled, milliseconds, present } from './values.ts';

/** Envoy's words. `refused-stream` and `reset-before-request` are provably unsent, which `connect-failure` covers (D5). */
const REASONS: ReadonlyMap<string, RetryOn> = new Map([
  ['connect-failure', 'connect-failure'],
  ['refused-stream', 'connect-failure'],
  ['reset-before-request', 'connect-failure'],
  ['reset', 'reset'],
  ['per-try-timeout', 'per-try-timeout'],
  ['gateway-error', 'gateway-error'],
  ['5xx', '5xx'],
  ['retriable-status-codes', 'status-codes'],
  ['cancelled', 'cancelled'],
  ['deadline-exceeded', 'deadline-exceeded'],
  ['internal', 'internal'],
  ['resource-exhausted', 'resource-exhausted'],
  ['unavailable', 'unavailable'],
]);

/** @returns `undefined` when the policy retries nothing and says nothing about it (it may still hold a per-try timeout) */
export function decodeRetry(
  context: DecodeContext,
  policy: RetryPolicy | undefined,
  path: string,
): RetryFilterConfig | undefined {
  if (!policy) return undefined;
  const { retryOn, numRetries, retriableStatusCodes, retryBackOff } = policy;
  if (retryOn === '' && numRetries === undefined && retriableStatusCodes.length === 0 && !retryBackOff)
    return undefined;
  const on: RetryOn[] = [];
  for (const word of retryOn
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')) {
    const reason = REASONS.get(word);
    if (!reason)
      context.refuse(
        `${path}.retry_on`,
        `"${word}" is not honoured; this proxy knows ${[...REASONS.keys()].join(', ')}`,
      );
    else if (!on.includes(reason)) on.push(reason);
  }
  return present({
    retries: numRetries ?? 1, // Envoy's default
    on,
    statusCodes: filled(retriableStatusCodes),
    backoffBaseMs: milliseconds(retryBackOff?.baseInterval),
    backoffMaxMs: milliseconds(retryBackOff?.maxInterval),
  });
}
