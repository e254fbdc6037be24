import { createClient } from '@redis/client';
import type { Counters } from './counters.ts';

export interface RedisCountersOptions {
  /** `redis://[[user]:password@]host[:port][/database]`, or `rediss://` for TLS. */
  readonly url: string;
  /** An answer later than this is none. Default 250 ms: callers do not wait long for a count. */
  readonly timeoutMs?: number;
  /** A connection that has answered nothing for so long, though asked, is given up for another. Default 2,000 ms. */
  readonly stallMs?: number;
  /** One line when Redis goes away, and one when it is there. Must not throw. */
  readonly log?: (line: string) => void;
}

/**
 * Counts that all processes with the same Redis share. Each {@link Counters.raise} is one transaction of INCRBY and EXPIRE
 * (so no count is left without an end), sent at once and awaited once. While Redis is away nothing queues: raising
 * fails at once, and the connection is tried again behind it.
 */
export function redisCounters(options: RedisCountersOptions): Counters {
  const { url, timeoutMs = 250, stallMs = 2_000, log = () => {} } = options;
  let there: boolean | undefined;
  let client = connect();
  /** Since when questions have no answer. */
  let silentSinceMs: number | undefined;

  function connect() {
    const made = createClient({
      url,
      // Counts that wait for Redis to come back would come late and twice.
      disableOfflineQueue: true,
      commandsQueueMaxLength: 10_000,
      socket: {
        connectTimeout: 2_000,
        reconnectStrategy: (attempt: number) => Math.min(50 * 2 ** Math.min(attempt, 6), 2_000),
      },
    });
    made.on('ready', () => {
      if (there !== true) log('Redis is there');
      there = true;
    });
    made.on('error', (error: Error) => {
      away(error.message || String((error as NodeJS.ErrnoException).code));
    });
    // Settles when Redis is there for the first time, or with destroy().
    made.connect().catch(() => {});
    return made;
  }

  function away(why: string): void {
    if (there !== false) log(`Redis is away: ${why}`);
    there = false;
  }

  /** A machine that has vanished closes no connection, and the kernel waits many minutes for it. */
  function noAnswer(askedMs: number): void {
    silentSinceMs ??= askedMs;
    if (performance.now() - silentSinceMs < stallMs) return;
    silentSinceMs = undefined;
    away(`no answer for ${stallMs} ms`);
    client.destroy();
    client = connect();
  }

  return {
    async raise(hits) {
      if (!client.isReady) throw new Error('Redis is away');
      const asked = client;
      const askedMs = performance.now();
      const transaction = asked.multi();
      for (const { key, add, ttlSeconds } of hits) transaction.incrBy(key, add).expire(key, ttlSeconds);
      const replies = await within(timeoutMs, transaction.exec(), () => {
        if (asked === client) noAnswer(askedMs);
      });
      silentSinceMs = undefined;
      return hits.map((_, index) => Number((replies as readonly unknown[])[index * 2]));
    },
    async close() {
      if (client.isReady) await within(timeoutMs, client.close()).catch(() => {});
      if (client.isOpen) client.destroy();
    },
  };
}

async function within<Value>(
  timeoutMs: number,
  promise: Promise<Value>,
  onLate = (): void => {},
): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`Redis gave no answer within ${timeoutMs} ms`));
      onLate();
    }, timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
