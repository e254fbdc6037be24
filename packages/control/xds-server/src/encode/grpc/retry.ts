import { create } from '@bufbuild/protobuf';
import type { RetryFilterConfig } from '@tulle/model';
import { type RetryPolicy, RetryPolicySchema } from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import { encodeBackOff } from '../retry.ts';
import { isObject } from '../shape.ts';

/** Statuses for which gRPC repeats a call (gRFC A44). */
const STATUSES: readonly string[] = [
  'cancelled',
  'deadline-exceeded',
  'internal',
  'resource-exhausted',
  'unavailable',
];

/**
 * What is repeated. Of a policy's reasons only gRPC's statuses count: what was refused before it left gRPC repeats by itself,
 * and a POST that may have arrived is repeated where a status says so, and only there.
 * @param config of the retry filter; `null` where the route or host repeats nothing, `undefined` where nothing is said
 */
export function encodeGrpcRetry(config: unknown): RetryPolicy | undefined {
  if (config === undefined) return undefined;
  const policy = isObject(config) ? (config as RetryFilterConfig) : {};
  const { retries = 2, on = [] } = policy;
  const reasons = on.filter((reason) => STATUSES.includes(reason));
  const none = config === null || retries === 0 || reasons.length === 0;
  // One without a status is no retry, and hides that of the host.
  if (none) return create(RetryPolicySchema, { numRetries: 1 });
  return create(RetryPolicySchema, {
    retryOn: reasons.join(','),
    numRetries: retries,
    ...encodeBackOff(policy),
  });
}
