import { createClient } from '@redis/client';
import type { Counters } from './counters.ts';

export interface RedisCountersOptions {
  /** `redis://[[user]:password@]host[:port][/database]`, or `rediss://` for TLS. */
  readonly url: string;
  /** An answer later than this is none. Default 250 ms: callers do not wait long for a count. */
  readonly timeoutMs?: number;
  /** One line when Redis goes away, and one when it is there. Must not throw. */
  readonly log?: (line: string) => void;
}

/**
 * Counts that all processes with the same Redis share. Each {@link Counters.raise} is one transaction of INCRBY and EXPIRE
 * (so no count is left without an end), sent at once and awaited once. While Redis is away nothing queues: raising
 * fails at once, and the connection is tried again behind it.
 */
export function redisCounters({ url, timeoutMs = 250, log = () => {} }: RedisCountersOptions): Counters {
  const client = createClient({
    url,
    // Counts that wait for Redis to come back would come late and twice.
    disableOfflineQueue: true,
    commandsQueueMaxLength: 10_000,
    socket: {
      connectTimeout: 2_000,
      reconnectStrategy: (attempt: number) => Math.min(50 * 2 ** Math.min(attempt, 6), 2_000),
    },
  });
  let there: boolean | undefined;
  client.on('ready', () => {
    there = true;
    log('Redis is there');
  });
  client.on('error', (error: Error) => {
    if (there === false) return;
    there = false;
    log(`Redis is away: ${error.message || (error as NodeJS.ErrnoException).code}`);
  });
  // Settles when Redis is there for the first time, or with close().
  client.connect().catch(() => {});

  return {
    async raise(hits) {
      if (!client.isReady) throw new Error('Redis is away');
      const transaction = client.multi();
      for (const { key, add, ttlSeconds } of hits) transaction.incrBy(key, add).expire(key, ttlSeconds);
      const replies = (await within(timeoutMs, transaction.exec())) as readonly unknown[];
      return hits.map((_, index) => Number(replies[index * 2]));
    },
    async close() {
      if (client.isReady) await within(timeoutMs, client.close()).catch(() => {});
      if (client.isOpen) client.destroy();
    },
  };
}

async function within<Value>(timeoutMs: number, promise: Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Redis gave no answer within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
