import {
  CONTINUE,
  type ConnectionInfo,
  type FilterHost,
  type HostCounter,
  type HttpStream,
  type Verdict,
} from '@tulle/filter';
import { isGrpcContentType } from '@tulle/match';
import type { Bucket, DescriptorLimits } from '@tulle/model';
import { TokenBucket } from '@tulle/time';
import { descriptorsOf, type Entry } from './descriptors.ts';
import { applyEdits } from './header-edits.ts';

/** What is remembered of a stream until its response. */
export interface LimitState {
  refused: boolean;
  /** The bucket that callers are told of. */
  bucket: TokenBucket | undefined;
}

interface Buckets {
  readonly standard: TokenBucket;
  readonly byDescriptor: ReadonlyMap<string, TokenBucket>;
}

/** The limits of one configuration in Envoy's words. */
export class DescriptorLimiter {
  readonly #host: FilterHost;
  readonly #config: DescriptorLimits;
  readonly #shared: Buckets;
  /** A connection's buckets go with it. */
  readonly #ofConnections: WeakMap<ConnectionInfo, Buckets> = new WeakMap<ConnectionInfo, Buckets>();
  readonly #refused: HostCounter;
  readonly #unenforced: HostCounter;

  constructor(host: FilterHost, config: DescriptorLimits) {
    this.#host = host;
    this.#config = config;
    this.#shared = makeBuckets(config, host.nowMs());
    const labels = { limit: config.name };
    this.#refused = host.counter('ratelimit_refused_total', 'Requests refused by a rate limit', labels);
    this.#unenforced = host.counter(
      'ratelimit_unenforced_total',
      'Requests past a rate limit that went on, since only a share of them is refused',
      labels,
    );
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
    const { rateHeaders, responseHeaders } = this.#config;
    if (state.refused) applyEdits(headers, responseHeaders);
    if (rateHeaders !== true || state.bucket === undefined) return;
    const nowMs = this.#host.nowMs();
    const { bucket } = state;
    headers.set('x-ratelimit-limit', String(bucket.capacity));
    headers.set('x-ratelimit-remaining', String(Math.floor(bucket.available(nowMs))));
    headers.set(
      'x-ratelimit-reset',
      String(Math.max(Math.ceil((bucket.nextAtMs(1, nowMs) - nowMs) / 1_000), 0)),
    );
  }

  /**
   * Takes a token of each bucket that counts, of those of descriptors that which fills slowest first. Those that were taken
   * before one is empty stay taken. Callers are told of the one that is empty, else of the first (all as in Envoy's
   * `LocalRateLimiterImpl::requestAllowed`).
   */
  #take(stream: HttpStream, state: LimitState): boolean {
    const { stage = 0, host = 'override', buckets: listed, alwaysDefault } = this.#config;
    const buckets = this.#bucketsOf(stream.connection);
    const nowMs = this.#host.nowMs();
    const matched: TokenBucket[] = [];
    if (listed !== undefined && listed.length > 0) {
      for (const descriptor of descriptorsOf(stream, stage, host)) {
        const bucket = buckets.byDescriptor.get(keyOf(descriptor.entries));
        if (bucket !== undefined) matched.push(bucket);
      }
      if (matched.length > 1) matched.sort((a, b) => a.refillPerMs - b.refillPerMs);
    }
    for (const bucket of matched) {
      state.bucket = bucket;
      if (!bucket.take(1, nowMs)) return false;
    }
    if (matched.length === 0 || alwaysDefault !== false) {
      state.bucket = buckets.standard;
      if (!buckets.standard.take(1, nowMs)) return false;
    }
    state.bucket = matched[0] ?? buckets.standard;
    return true;
  }

  #bucketsOf(connection: ConnectionInfo): Buckets {
    if (this.#config.perConnection !== true) return this.#shared;
    let own = this.#ofConnections.get(connection);
    if (own === undefined)
      this.#ofConnections.set(connection, (own = makeBuckets(this.#config, this.#host.nowMs())));
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

function makeBuckets({ bucket, buckets = [] }: DescriptorLimits, nowMs: number): Buckets {
  return {
    standard: makeBucket(bucket, nowMs),
    byDescriptor: new Map(buckets.map((one) => [keyOf(one.entries), makeBucket(one.bucket, nowMs)])),
  };
}

function makeBucket({ capacity, tokens, intervalMs }: Bucket, nowMs: number): TokenBucket {
  return new TokenBucket({ capacity, refillPerSecond: (tokens * 1_000) / intervalMs }, nowMs);
}

/** With its length before it, a text cannot run into the next one. */
function keyOf(entries: readonly Entry[]): string {
  let key = '';
  for (const { key: name, value } of entries) key += `${name.length}:${name}${value.length}:${value}`;
  return key;
}

function isGrpcCall({ request }: HttpStream): boolean {
  return request.method === 'POST' && isGrpcContentType(request.headers.get('content-type'));
}
