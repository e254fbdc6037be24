/** A pool as far as its being kept goes. */
interface Part {
  /** Whether a stream uses one of its connections. */
  readonly inUse: boolean;
  retire(): void;
}

/** Pools of one endpoint that serve some of its requests each, by what those have in common: at most so many. */
export class PoolParts<Key, Pool extends Part> {
  readonly #most: number;
  readonly #pools: Map<Key, Pool> = new Map<Key, Pool>();

  constructor(most: number) {
    this.#most = most;
  }

  [Symbol.iterator](): Iterator<Pool> {
    return this.#pools.values();
  }

  /** @returns `undefined` where there are as many as may be, and each is in use */
  find(key: Key, make: () => Pool): Pool | undefined {
    const known = this.#pools.get(key);
    if (known !== undefined) return known;
    if (this.#pools.size >= this.#most && !this.#makeRoom()) return undefined;
    const pool = make();
    this.#pools.set(key, pool);
    return pool;
  }

  /** Nobody needs it any more. */
  forget(key: Key): void {
    this.#pools.get(key)?.retire();
    this.#pools.delete(key);
  }

  #makeRoom(): boolean {
    for (const [key, pool] of this.#pools) {
      if (pool.inUse) continue;
      this.forget(key);
      return true;
    }
    return false;
  }
}
