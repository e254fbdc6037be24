import {
  CONTINUE,
  defineHttpFilter,
  type FilterHost,
  type HostCounter,
  type HttpFilter,
  type HttpHooks,
} from '@tulle/filter';
import {
  RATE_LIMIT_FILTER,
  rateLimitFilterSchema,
  type RateLimit,
  type RateLimitFilterConfig,
} from '@tulle/model';
import { jsonSchema, perConfig } from '@tulle/schema';
import type { TokenBucket } from '@tulle/time';
import { BucketTable } from './bucket-table.ts';
import { compileKey, type KeyOf } from './limit-key.ts';

/** Decision note (decision D10): refused; the value is the limit's place in the configuration in force. */
export const NOTE_LIMITED = 1;

/** A limit with its buckets. */
interface CompiledLimit {
  readonly name: string;
  readonly keyOf: KeyOf;
  readonly table: BucketTable;
  readonly refused: HostCounter;
}

/** The limits of one configuration, with room for the buckets of the request at hand. */
interface CompiledLimits {
  readonly limits: readonly CompiledLimit[];
  readonly taken: TokenBucket[];
}

/**
 * Local rate limits by token bucket. A request needs a token of each limit; without one it gets 429
 * `TULLE_RATE_LIMITED` with `retry-after` in whole seconds, rounded up, and the tokens it had are given back.
 */
export const rateLimit: HttpFilter<RateLimitFilterConfig, RateLimitFilterConfig> = defineHttpFilter<
  RateLimitFilterConfig,
  RateLimitFilterConfig
>({
  apiVersion: 1,
  id: RATE_LIMIT_FILTER,
  summary: 'Local rate limits by token bucket, by route, identity, address or header.',
  config: jsonSchema<RateLimitFilterConfig>(rateLimitFilterSchema),
  routeConfig: jsonSchema<RateLimitFilterConfig>(rateLimitFilterSchema),
  /** A route's limits replace the chain's. The engine gives each place a configuration of its own, so buckets of its own. */
  mergeRoute: (_base, override) => override,
  applies: (config) => config.limits.length > 0,
  phase: 'limit',
  effects: 'local',
  notes: { [NOTE_LIMITED]: 'limited by rule' },
  create: createRateLimit,
});

function createRateLimit(host: FilterHost, config: RateLimitFilterConfig): HttpHooks<RateLimitFilterConfig> {
  const compiledOf = perConfig((inForce: RateLimitFilterConfig): CompiledLimits => ({
    limits: inForce.limits.map((limit) => compileLimit(host, limit)),
    taken: [],
  }));
  compiledOf(config);
  return {
    requestHeaders(stream, inForce) {
      const { limits, taken } = compiledOf(inForce);
      const nowMs = host.nowMs();
      for (let index = 0; index < limits.length; index += 1) {
        const limit = limits[index] as CompiledLimit;
        const bucket = limit.table.bucket(limit.keyOf(stream), nowMs);
        taken[index] = bucket;
        if (bucket.take(1, nowMs)) continue;
        for (let before = 0; before < index; before += 1) taken[before]?.giveBack(1);
        limit.refused.add();
        stream.note(NOTE_LIMITED, index);
        const seconds = Math.max(Math.ceil((bucket.nextAtMs(1, nowMs) - nowMs) / 1_000), 1);
        return stream.reply(
          429,
          'TULLE_RATE_LIMITED',
          undefined,
          ['retry-after', String(seconds)],
          `request_rate_limited[${printable(limit.name)}]`,
        );
      }
      return CONTINUE;
    },
  };
}

function compileLimit(host: FilterHost, limit: RateLimit): CompiledLimit {
  const intervalMs = limit.intervalMs ?? 1_000;
  const labels = { limit: limit.name };
  const evicted = host.counter(
    'ratelimit_keys_evicted_total',
    'Buckets that gave way to new keys since maxKeys was reached',
    labels,
  );
  return {
    name: limit.name,
    keyOf: compileKey(limit.by ?? []),
    refused: host.counter('ratelimit_refused_total', 'Requests refused by a rate limit', labels),
    table: new BucketTable({
      // A bucket of less than one token would never let anything pass.
      capacity: Math.max(limit.burst ?? limit.requests, 1),
      refillPerSecond: (limit.requests * 1_000) / intervalMs,
      maxKeys: limit.maxKeys ?? 10_000,
      onEvict: () => evicted.add(),
    }),
  };
}

/** What could break a log's fields becomes an underscore. */
function printable(name: string): string {
  return name.replace(/[^\w./-]/g, '_');
}
