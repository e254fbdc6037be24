/** A key's bucket, linked by the time of its last use. */
class Entry<Bucket> {
  key: string;
  bucket: Bucket;
  newer: Entry<Bucket> | undefined = undefined;
  older: Entry<Bucket> | undefined = undefined;

  constructor(key: string, bucket: Bucket) {
    this.key = key;
    this.bucket = bucket;
  }
}

/** What a table is made of. */
export interface KeyedBucketsOptions<Bucket> {
  /** Buckets kept at most. */
  readonly maxKeys: number;
  /** A bucket for a new key. */
  make(key: string, nowMs: number): Bucket;
  /** A bucket for a new key in the place of one that gave way; it may be the same, as new. */
  replace(old: Bucket, key: string, nowMs: number): Bucket;
  /** The bucket unused longest gave way to a new key. */
  onEvict(): void;
}

/**
 * A bucket for each key, at most `maxKeys`. A full table gives up the bucket that nobody used longest: with its refill in
 * the meantime it is the one most likely to be full, so least is forgotten.
 */
export class KeyedBuckets<Bucket> {
  readonly #options: KeyedBucketsOptions<Bucket>;
  readonly #entries = new Map<string, Entry<Bucket>>();
  #newest: Entry<Bucket> | undefined;
  #oldest: Entry<Bucket> | undefined;

  constructor(options: KeyedBucketsOptions<Bucket>) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The key's bucket, made when the key is new. */
  bucket(key: string, nowMs: number): Bucket {
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry =
        this.#entries.size < this.#options.maxKeys
          ? new Entry(key, this.#options.make(key, nowMs))
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

  #reuse(key: string, nowMs: number): Entry<Bucket> {
    const entry = this.#oldest as Entry<Bucket>;
    this.#options.onEvict();
    this.#entries.delete(entry.key);
    this.#unlink(entry);
    entry.key = key;
    entry.bucket = this.#options.replace(entry.bucket, key, nowMs);
    return entry;
  }

  #unlink(entry: Entry<Bucket>): void {
    if (entry.older === undefined) this.#oldest = entry.newer;
    else entry.older.newer = entry.newer;
    if (entry.newer === undefined) this.#newest = entry.older;
    else entry.newer.older = entry.older;
    entry.older = undefined;
    entry.newer = undefined;
  }
}
