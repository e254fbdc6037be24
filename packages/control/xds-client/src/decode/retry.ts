import { isMessage } from '@bufbuild/protobuf';
import type { ForwardAction, HeaderMatch, RetryFilterConfig, RetryOn } from '@tulle/model';
import {
  type HeaderMatcher,
  type RetryPolicy,
  type RetryPolicy_RateLimitedRetryBackOff,
  type RetryPolicy_RetryBackOff,
  RetryPolicy_ResetHeaderFormat as ResetFormat,
} from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import { OmitCanaryHostsPredicateSchema } from '@tulle/xds-proto/envoy/extensions/retry/host/omit_canary_hosts/v3/omit_canary_hosts';
import {
  type OmitHostMetadataConfig,
  OmitHostMetadataConfigSchema,
} from '@tulle/xds-proto/envoy/extensions/retry/host/omit_host_metadata/v3/omit_host_metadata_config';
import { PreviousHostsPredicateSchema } from '@tulle/xds-proto/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts';
import { PreviousPrioritiesConfigSchema } from '@tulle/xds-proto/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config';
import { LB_METADATA } from '../wire.ts';
import type { DecodeContext } from './context.ts';
import { decodeLabels } from './labels.ts';
import { decodeHeaderCondition } from './matchers.ts';
import { filled, milliseconds, namespaceOf, present } from './values.ts';

/** What Envoy means by an endpoint that does not answer at all. */
const NO_ANSWER: readonly RetryOn[] = ['reset', 'per-try-timeout', 'connect-failure'];

/**
 * Envoy's words, with all that they mean. `refused-stream` and `reset-before-request` are provably unsent, which
 * `connect-failure` covers (D5); nothing here speaks HTTP/3.
 */
const REASONS: ReadonlyMap<string, readonly RetryOn[]> = new Map<string, readonly RetryOn[]>([
  ['connect-failure', ['connect-failure']],
  ['refused-stream', ['connect-failure']],
  ['reset-before-request', ['connect-failure']],
  ['http3-post-connect-failure', []],
  ['reset', NO_ANSWER],
  ['per-try-timeout', ['per-try-timeout']], // Tulle's own: part of `reset` there
  ['gateway-error', ['gateway-error', ...NO_ANSWER]],
  ['5xx', ['5xx', ...NO_ANSWER]],
  ['retriable-4xx', ['retriable-4xx']],
  ['envoy-ratelimited', ['rate-limited']],
  ['retriable-headers', ['response-headers']],
  ['retriable-status-codes', ['status-codes']],
  ['cancelled', ['cancelled']],
  ['deadline-exceeded', ['deadline-exceeded']],
  ['internal', ['internal']],
  ['resource-exhausted', ['resource-exhausted']],
  ['unavailable', ['unavailable']],
]);

/** What Tulle's own policy says beside Envoy's words. */
export interface OwnRetry {
  /** When, in Tulle's words. */
  readonly on?: readonly unknown[] | undefined;
  readonly backoffMinMs?: number | undefined;
}

/**
 * @param own what Tulle's own policy says besides, from the route's metadata
 * @returns `undefined` when the policy retries nothing and says nothing about it (it may still hold a per-try timeout)
 */
export function decodeRetry(
  context: DecodeContext,
  policy: RetryPolicy | undefined,
  own: OwnRetry,
  path: string,
): RetryFilterConfig | undefined {
  if (!policy) return undefined;
  const { retryOn, numRetries, retriableStatusCodes, retryBackOff } = policy;
  if (retryOn === '' && numRetries === undefined && retriableStatusCodes.length === 0 && !retryBackOff)
    return undefined;
  if (retryBackOff !== undefined) checkBackOff(context, retryBackOff, `${path}.retry_back_off`);
  return present({
    retries: numRetries ?? 1, // Envoy's default
    on: own.on ? ownReasons(context, own.on, path) : decodeReasons(context, retryOn, `${path}.retry_on`),
    statusCodes: filled(retriableStatusCodes),
    responseHeaders: decodeConditions(context, policy.retriableHeaders, `${path}.retriable_headers`),
    requestHeaders: decodeConditions(
      context,
      policy.retriableRequestHeaders,
      `${path}.retriable_request_headers`,
    ),
    backoffBaseMs: milliseconds(retryBackOff?.baseInterval),
    backoffMaxMs: milliseconds(retryBackOff?.maxInterval),
    backoffMinMs: own.backoffMinMs,
    resetBackoff:
      policy.rateLimitedRetryBackOff &&
      decodeResets(context, policy.rateLimitedRetryBackOff, `${path}.rate_limited_retry_back_off`),
  });
}

/** As Envoy has it: the first interval is not left out, and the longest is no shorter. */
function checkBackOff(
  context: DecodeContext,
  { baseInterval, maxInterval }: RetryPolicy_RetryBackOff,
  path: string,
): void {
  const [baseMs, maxMs] = [milliseconds(baseInterval), milliseconds(maxInterval)];
  if (baseMs === undefined || baseMs <= 0) context.refuse(`${path}.base_interval`, 'must be above 0');
  else if (maxMs !== undefined && maxMs < baseMs)
    context.refuse(`${path}.max_interval`, `is ${maxMs}ms: must be at least base_interval, ${baseMs}ms`);
}

