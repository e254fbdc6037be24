import { create } from '@bufbuild/protobuf';
import type { RateLimit, RateLimitFilterConfig } from '@tulle/model';
import {
  type LocalRateLimit,
  LocalRateLimitSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit';
import { FractionalPercent_DenominatorType as Denominator } from '@tulle/xds-proto/envoy/type/v3/percent';
import { hasOnly, isInteger, isObject, isText } from './shape.ts';
import { duration } from './values.ts';

/** Name of the statistics where nothing is limited. */
const NO_LIMIT = 'none';
const MAX_UINT32 = 2 ** 32 - 1;

/** One limit for the whole route, or none. @returns `undefined` where Envoy's type would not say exactly the same */
export function encodeRateLimit(config: unknown): LocalRateLimit | undefined {
  if (!isSingleLimit(config)) return undefined;
  const [limit] = config.limits;
  if (!limit) return create(LocalRateLimitSchema, { statPrefix: NO_LIMIT });
  const { name, requests, intervalMs, burst } = limit;
  // Envoy's default is to limit nobody.
  const always = { defaultValue: { numerator: 100, denominator: Denominator.HUNDRED } };
  return create(LocalRateLimitSchema, {
    statPrefix: name,
    tokenBucket: {
      maxTokens: burst ?? requests,
      tokensPerFill: requests,
      fillInterval: duration(intervalMs ?? 1000),
    },
    filterEnabled: always,
    filterEnforced: always,
  });
}

function isSingleLimit(config: unknown): config is RateLimitFilterConfig {
  if (!isObject(config) || !hasOnly(config, ['limits'])) return false;
  const { limits } = config;
  return Array.isArray(limits) && limits.length <= 1 && limits.every(isLimit);
}

/** Buckets by key are Tulle's own: Envoy needs its keys listed beforehand. */
function isLimit(limit: unknown): limit is RateLimit {
  return (
    isObject(limit) &&
    hasOnly(limit, ['name', 'requests', 'intervalMs', 'burst']) &&
    isText(limit['name']) &&
    limit['name'] !== '' &&
    isInteger(limit['requests'], 1, MAX_UINT32) &&
    // Envoy refuses shorter intervals.
    (limit['intervalMs'] === undefined || isInteger(limit['intervalMs'], 50, 3_600_000)) &&
    (limit['burst'] === undefined || isInteger(limit['burst'], 1, MAX_UINT32))
  );
}
