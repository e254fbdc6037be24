import {
  CONTINUE,
  type ConnectionInfo,
  type FilterHost,
  type HostCounter,
  type HttpStream,
  type Verdict,
} from '@tulle/filter';
import { isGrpcContentType } from '@tulle/match';
import type { DescriptorLimits } from '@tulle/model';
import type { TokenBucket } from '@tulle/time';
import { DescriptorBuckets, type FoundBucket } from './descriptor-buckets.ts';
import { checkOwn, describeBy, type Descriptor, descriptorsOf } from './descriptors.ts';
import { applyEdits } from './header-edits.ts';

/** What is remembered of a stream until its response. */
export interface LimitState {
  refused: boolean;
  /** The bucket that callers are told of. */
  bucket: TokenBucket | undefined;
  /** Whether they are; `undefined`: as the configuration has it. */
  rateHeaders: boolean | undefined;
}

/** A bucket that counts, and how much it counts of the request. */
interface Matched extends FoundBucket {
  /** Tokens. */
  readonly count: number;
  /** They are given back, not taken. */
  readonly giveBack: boolean;
  readonly rateHeaders: boolean | undefined;
}

/** What the counter of buckets that gave way is called in help texts. */
export const KEYS_EVICTED = 'Buckets that gave way to new keys since maxKeys was reached';

const NONE: readonly never[] = Object.freeze([]);

/** The limits of one configuration in Envoy's words. */
export class DescriptorLimiter {
  readonly #host: FilterHost;
  readonly #config: DescriptorLimits;
  readonly #shared: DescriptorBuckets;
  /** A connection's buckets go with it. */
  readonly #ofConnections: WeakMap<ConnectionInfo, DescriptorBuckets> = new WeakMap();
  readonly #onEvict: () => void;
  readonly #refused: HostCounter;
  readonly #unenforced: HostCounter;
  readonly #shadowed: HostCounter | undefined;