/** What a retry policy says of each attempt. */
export type RetryAttempts = Pick<
  ForwardAction,
  'perTryTimeoutMs' | 'perTryIdleTimeoutMs' | 'newPriorityEvery' | 'avoidOnRetry'
>;

/** What a policy says of attempts, which is the route's own matter. */
export function decodeAttempts(
  context: DecodeContext,
  policy: RetryPolicy | undefined,
  path: string,
): RetryAttempts {
  if (policy === undefined) return {};
  return present({
    perTryTimeoutMs: milliseconds(policy.perTryTimeout),
    perTryIdleTimeoutMs: milliseconds(policy.perTryIdleTimeout),
    newPriorityEvery: decodeRetryPriority(context, policy, path),
    avoidOnRetry: decodeAvoided(context, policy, path),
  });
}

/** After how many attempts the next one goes to another priority; `undefined`: it does not have to. */
function decodeRetryPriority(context: DecodeContext, policy: RetryPolicy, path: string): number | undefined {
  if (policy.retryPriority === undefined) return undefined;
  const here = `${path}.retry_priority.typed_config`;
  const message = context.open(policy.retryPriority.configType.value, here);
  if (message === undefined) return undefined;
  if (!isMessage(message, PreviousPrioritiesConfigSchema)) {
    context.refuse(here, `must be a PreviousPrioritiesConfig, not ${message.$typeName}`);
    return undefined;
  }
  if (message.updateFrequency <= 0) context.refuse(`${here}.update_frequency`, 'must be above 0');
  return message.updateFrequency;
}

function decodeReasons(context: DecodeContext, words: string, path: string): RetryOn[] {
  const on: RetryOn[] = [];
  for (const word of words.split(',').map((one) => one.trim())) {
    if (word === '') continue;
    const reasons = REASONS.get(word);
    if (!reasons)
      context.refuse(path, `"${word}" is not honoured; this proxy knows ${[...REASONS.keys()].join(', ')}`);
    for (const reason of reasons ?? []) if (!on.includes(reason)) on.push(reason);
  }
  return on;
}

function ownReasons(context: DecodeContext, words: readonly unknown[], path: string): RetryOn[] {
  const known = new Set<unknown>([...REASONS.values()].flat());
  if (!words.every((word) => known.has(word)))
    context.refuse(path, `retryOn in metadata must be of ${[...known].join(', ')}`);
  return words as RetryOn[];
}

function decodeConditions(
  context: DecodeContext,
  matchers: readonly HeaderMatcher[],
  path: string,
): readonly HeaderMatch[] | undefined {
  return filled(
    matchers.map((matcher, index) => decodeHeaderCondition(context, matcher, false, `${path}[${index}]`)),
  );
}

function decodeResets(
  context: DecodeContext,
  { resetHeaders, maxInterval }: RetryPolicy_RateLimitedRetryBackOff,
  path: string,
): RetryFilterConfig['resetBackoff'] {
  if (resetHeaders.length === 0) context.refuse(`${path}.reset_headers`, 'is empty');
  const maxMs = milliseconds(maxInterval);
  if (maxMs !== undefined && maxMs <= 0) context.refuse(`${path}.max_interval`, 'must be above 0');
  return present({
    headers: resetHeaders.map(({ name, format }) => ({
      name,
      format: format === ResetFormat.UNIX_TIMESTAMP ? ('unix-timestamp' as const) : ('seconds' as const),
    })),
    maxMs,
  });
}

/** Envoy's `omit_canary_hosts`: what endpoints have under `envoy.lb`. */
const CANARY: Readonly<Record<string, string>> = { canary: 'true' };

/** That another endpoint is tried each time is what this proxy does anyway, and how often it looks for one. */
function decodeAvoided(
  context: DecodeContext,
  { retryHostPredicate }: RetryPolicy,
  path: string,
): ForwardAction['avoidOnRetry'] {
  return filled(
    retryHostPredicate.flatMap(({ configType }, index): readonly Readonly<Record<string, string>>[] => {
      const here = `${path}.retry_host_predicate[${index}].typed_config`;
      const message = context.open(configType.value, here);
      if (message === undefined || isMessage(message, PreviousHostsPredicateSchema)) return [];
      if (isMessage(message, OmitCanaryHostsPredicateSchema)) return [CANARY];
      if (isMessage(message, OmitHostMetadataConfigSchema)) return [decodeOmitted(context, message, here)];
      context.refuse(here, `${message.$typeName} is no predicate of hosts that this proxy knows`);
      return [];
    }),
  );
}

function decodeOmitted(
  context: DecodeContext,
  { metadataMatch }: OmitHostMetadataConfig,
  path: string,
): Readonly<Record<string, string>> {
  const here = `${path}.metadata_match`;
  const labels = decodeLabels(context, namespaceOf(metadataMatch, LB_METADATA), `${here}["${LB_METADATA}"]`);
  if (labels === undefined) context.refuse(here, `has nothing under ${LB_METADATA}`);
  return labels ?? {};
}
