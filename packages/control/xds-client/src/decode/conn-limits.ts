import { isMessage, type Message } from '@bufbuild/protobuf';
import { CONN_LIMIT_FILTER, CONN_RATE_LIMIT_FILTER, type ConnLimitFilterConfig } from '@tulle/model';
import type { RuntimeFeatureFlag } from '@tulle/xds-proto/envoy/config/core/v3/base';
import {
  type LocalRateLimit as ListenerRateLimit,
  LocalRateLimitSchema as ListenerRateLimitSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/listener/local_ratelimit/v3/local_ratelimit';
import {
  type ConnectionLimit,
  ConnectionLimitSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/network/connection_limit/v3/connection_limit';
import {
  type LocalRateLimit,
  LocalRateLimitSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/network/local_ratelimit/v3/local_rate_limit';
import type { DecodeContext } from './context.ts';
import { decodeBucket } from './rate-limit.ts';
import type { KnownFilter } from './standard-filters.ts';
import { milliseconds, present } from './values.ts';

/** As long as a connection may wait for its handshake. */
const MAX_DELAY_MS = 10_000;

/** What a limit of connections before a chain's last filter stands for. @returns `off` for one that is switched off */
export function decodeConnLimit(
  context: DecodeContext,
  message: Message,
  path: string,
): KnownFilter | 'off' | undefined {
  if (isMessage(message, LocalRateLimitSchema)) return decodeRate(context, message, path);
  return isMessage(message, ConnectionLimitSchema) ? decodeLimit(context, message, path) : undefined;
}

/** The same of a listener filter. */
export function decodeListenerLimit(
  context: DecodeContext,
  message: Message,
  path: string,
): KnownFilter | 'off' | undefined {
  return isMessage(message, ListenerRateLimitSchema) ? decodeRate(context, message, path) : undefined;
}

function decodeRate(
  context: DecodeContext,
  { statPrefix, tokenBucket, runtimeEnabled }: LocalRateLimit | ListenerRateLimit,
  path: string,
): KnownFilter | 'off' {
  checkPrefix(context, statPrefix, path);
  if (!tokenBucket) context.refuse(`${path}.token_bucket`, 'is missing');
  const bucket = tokenBucket && decodeBucket(context, tokenBucket, `${path}.token_bucket`);
  return isOff(runtimeEnabled)
    ? 'off'
    : { filter: CONN_RATE_LIMIT_FILTER, config: { name: statPrefix, bucket } };
}

function decodeLimit(
  context: DecodeContext,
  { statPrefix, maxConnections, delay, runtimeEnabled }: ConnectionLimit,
  path: string,
): KnownFilter | 'off' {
  checkPrefix(context, statPrefix, path);
  if (maxConnections === undefined) context.refuse(`${path}.max_connections`, 'is missing');
  else if (maxConnections < 1n) context.refuse(`${path}.max_connections`, 'must be at least 1');
  const delayMs = milliseconds(delay) ?? 0;
  if (delayMs < 0 || delayMs > MAX_DELAY_MS)
    context.refuse(`${path}.delay`, `must be 0 to 10 s, but is ${delayMs / 1000} s`);
  const config: ConnLimitFilterConfig = present({
    name: statPrefix,
    // More than can be counted is no limit, as this is none.
    maxConnections: Math.min(Number(maxConnections ?? 1n), Number.MAX_SAFE_INTEGER),
    delayMs: delayMs || undefined,
  });
  return isOff(runtimeEnabled) ? 'off' : { filter: CONN_LIMIT_FILTER, config };
}

function checkPrefix(context: DecodeContext, statPrefix: string, path: string): void {
  if (statPrefix === '') context.refuse(`${path}.stat_prefix`, 'is missing');
}

/** Without a flag, and with one that says nothing, they are on. */
function isOff(flag: RuntimeFeatureFlag | undefined): boolean {
  return flag?.defaultValue === false;
}
