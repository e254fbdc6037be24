import { TokenBucket } from '@tulle/time';

/** A key's bucket, linked by the time of its last use. */
class Entry {
  key: string;
  readonly bucket: TokenBucket;
  newer: Entry | undefined = undefined;
  older: Entry | undefined = undefined;

  constructor(key: string, bucket: TokenBucket) {
    this.key = key;
    this.bucket = bucket;
  }
}

/** What a table is made of. */
export interface BucketTableOptions {
  readonly capacity: number;
  readonly refillPerSecond: number;
  readonly maxKeys: number;
  /** The bucket unused longest gave way to a new key. */
  onEvict(): void;
}

/**
 * A token bucket for each key, at most `maxKeys`. A full table reuses the bucket that nobody used longest: with its
 * refill in the meantime it is the one most likely to be full, so least is forgotten.
 */
export class BucketTable {
  readonly #options: BucketTableOptions;
  readonly #entries = new Map<string, Entry>();
  #newest: Entry | undefined;
  #oldest: Entry | undefined;

  constructor(options: BucketTableOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The key's bucket; full when the key is new. */
  bucket(key: string, nowMs: number): TokenBucket {
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry =
        this.#entries.size < this.#options.maxKeys
          ? new Entry(key, new TokenBucket(this.#options, nowMs))
          : this.#reuse(key, nowMs);
      this.#entries.set(key, entry);
    } else {
      if (entry === this.#newest) return entry.bucket;
      this.#unlink(entry);
    }
    entry.older = this.#newest;
    if (this.#newest !== undefined) this.#newest.newer = entry;
    this.#newest = entry;
    this.#oldest ??= entry;
    return entry.bucket;
  }

  #reuse(key: string, nowMs: number): Entry {
    const entry = this.#oldest as Entry;
    this.#options.onEvict();
    this.#entries.delete(entry.key);
    this.#unlink(entry);
    entry.key = key;
    entry.bucket.reset(nowMs);
    return entry;
  }

  #unlink(entry: Entry): void {
    if (entry.older === undefined) this.#oldest = entry.newer;
    else entry.older.newer = entry.newer;
    if (entry.newer === undefined) this.#newest = entry.older;
    else entry.newer.older = entry.older;
    entry.older = undefined;
    entry.newer = undefined;
  }
}
