import type { Chance } from '../chance.ts';
import type { Area, Configuration, Exchange, Field, Json } from '../configuration.ts';
import { block, END_HEADERS, END_STREAM, frame, TYPE } from '../frames.ts';
import { SETTLED_PATH } from '../origins.ts';
import { typed } from '../resources.ts';
import { everyHost } from './vocabulary.ts';

const FILTER = 'envoy.filters.http.local_ratelimit';
const ALL: Json = { default_value: { numerator: 100 } };

const UNCOUNTED: Json = typed('envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit', {
  stat_prefix: 'none',
  token_bucket: { max_tokens: 1_000, fill_interval: '600s' },
  filter_enabled: { default_value: { numerator: 0 } },
});

/** Token buckets of one proxy, request after request: one for all, and those of descriptors. */
export const localRateLimit: Area = {
  name: 'local-rate-limit',
  short: 20,
  make(chance): Configuration {
    const perConnection = chance.maybe(0.2);
    const own = (where: string): Json =>
      chance.maybe(0.5)
        ? { typed_per_filter_config: { [FILTER]: limitOf(chance, where, perConnection) } }
        : {};
    return {
      httpFilters: [{ name: FILTER, typed_config: limitOf(chance, 'chain', perConnection) }],
      routes: everyHost(
        [
          // Whoever speaks frames asks for it, and is not counted there.
          {
            match: { path: SETTLED_PATH },
            route: { cluster: 'a' },
            typed_per_filter_config: { [FILTER]: UNCOUNTED },
          },
          { match: { prefix: '/own' }, route: { cluster: 'a', ...actionsOf(chance) }, ...own('route') },
          { match: { prefix: '/' }, route: { cluster: 'b', ...actionsOf(chance) } },
        ],
        {
          ...(chance.maybe(0.4) && { rate_limits: limitsOf(chance) }),
          ...(chance.maybe(0.2) && own('host')),
        },
      ),
      exchanges: Array.from({ length: 8 }, () => (perConnection ? several(chance) : request(chance))),
    };
  },
};

/** What requests say, and descriptors of it. */
const KEYS: Readonly<Record<string, readonly string[]>> = {
  generic_key: ['one', 'two'],
  user: ['alice', 'bob'],
  header_match: ['matched'],
  query_match: ['asked'],
  destination_cluster: ['a', 'b'],
};

function actionOf(chance: Chance): Json {
  return chance.pick<() => Json>([
    () => ({ generic_key: { descriptor_value: chance.pick(['one', 'two']) } }),
    () => ({
      request_headers: {
        header_name: 'x-user',
        descriptor_key: 'user',
        ...(chance.maybe(0.3) && { skip_if_absent: true }),
      },
    }),
    () => ({
      header_value_match: {
        descriptor_value: 'matched',
        ...(chance.maybe(0.3) && { expect_match: chance.maybe(0.5) }),
        headers: [{ name: 'x-user', string_match: { exact: 'alice' } }],
      },
    }),
    () => ({
      query_parameter_value_match: {
        descriptor_value: 'asked',
        ...(chance.maybe(0.3) && { expect_match: chance.maybe(0.5) }),
        query_parameters: [{ name: 'q', string_match: { exact: '1' } }],
      },
    }),
    () => ({ destination_cluster: {} }),
  ])();
}

function limitsOf(chance: Chance): Json[] {
  return Array.from({ length: chance.int(1, 2) }, (): Json => ({
    ...(chance.maybe(0.15) && { stage: 1 }),
    actions: Array.from({ length: chance.pick([1, 1, 1, 2]) }, () => actionOf(chance)),
  }));
}

function actionsOf(chance: Chance): Json {
  return {
    ...(chance.maybe(0.6) && { rate_limits: limitsOf(chance) }),
    ...(chance.maybe(0.2) && { include_vh_rate_limits: true }),
  };
}

function bucketOf(chance: Chance): Json {
  return {
    max_tokens: chance.int(1, 3),
    ...(chance.maybe(0.5) && { tokens_per_fill: 1 }),
    fill_interval: '600s',
  };
}

function descriptorsOf(chance: Chance): Json[] {
  const all = Object.entries(KEYS).flatMap(([key, values]) => values.map((value) => ({ key, value })));
  return chance.sample(all, chance.int(1, 3)).map((entry): Json => ({
    entries: chance.maybe(0.15) ? [entry, chance.pick(all.filter(({ key }) => key !== entry.key))] : [entry],
    token_bucket: bucketOf(chance),
  }));
}

function limitOf(chance: Chance, where: string, perConnection: boolean): Json {
  return typed('envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit', {
    stat_prefix: where,
    token_bucket: bucketOf(chance),
    filter_enabled: chance.maybe(0.85) ? ALL : { default_value: { numerator: 0 } },
    filter_enforced: chance.maybe(0.85) ? ALL : { default_value: { numerator: 0 } },
    ...(perConnection && { local_rate_limit_per_downstream_connection: true }),
    ...(chance.maybe(0.5) && { descriptors: descriptorsOf(chance) }),
    ...(chance.maybe(0.15) && { stage: 1 }),
    ...(chance.maybe(0.3) && { always_consume_default_token_bucket: false }),
    ...(chance.maybe(0.3) && { vh_rate_limits: chance.pick(['OVERRIDE', 'INCLUDE', 'IGNORE']) }),
    ...(chance.maybe(0.2) && {
      request_headers_to_add_when_not_enforced: [
        { header: { key: 'x-not-enforced', value: where }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' },
      ],
    }),
    ...(chance.maybe(0.3) && {
      status: { code: chance.pick(['ServiceUnavailable', 'TooManyRequests', 'Forbidden', 'OK']) },
    }),
    ...(chance.maybe(0.4) && {
      response_headers_to_add: [
        { header: { key: 'x-limited', value: where }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' },
      ],
    }),
    ...(chance.maybe(0.3) && { enable_x_ratelimit_headers: 'DRAFT_VERSION_03' }),
  });
}

function request(chance: Chance): Exchange {
  return {
    path: chance.pick(['/own', '/own/x', '/', '/other']) + chance.pick(['', '', '?q=1', '?q=2']),
    headers: chance.maybe(0.6) ? [['x-user', chance.pick(['alice', 'bob', 'carol'])] satisfies Field] : [],
  };
}

/** Requests over one connection, which has a bucket of its own. */
function several(chance: Chance): Exchange {
  const fields = [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':path', chance.pick(['/own', '/'])],
    [':authority', 'one.test'],
    ['x-user', chance.pick(['alice', 'bob'])],
  ] as const;
  const streams = Array.from({ length: chance.int(1, 4) }, (_, i) => 2 * i + 1);
  return {
    protocol: 'frames',
    bytes: streams
      .map((stream) => frame(TYPE.headers, END_HEADERS | END_STREAM, stream, block(fields)))
      .join(''),
  };
}
