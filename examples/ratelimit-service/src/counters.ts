/** One count to raise. */
export interface Hit {
  /** Of the window: another window has another key. */
  readonly key: string;
  readonly add: number;
  /** When the key may be forgotten, after now. */
  readonly ttlSeconds: number;
}

/** Where requests are counted. */
export interface Counters {
  /**
   * Raises each count, in one round trip.
   * @returns what each count became
   * @throws when they cannot be counted; then nothing is known of them
   */
  raise(hits: readonly Hit[]): Promise<readonly number[]>;
  close(): Promise<void>;
}

interface Count {
  hits: number;
  readonly untilMs: number;
}

/**
 * Counts of this process alone: those of another, or of this one after a restart, are others.
 * @param nowMs milliseconds of the wall clock
 * @param maxKeys counts kept at most, default 1,000,000; past it the one that is oldest gives way
 */
export function memoryCounters({
  nowMs = Date.now,
  maxKeys = 1_000_000,
}: { readonly nowMs?: () => number; readonly maxKeys?: number } = {}): Counters {
  const counts = new Map<string, Count>();
  let sweepAtMs = 0;

  function sweep(now: number): void {
    if (now < sweepAtMs) return;
    sweepAtMs = now + 10_000;
    for (const [key, { untilMs }] of counts) if (untilMs <= now) counts.delete(key);
  }

  return {
    raise(hits) {
      const now = nowMs();
      sweep(now);
      return Promise.resolve(
        hits.map(({ key, add, ttlSeconds }) => {
          let count = counts.get(key);
          if (count === undefined) {
            if (counts.size >= maxKeys) counts.delete(counts.keys().next().value as string);
            counts.set(key, (count = { hits: 0, untilMs: now + ttlSeconds * 1_000 }));
          }
          return (count.hits += add);
        }),
      );
    },
    close() {
      counts.clear();
      return Promise.resolve();
    },
  };
}
