import type { FilterHost } from '@tulle/filter';
import { KeyedBuckets, TokenBucket, type SharedLimit, type TokenLender } from '@tulle/time';

/** What a lender that did not answer is left alone for, while the process uses its share of the limit. */
const ALONE_MS = 1_000;
/** Tokens that were taken ahead and not used for so long go back, for other processes. */
const IDLE_MS = 1_000;
/** Of a second's requests, or of the burst where that is less, all processes together take so much ahead at a time. */
const AHEAD = 0.1;

/** What buckets of one limit share. */
interface Terms {
  readonly lender: TokenLender;
  readonly limit: SharedLimit;
  /** Tokens asked for at a time; 1: none is taken ahead. */
  readonly chunk: number;
  readonly host: Pick<FilterHost, 'nowMs'>;
  /** Tokens are held, and may have to go back. */
  holds(bucket: LeasedBucket): void;
}

/**
 * A key's bucket in this process, whose tokens are lent. While it has some, a request takes one at once; it asks for more
 * before they are used up. Only where none are left a request waits for the lender, and where that has none either,
 * requests are refused at once until there may be some again.
 */
export class LeasedBucket {
  readonly #terms: Terms;
  readonly #key: string;
  #tokens = 0;
  #dryUntilMs = -Infinity;
  #nextMs = -Infinity;
  #asked = 0;
  #usedMs = -Infinity;
  readonly #waiting: ((taken: boolean) => void)[] = [];
  /** This process's share, while the lender does not answer. */
  #alone: TokenBucket | undefined;
  #aloneUntilMs = -Infinity;

  constructor(terms: Terms, key: string) {
    this.#terms = terms;
    this.#key = key;
  }

