import type { Chance } from '../chance.ts';
import type { Area, Configuration, Exchange, Json } from '../configuration.ts';
import { typed } from '../resources.ts';
import { everyHost } from './vocabulary.ts';

const FILTER = 'envoy.filters.http.local_ratelimit';
const ALL: Json = { default_value: { numerator: 100 } };

/** Token buckets of one proxy, request after request. */
export const localRateLimit: Area = {
  name: 'local-rate-limit',
  short: 20,
  make(chance): Configuration {
    return {
      httpFilters: [{ name: FILTER, typed_config: limitOf(chance, 'chain') }],
      routes: everyHost([
        {
          match: { prefix: '/own' },
          route: { cluster: 'a' },
          ...(chance.maybe(0.6) && { typed_per_filter_config: { [FILTER]: limitOf(chance, 'route') } }),
        },
        { match: { prefix: '/' }, route: { cluster: 'b' } },
      ]),
      exchanges: Array.from({ length: 7 }, (): Exchange => ({
        path: chance.pick(['/own', '/own/x', '/', '/other']),
      })),
    };
  },
};

function limitOf(chance: Chance, where: string): Json {
  return typed('envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit', {
    stat_prefix: where,
    token_bucket: {
      max_tokens: chance.int(1, 3),
      ...(chance.maybe(0.5) && { tokens_per_fill: 1 }),
      fill_interval: '600s',
    },
    filter_enabled: chance.maybe(0.85) ? ALL : { default_value: { numerator: 0 } },
    filter_enforced: chance.maybe(0.85) ? ALL : { default_value: { numerator: 0 } },
    ...(chance.maybe(0.3) && {
      status: { code: chance.pick(['ServiceUnavailable', 'TooManyRequests', 'Forbidden']) },
    }),
    ...(chance.maybe(0.4) && {
      response_headers_to_add: [
        { header: { key: 'x-limited', value: where }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' },
      ],
    }),
    ...(chance.maybe(0.3) && { enable_x_ratelimit_headers: 'DRAFT_VERSION_03' }),
  });
}
