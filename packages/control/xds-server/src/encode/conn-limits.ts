import { create } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import {
  type Bucket,
  CONN_LIMIT_FILTER,
  CONN_RATE_LIMIT_FILTER,
  type ConnLimitFilterConfig,
  type ConnRateLimitFilterConfig,
} from '@tulle/model';
import { LocalRateLimitSchema as ListenerRateLimitSchema } from '@tulle/xds-proto/envoy/extensions/filters/listener/local_ratelimit/v3/local_ratelimit';
import { ConnectionLimitSchema } from '@tulle/xds-proto/envoy/extensions/filters/network/connection_limit/v3/connection_limit';
import { LocalRateLimitSchema } from '@tulle/xds-proto/envoy/extensions/filters/network/local_ratelimit/v3/local_rate_limit';
import { hasOnly, isInteger, isObject, isText } from './shape.ts';
import { duration } from './values.ts';

const MAX_UINT32 = 2 ** 32 - 1;
const DAY_MS = 86_400_000;

/** A limit of connections in a chain. @returns `undefined` where Envoy's type would not say exactly the same */
export function encodeConnLimit(filter: string, config: unknown): Any | undefined {
  if (filter === CONN_RATE_LIMIT_FILTER && isRate(config))
    return anyPack(
      LocalRateLimitSchema,
      create(LocalRateLimitSchema, { statPrefix: config.name, tokenBucket: tokenBucket(config.bucket) }),
    );
  if (filter !== CONN_LIMIT_FILTER || !isLimit(config)) return undefined;
  const { name, maxConnections, delayMs } = config;
  return anyPack(
    ConnectionLimitSchema,
    create(ConnectionLimitSchema, {
      statPrefix: name,
      maxConnections: BigInt(maxConnections),
      ...(delayMs !== undefined && { delay: duration(delayMs) }),
    }),
  );
}

/** The same before a chain is chosen. */
export function encodeListenerLimit(filter: string, config: unknown): Any | undefined {
  if (filter !== CONN_RATE_LIMIT_FILTER || !isRate(config)) return undefined;
  return anyPack(
    ListenerRateLimitSchema,
    create(ListenerRateLimitSchema, { statPrefix: config.name, tokenBucket: tokenBucket(config.bucket) }),
  );
}

function tokenBucket({ capacity, tokens, intervalMs }: Bucket): {
  maxTokens: number;
  tokensPerFill: number;
  fillInterval: ReturnType<typeof duration>;
} {
  return { maxTokens: capacity, tokensPerFill: tokens, fillInterval: duration(intervalMs) };
}

function isRate(config: unknown): config is ConnRateLimitFilterConfig {
  if (!isObject(config) || !hasOnly(config, ['name', 'bucket']) || !isName(config['name'])) return false;
  const bucket = config['bucket'];
  return (
    isObject(bucket) &&
    hasOnly(bucket, ['capacity', 'tokens', 'intervalMs']) &&
    isInteger(bucket['capacity'], 1, MAX_UINT32) &&
    isInteger(bucket['tokens'], 1, MAX_UINT32) &&
    // Envoy refuses shorter intervals.
    isInteger(bucket['intervalMs'], 50, DAY_MS)
  );
}

function isLimit(config: unknown): config is ConnLimitFilterConfig {
  return (
    isObject(config) &&
    hasOnly(config, ['name', 'maxConnections', 'delayMs']) &&
    isName(config['name']) &&
    isInteger(config['maxConnections'], 1, Number.MAX_SAFE_INTEGER) &&
    (config['delayMs'] === undefined || isInteger(config['delayMs'], 1, 10_000))
  );
}

function isName(value: unknown): boolean {
  return isText(value) && value !== '';
}
