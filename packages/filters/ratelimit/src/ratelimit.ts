import {
  CONTINUE,
  defineHttpFilter,
  STOP,
  type FilterHost,
  type HostCounter,
  type HttpFilter,
  type HttpHooks,
  type HttpStream,
  type Verdict,
} from '@tulle/filter';
import {
  RATE_LIMIT_FILTER,
  rateLimitFilterSchema,
  type RateLimit,
  type RateLimitFilterConfig,
} from '@tulle/model';
import { loadRegexEngine } from '@tulle/match';
import { jsonSchema, perConfig } from '@tulle/schema';
import { KeyedBuckets, TokenBucket, type TokenLender } from '@tulle/time';
import { checkOwn } from './descriptors.ts';
import { DescriptorLimiter, KEYS_EVICTED, type LimitState } from './descriptor-limits.ts';
import { Leases } from './leased-bucket.ts';
import { compileKey, type KeyOf } from './limit-key.ts';

/** Decision note (decision D10): refused; the value is the limit's place in the configuration in force. */
export const NOTE_LIMITED = 1;

/** Where a token comes from: this process's own bucket, or one whose tokens are lent. */
interface Bucket {
  /** @returns later, where somebody has to be asked */
  take(count: 1, nowMs: number): boolean | Promise<boolean>;
  giveBack(count: 1): void;
  nextAtMs(count: 1, nowMs: number): number;
}

/** A limit with its buckets. */
interface CompiledLimit {
  readonly name: string;
  readonly keyOf: KeyOf;
  readonly buckets: { bucket(key: string, nowMs: number): Bucket };
  readonly refused: HostCounter;
}

/** The limits of one configuration, with room for the buckets of the request at hand. */
interface CompiledLimits {
  readonly limits: readonly CompiledLimit[];
  readonly taken: Bucket[];
  readonly descriptors: DescriptorLimiter | undefined;
}

/**
 * Local rate limits by token bucket. A request needs a token of each limit; without one it gets 429
 * `TULLE_RATE_LIMITED` with `retry-after` in whole seconds, rounded up, and the tokens it had are given back.
 * Every process counts for itself, limits of `scope: 'proxy'` too: {@link sharedRateLimit} is for several.
 */
export const rateLimit: HttpFilter<RateLimitFilterConfig, RateLimitFilterConfig, LimitState> =
  filterWith(undefined);

/**
 * The same for one of several processes of a proxy: limits of `scope: 'proxy'` take their tokens from a lender that all of
 * them have in common. A request waits for it only where the process has no token left and asks for the next ones.
 *
 * @param lender `tokens` of `EngineContext` in `@tulle/supervisor`, for instance
 */
export function sharedRateLimit(
  lender: TokenLender,
): HttpFilter<RateLimitFilterConfig, RateLimitFilterConfig, LimitState> {
  return filterWith(lender);
}

function filterWith(
  lender: TokenLender | undefined,
): HttpFilter<RateLimitFilterConfig, RateLimitFilterConfig, LimitState> {
  return defineHttpFilter<RateLimitFilterConfig, RateLimitFilterConfig, LimitState>({
    apiVersion: 1,
    id: RATE_LIMIT_FILTER,
    summary: 'Local rate limits by token bucket, by route, identity, address or header.',
    config: jsonSchema<RateLimitFilterConfig>(rateLimitFilterSchema),
    routeConfig: jsonSchema<RateLimitFilterConfig>(rateLimitFilterSchema),
    /** A route's limits replace the chain's. The engine gives each place a configuration of its own, so buckets of its own. */
    mergeRoute(_base, override) {
      checkOwn(override.descriptors?.rateLimits);
      return override;
    },
    applies: (config) => config.limits.length > 0 || config.descriptors !== undefined,
    phase: 'limit',
    // Looking for what there is costs tokens too.
    unrouted: true,
    effects: 'local',
    notes: { [NOTE_LIMITED]: 'limited by rule' },
    state: {
      create: () => ({ refused: false, bucket: undefined, rateHeaders: undefined }),
      reset(state) {
        state.refused = false;
        state.bucket = undefined;
        state.rateHeaders = undefined;
      },
    },
    create: (host, config) => createRateLimit(host, config, lender),
  });
}

