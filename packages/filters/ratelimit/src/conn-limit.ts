import {
  CONTINUE,
  defineConnFilter,
  type Connection,
  type ConnFilter,
  type ConnHooks,
  type FilterHost,
  type STOP,
} from '@tulle/filter';
import { CONN_LIMIT_FILTER, connLimitFilterSchema, type ConnLimitFilterConfig } from '@tulle/model';
import { jsonSchema } from '@tulle/schema';
import { printable } from './conn-ratelimit.ts';

/** Whether a connection counts. */
interface Held {
  counts: boolean;
}

/**
 * How many connections there are at a time (Envoy's network filter `connection_limit`): one beyond is closed, at once or
 * after `delayMs`. Every process counts for itself, and every configuration: connections of one that was replaced count no
 * more for its successor.
 */
export const connLimit: ConnFilter<ConnLimitFilterConfig, Held> = defineConnFilter<
  ConnLimitFilterConfig,
  Held
>({
  apiVersion: 1,
  id: CONN_LIMIT_FILTER,
  summary: 'Limits how many connections there are at a time.',
  config: jsonSchema<ConnLimitFilterConfig>(connLimitFilterSchema),
  effects: 'local',
  state: {
    create: () => ({ counts: false }),
    reset: (state) => {
      state.counts = false;
    },
  },
  create: createConnLimit,
});

function createConnLimit(
  host: FilterHost,
  { name, maxConnections, delayMs = 0 }: ConnLimitFilterConfig,
): ConnHooks<ConnLimitFilterConfig, Held> {
  const refused = host.counter(
    'conn_limit_refused_total',
    'Connections refused since there were too many at a time',
    { limit: name },
  );
  const gauge = host.gauge('conn_limit_active', 'Connections that count against the limit', { limit: name });
  const details = `over_connection_limit{${printable(name)}}`;
  const refuse = (connection: Connection): typeof STOP =>
    connection.close('TULLE_CONNECTION_LIMITED', details);
  let active = 0;
  return {
    connect(connection, _config, held) {
      if (active < maxConnections) {
        active += 1;
        held.counts = true;
        gauge.set(active);
        return CONTINUE;
      }
      refused.add();
      if (delayMs === 0) return refuse(connection);
      return new Promise((resolve) => {
        host.after(delayMs, () => resolve(refuse(connection)));
      });
    },
    close(_connection, _config, held) {
      if (!held.counts) return undefined;
      held.counts = false;
      active -= 1;
      gauge.set(active);
      return undefined;
    },
  };
}
