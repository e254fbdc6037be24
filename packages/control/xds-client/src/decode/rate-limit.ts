import type { RateLimitFilterConfig } from '@tulle/model';
import type { RuntimeFractionalPercent } from '@tulle/xds-proto/envoy/config/core/v3/base';
import type { LocalRateLimit } from '@tulle/xds-proto/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit';
import type { DecodeContext } from './context.ts';
import { percentOf } from './fault.ts';
import { milliseconds, present } from './values.ts';

/** A filter without a bucket that is not switched on limits nobody, which is what Envoy does then. */
export function decodeRateLimit(
  context: DecodeContext,
  message: LocalRateLimit,
  path: string,
): RateLimitFilterConfig {
  const { statPrefix, tokenBucket: bucket, filterEnabled, filterEnforced } = message;
  if (!bucket) {
    if (filterEnabled) context.refuse(`${path}.token_bucket`, 'is missing');
    return { limits: [] };
  }
  if (!isAlways(filterEnabled)) context.refuse(`${path}.filter_enabled`, 'must be 100 %');
  if (!isAlways(filterEnforced)) context.refuse(`${path}.filter_enforced`, 'must be 100 %');
  const { maxTokens, tokensPerFill: requests = 1 } = bucket;
  const intervalMs = milliseconds(bucket.fillInterval);
  if (maxTokens < 1) context.refuse(`${path}.token_bucket.max_tokens`, 'must be at least 1');
  if (requests < 1) context.refuse(`${path}.token_bucket.tokens_per_fill`, 'must be at least 1');
  if (intervalMs === undefined || intervalMs < 50)
    context.refuse(`${path}.token_bucket.fill_interval`, 'must be at least 0.05 s');
  if (statPrefix === '') context.refuse(`${path}.stat_prefix`, 'is missing');
  return {
    limits: [
      present({
        name: statPrefix,
        requests,
        intervalMs: intervalMs === 1000 ? undefined : intervalMs,
        burst: maxTokens === requests ? undefined : maxTokens,
      }),
    ],
  };
}

function isAlways(share: RuntimeFractionalPercent | undefined): boolean {
  return share?.defaultValue !== undefined && percentOf(share.defaultValue) === undefined;
}