async function createRateLimit(
  host: FilterHost,
  config: RateLimitFilterConfig,
  lender: TokenLender | undefined,
): Promise<HttpHooks<RateLimitFilterConfig, LimitState>> {
  // What routes say may have patterns.
  if (config.descriptors?.buckets !== undefined || config.descriptors?.rateLimits !== undefined)
    await loadRegexEngine();
  const leases = new Set<Leases>();
  const compiledOf = perConfig((inForce: RateLimitFilterConfig): CompiledLimits => ({
    limits: inForce.limits.map((limit) => compileLimit(host, limit, lender, leases)),
    taken: [],
    descriptors: inForce.descriptors && new DescriptorLimiter(host, inForce.descriptors),
  }));
  compiledOf(config);

  /** @param taken tokens of the limits before `from`, and room for the others */
  const admit = (
    stream: HttpStream,
    limits: readonly CompiledLimit[],
    taken: Bucket[],
    from: number,
  ): Verdict | Promise<Verdict> => {
    const nowMs = host.nowMs();
    for (let index = from; index < limits.length; index += 1) {
      const limit = limits[index] as CompiledLimit;
      const bucket = limit.buckets.bucket(limit.keyOf(stream), nowMs);
      const had = bucket.take(1, nowMs);
      // Other requests use `taken` while this one waits.
      if (typeof had !== 'boolean') return afterAsking(stream, limits, taken.slice(0, index), bucket, had);
      if (!had) return refuse(stream, limit, taken, index, bucket, nowMs);
      taken[index] = bucket;
    }
    return CONTINUE;
  };
  const afterAsking = async (
    stream: HttpStream,
    limits: readonly CompiledLimit[],
    taken: Bucket[],
    bucket: Bucket,
    had: Promise<boolean>,
  ): Promise<Verdict> => {
    const index = taken.length;
    if (!(await had))
      return refuse(stream, limits[index] as CompiledLimit, taken, index, bucket, host.nowMs());
    taken.push(bucket);
    return admit(stream, limits, taken, index + 1);
  };
  return {
    requestHeaders(stream, inForce, state) {
      const { limits, taken, descriptors } = compiledOf(inForce);
      if (descriptors?.judge(stream, state) === STOP) return STOP;
      return admit(stream, limits, taken, 0);
    },
    responseHeaders(stream, inForce, state) {
      compiledOf(inForce).descriptors?.mark(stream, state);
      return CONTINUE;
    },
    dispose() {
      for (const one of leases) one.close();
    },
  };
}

function refuse(
  stream: HttpStream,
  limit: CompiledLimit,
  taken: readonly Bucket[],
  index: number,
  bucket: Bucket,
  nowMs: number,
): Verdict {
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

function compileLimit(
  host: FilterHost,
  limit: RateLimit,
  lender: TokenLender | undefined,
  leases: Set<Leases>,
): CompiledLimit {
  const intervalMs = limit.intervalMs ?? 1_000;
  const labels = { limit: limit.name };
  const evicted = host.counter('ratelimit_keys_evicted_total', KEYS_EVICTED, labels);
  const bucket = {
    // A bucket of less than one token would never let anything pass.
    capacity: Math.max(limit.burst ?? limit.requests, 1),
    refillPerSecond: (limit.requests * 1_000) / intervalMs,
  };
  const maxKeys = limit.maxKeys ?? 10_000;
  const onEvict = (): void => evicted.add();
  const compiled = {
    name: limit.name,
    keyOf: compileKey(limit.by ?? []),
    refused: host.counter('ratelimit_refused_total', 'Requests refused by a rate limit', labels),
  };
  if (limit.scope === 'proxy' && lender !== undefined) {
    const id = JSON.stringify([limit.name, bucket.capacity, bucket.refillPerSecond, limit.by ?? []]);
    const leased = new Leases(lender, { id, maxKeys, ...bucket }, host, leases, onEvict);
    return { ...compiled, buckets: leased };
  }
  return {
    ...compiled,
    buckets: new KeyedBuckets<TokenBucket>({
      maxKeys,
      make: (_key, nowMs) => new TokenBucket(bucket, nowMs),
      replace(old, _key, nowMs) {
        old.reset(nowMs);
        return old;
      },
      onEvict,
    }),
  };
}

/** What could break a log's fields becomes an underscore. */
function printable(name: string): string {
  return name.replace(/[^\w./-]/g, '_');
}
