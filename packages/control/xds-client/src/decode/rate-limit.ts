import type { Bucket, DescriptorLimits, RateLimitFilterConfig } from '@tulle/model';
import type { RuntimeFractionalPercent } from '@tulle/xds-proto/envoy/config/core/v3/base';
import {
  VhRateLimitsOptions as Host,
  XRateLimitHeadersRFCVersion as RateHeaders,
} from '@tulle/xds-proto/envoy/extensions/common/ratelimit/v3/ratelimit';
import type { LocalRateLimit } from '@tulle/xds-proto/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit';
import type { TokenBucket } from '@tulle/xds-proto/envoy/type/v3/token_bucket';
import type { DecodeContext } from './context.ts';
import { decodeHeaderEdits } from './header-edits.ts';
import { decodeOwnRateLimits } from './rate-limit-actions.ts';
import { percentOf } from './percent.ts';
import { filled, milliseconds, present } from './values.ts';

/** A filter that is not switched on limits nobody, which is what Envoy does then. */
export function decodeRateLimit(
  context: DecodeContext,
  message: LocalRateLimit,
  path: string,
): RateLimitFilterConfig {
  if (message.statPrefix === '') context.refuse(`${path}.stat_prefix`, 'is missing');
  if (!message.tokenBucket) {
    if (message.filterEnabled || message.descriptors.length > 0)
      context.refuse(`${path}.token_bucket`, 'is missing');
    return { limits: [] };
  }
  const bucket = decodeBucket(context, message.tokenBucket, `${path}.token_bucket`);
  const limits = decodeLimits(context, message, bucket, path);
  for (const [index, { limit }] of message.rateLimits.entries())
    if (limit !== undefined)
      context.refuse(`${path}.rate_limits[${index}].limit`, 'must not be set: its own buckets count here');
  if (limits.percent === 0) return { limits: [] };
  // One bucket for everybody, with nothing beside it, is a limit of Tulle's own.
  if (Object.keys(limits).length > 2) return { limits: [], descriptors: limits };
  const { capacity, tokens, intervalMs } = bucket;
  return {
    limits: [
      present({
        name: limits.name,
        requests: tokens,
        intervalMs: intervalMs === 1000 ? undefined : intervalMs,
        burst: capacity === tokens ? undefined : capacity,
      }),
    ],
  };
}

const HOST: ReadonlyMap<Host, DescriptorLimits['host']> = new Map([
  [Host.INCLUDE, 'include'],
  [Host.IGNORE, 'ignore'],
]);

function decodeLimits(
  context: DecodeContext,
  message: LocalRateLimit,
  bucket: Bucket,
  path: string,
): DescriptorLimits {
  const status = message.status?.code ?? 0;
  const edits = (
    list: LocalRateLimit['responseHeadersToAdd'],
    field: string,
  ): DescriptorLimits['responseHeaders'] => decodeHeaderEdits(context, list, [], `${path}.${field}`);
  if (message.maxDynamicDescriptors === 0)
    context.refuse(`${path}.max_dynamic_descriptors`, 'must be at least 1');
  if (message.stage > 10) context.refuse(`${path}.stage`, `must be 0 to 10, but is ${message.stage}`);
  return present({
    name: message.statPrefix,
    bucket,
    rateLimits: decodeOwnRateLimits(context, message.rateLimits, `${path}.rate_limits`)
      // Nobody is told of the end here.
      ?.filter(({ atEnd }) => atEnd !== true),
    buckets: filled(
      message.descriptors.map(({ entries, tokenBucket, shadowMode }, index) => {
        const here = `${path}.descriptors[${index}]`;
        if (entries.length === 0) context.refuse(`${here}.entries`, 'is empty');
        return present({
          entries: entries.map(({ key, value }) => ({ key, value })),
          bucket: decodeBucket(context, tokenBucket, `${here}.token_bucket`),
          shadow: shadowMode ? true : undefined,
        });
      }),
    ),
    maxDynamic: message.maxDynamicDescriptors,
    stage: message.stage || undefined,
    host: HOST.get(message.vhRateLimits),
    alwaysDefault: message.alwaysConsumeDefaultTokenBucket === false ? false : undefined,
    perConnection: message.localRateLimitPerDownstreamConnection ? true : undefined,
    percent: percentOfShare(message.filterEnabled),
    enforcedPercent: percentOfShare(message.filterEnforced),
    // Less than 400 means 429 there.
    status: status < 400 || status === 429 ? undefined : status,
    resourceExhausted: message.rateLimitedAsResourceExhausted ? true : undefined,
    responseHeaders: edits(message.responseHeadersToAdd, 'response_headers_to_add'),
    unenforcedHeaders: edits(
      message.requestHeadersToAddWhenNotEnforced,
      'request_headers_to_add_when_not_enforced',
    ),
    rateHeaders: message.enableXRatelimitHeaders === RateHeaders.DRAFT_VERSION_03 ? true : undefined,
    retryAfter: message.enableRetryAfterHeader ? true : undefined,
  });
}

export function decodeBucket(context: DecodeContext, bucket: TokenBucket | undefined, path: string): Bucket {
  const capacity = bucket?.maxTokens ?? 0;
  const tokens = bucket?.tokensPerFill ?? 1;
  const intervalMs = milliseconds(bucket?.fillInterval) ?? 0;
  if (capacity < 1) context.refuse(`${path}.max_tokens`, 'must be at least 1');
  if (tokens < 1) context.refuse(`${path}.tokens_per_fill`, 'must be at least 1');
  if (intervalMs < 50) context.refuse(`${path}.fill_interval`, 'must be at least 0.05 s');
  return { capacity, tokens, intervalMs };
}

/** Without a share nobody is counted, or refused. @returns `undefined` for everybody */
function percentOfShare(share: RuntimeFractionalPercent | undefined): number | undefined {
  return percentOf(share?.defaultValue);
}