  constructor(host: FilterHost, config: DescriptorLimits) {
    this.#host = host;
    this.#config = config;
    checkOwn(config.rateLimits);
    const labels = { limit: config.name };
    const evicted = config.buckets?.some(({ entries }) => entries.some(({ value }) => value === ''))
      ? host.counter('ratelimit_keys_evicted_total', KEYS_EVICTED, labels)
      : undefined;
    this.#onEvict = () => evicted?.add();
    this.#shared = new DescriptorBuckets(config, host.nowMs(), this.#onEvict);
    this.#refused = host.counter('ratelimit_refused_total', 'Requests refused by a rate limit', labels);
    this.#unenforced = host.counter(
      'ratelimit_unenforced_total',
      'Requests past a rate limit that went on, since only a share of them is refused',
      labels,
    );
    this.#shadowed = config.buckets?.some(({ shadow }) => shadow === true)
      ? host.counter(
          'ratelimit_shadowed_total',
          'Requests past a rate limit that went on, since it only counts',
          labels,
        )
      : undefined;
  }

  judge(stream: HttpStream, state: LimitState): Verdict {
    const { percent, enforcedPercent, unenforcedHeaders } = this.#config;
    if (!this.#draw(percent)) return CONTINUE;
    if (this.#take(stream, state)) return CONTINUE;
    if (!this.#draw(enforcedPercent)) {
      this.#unenforced.add();
      applyEdits(stream.request.headers, unenforcedHeaders);
      return CONTINUE;
    }
    return this.#refuse(stream, state);
  }

  /** Marks a response. */
  mark(stream: HttpStream, state: LimitState): void {
    const { headers } = stream.response;
    const { rateHeaders, retryAfter, responseHeaders } = this.#config;
    const { bucket, refused } = state;
    if (refused) applyEdits(headers, responseHeaders);
    if (bucket === undefined) return;
    const nowMs = this.#host.nowMs();
    if (retryAfter === true && refused && stream.response.status === 429 && !headers.has('retry-after'))
      headers.set('retry-after', String(Math.max(secondsUntilNext(bucket, nowMs), 1)));
    if ((state.rateHeaders ?? rateHeaders) !== true) return;
    headers.set('x-ratelimit-limit', String(bucket.capacity));
    headers.set('x-ratelimit-remaining', String(Math.floor(bucket.available(nowMs))));
    headers.set('x-ratelimit-reset', String(secondsUntilNext(bucket, nowMs)));
  }

  /**
   * Takes tokens of each bucket that counts, of those of descriptors that which fills slowest first. Those that were taken
   * before one is empty stay taken. Callers are told of the one that is empty, else of the first (all as in Envoy's
   * `LocalRateLimiterImpl::requestAllowed`).
   */
  #take(stream: HttpStream, state: LimitState): boolean {
    const { alwaysDefault } = this.#config;
    const buckets = this.#bucketsOf(stream.connection);
    const nowMs = this.#host.nowMs();
    const matched = this.#matched(stream, buckets, nowMs);
    for (const { bucket, count, giveBack, shadow, rateHeaders } of matched) {
      if (giveBack) bucket.giveBack(count);
      // Nothing is never to be had.
      else if (count === 0 || !bucket.take(count, nowMs)) {
        if (shadow) {
          this.#shadowed?.add();
          continue;
        }
        state.bucket = bucket;
        state.rateHeaders = rateHeaders;
        return false;
      }
    }
    const [first] = matched;
    if ((first === undefined || alwaysDefault !== false) && !buckets.standard.take(1, nowMs)) {
      state.bucket = buckets.standard;
      return false;
    }
    state.bucket = first?.bucket ?? buckets.standard;
    state.rateHeaders = first?.rateHeaders;
    return true;
  }

  #matched(stream: HttpStream, buckets: DescriptorBuckets, nowMs: number): readonly Matched[] {
    const { buckets: listed } = this.#config;
    if (listed === undefined || listed.length === 0) return NONE;
    const matched: Matched[] = [];
    for (const { entries, hits = 1, giveBack, rateHeaders } of this.#descriptorsOf(stream)) {
      const found = buckets.find(entries, nowMs);
      if (found === undefined) continue;
      const { bucket, shadow } = found;
      matched.push({ bucket, shadow, count: hits, giveBack, rateHeaders });
    }
    if (matched.length > 1) matched.sort((a, b) => a.bucket.refillPerMs - b.bucket.refillPerMs);
    return matched;
  }

  #descriptorsOf(stream: HttpStream): readonly Descriptor[] {
    const { stage = 0, host = 'override', rateLimits } = this.#config;
    return rateLimits === undefined
      ? descriptorsOf(stream, stage, host, 'any')
      : describeBy(stream, rateLimits, stage, 'begin');
  }

  #bucketsOf(connection: ConnectionInfo): DescriptorBuckets {
    if (this.#config.perConnection !== true) return this.#shared;
    let own = this.#ofConnections.get(connection);
    if (own === undefined)
      this.#ofConnections.set(
        connection,
        (own = new DescriptorBuckets(this.#config, this.#host.nowMs(), this.#onEvict)),
      );
    return own;
  }

  #refuse(stream: HttpStream, state: LimitState): Verdict {
    this.#refused.add();
    state.refused = true;
    const { name, status = 429, resourceExhausted } = this.#config;
    const headers = resourceExhausted === true && isGrpcCall(stream) ? ['grpc-status', '8'] : undefined;
    return stream.reply(
      status,
      'TULLE_RATE_LIMITED',
      undefined,
      headers,
      `local_rate_limited[${name.replace(/[^\w./-]/g, '_')}]`,
    );
  }

  #draw(percent: number | undefined): boolean {
    return percent === undefined || percent >= 100 || this.#host.random() * 100 < percent;
  }
}

function secondsUntilNext(bucket: TokenBucket, nowMs: number): number {
  return Math.max(Math.ceil((bucket.nextAtMs(1, nowMs) - nowMs) / 1_000), 0);
}

function isGrpcCall({ request }: HttpStream): boolean {
  return request.method === 'POST' && isGrpcContentType(request.headers.get('content-type'));
}
