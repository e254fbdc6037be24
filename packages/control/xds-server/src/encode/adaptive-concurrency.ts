import { create } from '@bufbuild/protobuf';
import type { AdaptiveConcurrencyFilterConfig } from '@tulle/model';
import {
  type AdaptiveConcurrency,
  AdaptiveConcurrencySchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/adaptive_concurrency/v3/adaptive_concurrency';
import { StatusCode } from '@tulle/xds-proto/envoy/type/v3/http_status';
import { hasOnly, isInteger, isObject } from './shape.ts';
import { duration } from './values.ts';

const FIELDS = ['samplePercentile', 'maxConcurrency', 'updateIntervalMs', 'minRtt', 'status'];
const MIN_RTT_FIELDS = ['intervalMs', 'jitterPercent', 'requests', 'minConcurrency', 'bufferPercent'];
const MOST = 1_000_000;

/** Envoy refuses statuses that have no name. */
const STATUSES: ReadonlySet<unknown> = new Set(Object.values(StatusCode));

/** @returns `undefined` where Envoy's type would not say exactly the same */
export function encodeAdaptiveConcurrency(config: unknown): AdaptiveConcurrency | undefined {
  if (!fits(config)) return undefined;
  const { samplePercentile, maxConcurrency, updateIntervalMs = 100, minRtt = {}, status } = config;
  return create(AdaptiveConcurrencySchema, {
    concurrencyControllerConfig: {
      case: 'gradientControllerConfig',
      value: {
        ...percent('sampleAggregatePercentile', samplePercentile),
        concurrencyLimitParams: {
          ...(maxConcurrency !== undefined && { maxConcurrencyLimit: maxConcurrency }),
          concurrencyUpdateInterval: duration(updateIntervalMs),
        },
        minRttCalcParams: {
          interval: duration(minRtt.intervalMs ?? 60_000),
          ...(minRtt.requests !== undefined && { requestCount: minRtt.requests }),
          ...percent('jitter', minRtt.jitterPercent),
          ...(minRtt.minConcurrency !== undefined && { minConcurrency: minRtt.minConcurrency }),
          ...percent('buffer', minRtt.bufferPercent),
        },
      },
    },
    ...(status !== undefined && { concurrencyLimitExceededStatus: { code: status as StatusCode } }),
  });
}

function percent<Name extends string>(
  name: Name,
  value: number | undefined,
): Partial<Record<Name, { value: number }>> {
  return value === undefined ? {} : ({ [name]: { value } } as Record<Name, { value: number }>);
}

function fits(config: unknown): config is AdaptiveConcurrencyFilterConfig {
  if (!isObject(config) || !hasOnly(config, FIELDS)) return false;
  const { samplePercentile, maxConcurrency, updateIntervalMs, minRtt = {}, status } = config;
  return (
    isPart(samplePercentile) &&
    isCount(maxConcurrency) &&
    isTime(updateIntervalMs, 3_600_000) &&
    (status === undefined || (isInteger(status, 400, 599) && STATUSES.has(status))) &&
    isObject(minRtt) &&
    hasOnly(minRtt, MIN_RTT_FIELDS) &&
    isTime(minRtt['intervalMs'], 86_400_000) &&
    isPart(minRtt['jitterPercent']) &&
    isCount(minRtt['requests']) &&
    isCount(minRtt['minConcurrency']) &&
    isPart(minRtt['bufferPercent'])
  );
}

function isPart(value: unknown): boolean {
  return value === undefined || (typeof value === 'number' && value >= 0 && value <= 100);
}

function isCount(value: unknown): boolean {
  return value === undefined || isInteger(value, 1, MOST);
}

/** Whole milliseconds: finer ones a duration would round. */
function isTime(value: unknown, most: number): boolean {
  return value === undefined || isInteger(value, 1, most);
}