  /** Takes a token. @returns whether there was one; later, where the lender has to be asked */
  take(_count: 1, nowMs: number): boolean | Promise<boolean> {
    this.#usedMs = nowMs;
    if (this.#tokens >= 1) {
      this.#tokens -= 1;
      if (this.#tokens * 2 <= this.#terms.chunk && this.#terms.chunk > 1 && nowMs >= this.#dryUntilMs)
        this.#ask(this.#terms.chunk);
      return true;
    }
    if (nowMs < this.#dryUntilMs) return false;
    if (this.#alone !== undefined && nowMs < this.#aloneUntilMs) return this.#alone.take(1, nowMs);
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#ask(Math.max(this.#terms.chunk, this.#waiting.length));
    });
  }

  /** Gives back a token that was taken for something that did not happen. */
  giveBack(_count: 1): void {
    this.#tokens += 1;
    this.#terms.holds(this);
  }

  /** When there may be a token. */
  nextAtMs(_count: 1, nowMs: number): number {
    if (this.#alone !== undefined && nowMs < this.#aloneUntilMs) return this.#alone.nextAtMs(1, nowMs);
    return Math.max(this.#nextMs, nowMs);
  }

  /** Returns what it holds and has not used for a while. @returns whether it still holds some */
  returnIdle(nowMs: number): boolean {
    if (nowMs - this.#usedMs < IDLE_MS) return this.#tokens > 0;
    this.returnAll();
    return false;
  }

  returnAll(): void {
    if (this.#tokens < 1) return;
    this.#terms.lender.giveBack(this.#terms.limit, this.#key, this.#tokens);
    this.#tokens = 0;
  }

  #ask(want: number): void {
    if (this.#asked > 0) return;
    this.#asked = want;
    const { lender, limit } = this.#terms;
    lender.borrow(limit, this.#key, want).then(
      ({ granted, retryInMs }) => this.#granted(granted, retryInMs),
      () => this.#unanswered(),
    );
  }

  #granted(granted: number, retryInMs: number): void {
    const all = granted >= this.#asked;
    this.#asked = 0;
    this.#alone = undefined;
    this.#tokens += granted;
    while (this.#waiting.length > 0 && this.#tokens >= 1) {
      this.#tokens -= 1;
      this.#waiting.shift()?.(true);
    }
    if (this.#tokens >= 1) this.#terms.holds(this);
    if (!all) this.#dry(granted === 0 ? retryInMs : 1_000 / this.#terms.limit.refillPerSecond);
    if (this.#waiting.length === 0) return;
    // Came while the answer was on its way: asked for now, unless there are none.
    if (all) this.#ask(Math.max(this.#terms.chunk, this.#waiting.length));
    else for (const refuse of this.#waiting.splice(0)) refuse(false);
  }

  /**
   * Nobody is asked for a moment: longer than one token takes to come, where they come fast, so that a flood is refused here
   * and does not become a flood of questions; never so long that the bucket overflows meanwhile.
   */
  #dry(retryInMs: number): void {
    const { capacity, refillPerSecond } = this.#terms.limit;
    const nowMs = this.#terms.host.nowMs();
    const pauseMs = Math.min(10, ((capacity / refillPerSecond) * 1_000) / 2);
    this.#nextMs = nowMs + retryInMs;
    this.#dryUntilMs = nowMs + Math.max(retryInMs, pauseMs);
  }

  #unanswered(): void {
    this.#asked = 0;
    const { lender, limit, host } = this.#terms;
    const nowMs = host.nowMs();
    this.#alone ??= shareOf(limit, lender.parties, nowMs);
    this.#aloneUntilMs = nowMs + ALONE_MS;
    for (const settle of this.#waiting.splice(0)) settle(this.#alone.take(1, nowMs));
  }
}

/** A part of what comes to a bucket. It starts empty: the burst may have been lent already. */
function shareOf({ capacity, refillPerSecond }: SharedLimit, parties: number, nowMs: number): TokenBucket {
  const share = new TokenBucket(
    { capacity: Math.max(capacity / parties, 1), refillPerSecond: refillPerSecond / parties },
    nowMs,
  );
  share.take(share.capacity, nowMs);
  return share;
}

/** Leased buckets of one limit, by key. */
export class Leases {
  readonly #table: KeyedBuckets<LeasedBucket>;
  readonly #host: Pick<FilterHost, 'nowMs' | 'after'>;
  readonly #holding = new Set<LeasedBucket>();
  readonly #active: Set<Leases>;
  #looking = false;

  /** @param active where it stands while it holds tokens that may have to go back */
  constructor(
    lender: TokenLender,
    limit: SharedLimit,
    host: Pick<FilterHost, 'nowMs' | 'after'>,
    active: Set<Leases>,
    onEvict: () => void,
  ) {
    this.#host = host;
    this.#active = active;
    const ahead = Math.min(limit.capacity, limit.refillPerSecond) * AHEAD;
    const terms: Terms = {
      lender,
      limit,
      chunk: Math.max(Math.floor(ahead / lender.parties), 1),
      host,
      holds: (bucket) => this.#holds(bucket),
    };
    this.#table = new KeyedBuckets({
      maxKeys: limit.maxKeys,
      make: (key) => new LeasedBucket(terms, key),
      // Never reused: an answer may be on its way to it.
      replace: (old, key) => {
        this.#holding.delete(old);
        old.returnAll();
        return new LeasedBucket(terms, key);
      },
      onEvict,
    });
  }

  bucket(key: string, nowMs: number): LeasedBucket {
    return this.#table.bucket(key, nowMs);
  }

  /** Gives everything back. */
  close(): void {
    for (const bucket of this.#holding) bucket.returnAll();
    this.#holding.clear();
  }

  #holds(bucket: LeasedBucket): void {
    this.#holding.add(bucket);
    this.#active.add(this);
    if (this.#looking) return;
    this.#looking = true;
    this.#host.after(IDLE_MS, () => this.#look());
  }

  #look(): void {
    this.#looking = false;
    const nowMs = this.#host.nowMs();
    for (const one of this.#holding) if (!one.returnIdle(nowMs)) this.#holding.delete(one);
    const [first] = this.#holding;
    if (first === undefined) this.#active.delete(this);
    else this.#holds(first);
  }
}
