import { CONTINUE, defineConnFilter, type ConnFilter, type ConnHooks, type FilterHost } from '@tulle/filter';
import {
  CONN_RATE_LIMIT_FILTER,
  connRateLimitFilterSchema,
  type ConnRateLimitFilterConfig,
} from '@tulle/model';
import { jsonSchema } from '@tulle/schema';
import { TokenBucket } from '@tulle/time';

/**
 * How many connections come in a time (Envoy's network and listener filters `local_ratelimit`): each takes a token, and one
 * that finds none is closed before a byte of it is read. Every process counts for itself.
 */
export const connRateLimit: ConnFilter<ConnRateLimitFilterConfig> =
  defineConnFilter<ConnRateLimitFilterConfig>({
    apiVersion: 1,
    id: CONN_RATE_LIMIT_FILTER,
    summary: 'Limits how many connections come in a time, by token bucket.',
    config: jsonSchema<ConnRateLimitFilterConfig>(connRateLimitFilterSchema),
    effects: 'local',
    create: createConnRateLimit,
  });

function createConnRateLimit(
  host: FilterHost,
  { name, bucket: { capacity, tokens, intervalMs } }: ConnRateLimitFilterConfig,
): ConnHooks<ConnRateLimitFilterConfig> {
  const bucket = new TokenBucket({ capacity, refillPerSecond: (tokens * 1000) / intervalMs }, host.nowMs());
  const refused = host.counter(
    'conn_ratelimit_refused_total',
    'Connections refused since too many came in a time',
    { limit: name },
  );
  const details = `connection_rate_limited{${printable(name)}}`;
  return {
    connect(connection) {
      if (bucket.take(1, host.nowMs())) return CONTINUE;
      refused.add();
      return connection.close('TULLE_CONNECTION_LIMITED', details);
    },
  };
}

/** What could break a log's fields becomes an underscore. */
export function printable(name: string): string {
  return name.replace(/[^\w./-]/g, '_');
}
