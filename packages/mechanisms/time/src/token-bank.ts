import { KeyedBuckets } from './keyed-buckets.ts';
import { TokenBucket, type TokenBucketOptions } from './token-bucket.ts';

/** A kind of bucket that several parties take from, one bucket for each key. */
export interface SharedLimit extends TokenBucketOptions {
  /** The same for everybody who means the same. */
  readonly id: string;
  /** Keys kept at most. */
  readonly maxKeys: number;
}

/** What a lender answers. */
export interface Loan {
  /** 0 to what was asked for. */
  readonly granted: number;
  /** When one token is there again if nobody else takes it; 0 where some were granted. */
  readonly retryInMs: number;
}

/** Lends tokens of buckets that are kept somewhere else, e.g. in the process that several others have in common. */
export interface TokenLender {
  /** Who may hold tokens at a time: each takes its share ahead, not all that there is. >= 1 */
  readonly parties: number;
  /**
   * Asks for tokens of a key.
   * @param want >= 1
   * @returns rejects when the lender does not answer; nothing is granted then
   */
  borrow(limit: SharedLimit, key: string, want: number): Promise<Loan>;
  /** Gives back what was not used. Lost where the lender cannot be reached. */
  giveBack(limit: SharedLimit, key: string, tokens: number): void;
}

interface Account {
  readonly buckets: KeyedBuckets<TokenBucket>;
  /** After so long without use every bucket of it is full, so it can be forgotten without a trace. */
  readonly forgetAfterMs: number;
  usedMs: number;
}

/** Limits that were not used are looked for so often. */
const SWEEP_EVERY_MS = 60_000;

/** The buckets behind a {@link TokenLender}. Whole tokens only; the first use of a key finds its bucket full. */
export class TokenBank {
  readonly #accounts = new Map<string, Account>();
  #sweptMs = 0;

  /** Limits with buckets now. */
  get size(): number {
    return this.#accounts.size;
  }

  lend(limit: SharedLimit, key: string, want: number, nowMs: number): Loan {
    const bucket = this.#bucket(limit, key, nowMs);
    const granted = Math.min(Math.floor(bucket.available(nowMs) + 1e-9), want);
    if (granted >= 1 && bucket.take(granted, nowMs)) return { granted, retryInMs: 0 };
    return { granted: 0, retryInMs: Math.max(bucket.nextAtMs(1, nowMs) - nowMs, 0) };
  }

  giveBack(limit: SharedLimit, key: string, tokens: number, nowMs: number): void {
    const bucket = this.#bucket(limit, key, nowMs);
    bucket.available(nowMs); // what came until now comes first, so that no more than the capacity is ever there
    bucket.giveBack(tokens);
  }

  #bucket(limit: SharedLimit, key: string, nowMs: number): TokenBucket {
    this.#sweep(nowMs);
    const account = this.#accounts.get(limit.id) ?? this.#open(limit);
    account.usedMs = nowMs;
    return account.buckets.bucket(key, nowMs);
  }

  #open(limit: SharedLimit): Account {
    const account: Account = {
      buckets: new KeyedBuckets({
        maxKeys: limit.maxKeys,
        make: (_key, nowMs) => new TokenBucket(limit, nowMs),
        replace(bucket, _key, nowMs) {
          bucket.reset(nowMs);
          return bucket;
        },
        onEvict: () => {}, // whoever borrows has as many keys, and counts those that give way
      }),
      forgetAfterMs: Math.max((limit.capacity / limit.refillPerSecond) * 1_000, SWEEP_EVERY_MS),
      usedMs: 0,
    };
    this.#accounts.set(limit.id, account);
    return account;
  }

  #sweep(nowMs: number): void {
    if (nowMs - this.#sweptMs < SWEEP_EVERY_MS) return;
    this.#sweptMs = nowMs;
    for (const [id, { usedMs, forgetAfterMs }] of this.#accounts)
      if (nowMs - usedMs > forgetAfterMs) this.#accounts.delete(id);
  }
}
