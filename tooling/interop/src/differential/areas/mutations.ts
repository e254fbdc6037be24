import type { Chance } from '../chance.ts';
import type { Area, Configuration, Exchange, Field, Json } from '../configuration.ts';
import { typed } from '../resources.ts';
import { everyHost } from './vocabulary.ts';

const FILTER = 'envoy.filters.http.header_mutation';

/** What the filter `header_mutation` makes of fields, trailers and queries, and which of its places say so: the chain, the table, hosts, routes and shares. */
export const mutations: Area = {
  name: 'mutations',
  short: 30,
  make(chance): Configuration {
    // Trailers go on by themselves over HTTP/2.
    const spoken = chance.maybe(0.3) ? 'http2' : 'http1';
    const made: Making = { hasTrailers: spoken === 'http2' };
    const origin = spoken === 'http2' ? 'h2' : 'a';
    const at = (where: string, probability: number): Json => {
      if (!chance.maybe(probability)) return {};
      const own = typed('envoy.extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute', {
        mutations: mutationsOf(chance, where, made),
      });
      return { typed_per_filter_config: { [FILTER]: chance.maybe(0.3) ? wrapped(chance, own) : own } };
    };
    const shares = [{ name: origin, weight: 1, ...at('share', 0.5) }];
    return {
      ...(chance.maybe(0.2) && { manager: earlyOf(chance) }),
      httpFilters: [
        {
          name: FILTER,
          ...(chance.maybe(0.15) && { disabled: true }),
          typed_config: typed('envoy.extensions.filters.http.header_mutation.v3.HeaderMutation', {
            ...(chance.maybe(0.8) && { mutations: mutationsOf(chance, 'chain', made) }),
            ...(chance.maybe(0.4) && { most_specific_header_mutations_wins: true }),
          }),
        },
      ],
      routes: {
        ...everyHost(
          [
            { match: { prefix: '/a' }, route: { cluster: origin }, ...at('route', 0.6) },
            {
              match: { prefix: '/' },
              route: { weighted_clusters: { clusters: shares } },
              ...at('route', 0.5),
            },
          ],
          at('host', 0.4),
        ),
        ...at('table', 0.4),
      },
      exchanges: Array.from({ length: 6 }, () => request(chance, spoken, origin)),
    };
  },
};

interface Making {
  readonly hasTrailers: boolean;
}

/** A place's own in the form that can turn the filter off. */
function wrapped(chance: Chance, config: Json): Json {
  return typed(
    'envoy.config.route.v3.FilterConfig',
    chance.pick<Json>([{ config }, { disabled: true }, { config, is_optional: true }]),
  );
}

function earlyOf(chance: Chance): Json {
  const edits = Array.from({ length: 2 }, () => appended(chance, 'early'));
  return {
    early_header_mutation_extensions: [
      {
        name: 'early',
        typed_config: typed('envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation', {
          mutations: edits,
        }),
      },
    ],
  };
}

function mutationsOf(chance: Chance, where: string, made: Making): Json {
  const some = (): Json[] => Array.from({ length: chance.int(1, 3) }, () => mutation(chance, where));
  return {
    ...(chance.maybe(0.7) && { request_mutations: some() }),
    ...(chance.maybe(0.6) && { response_mutations: some() }),
    ...(chance.maybe(0.3) && {
      query_parameter_mutations: Array.from({ length: chance.int(1, 2) }, () => ofQuery(chance, where)),
    }),
    ...(made.hasTrailers && chance.maybe(0.4) && { request_trailers_mutations: some() }),
    ...(made.hasTrailers && chance.maybe(0.4) && { response_trailers_mutations: some() }),
  };
}

const NAMES: readonly string[] = ['x-one', 'x-two', 'x-new', 'X-Cased'];
const ACTIONS: readonly string[] = [
  'APPEND_IF_EXISTS_OR_ADD',
  'ADD_IF_ABSENT',
  'OVERWRITE_IF_EXISTS_OR_ADD',
  'OVERWRITE_IF_EXISTS',
];

function mutation(chance: Chance, where: string): Json {
  return chance.pick<() => Json>([
    () => appended(chance, where),
    () => appended(chance, where),
    () => ({ remove: chance.pick(NAMES) }),
    () => ({
      remove_on_match: {
        key_matcher: chance.pick<Json>([
          { exact: 'x-one' },
          { prefix: 'x-t' },
          { suffix: 'one' },
          { contains: '-o' },
          { safe_regex: { regex: 'x-(one|two)' } },
          { prefix: 'X-T', ignore_case: true },
        ]),
      },
    }),
  ])();
}

function appended(chance: Chance, where: string): Json {
  return {
    append: {
      header: { key: chance.pick(NAMES), value: chance.maybe(0.15) ? '' : where },
      ...(chance.maybe(0.9) && { append_action: chance.pick(ACTIONS) }),
      ...(chance.maybe(0.3) && { keep_empty_value: true }),
    },
  };
}

/** Envoy puts parameters in the order of their names: what is added stands behind all of the requests' own. */
function ofQuery(chance: Chance, where: string): Json {
  const edit = (key: string, action: string): Json => ({
    append: { record: { key, value: where }, action },
  });
  return chance.pick<() => Json>([
    () => ({ remove: chance.pick(['a', 'b', 'c', 'd']) }),
    () => edit(chance.pick(['a', 'b', 'c']), 'OVERWRITE_IF_EXISTS'),
    () => edit('d', chance.pick(ACTIONS)),
  ])();
}

function request(chance: Chance, protocol: 'http1' | 'http2', origin: string): Exchange {
  const fields = (probability: number): Field[] => [
    ...(chance.maybe(probability) ? [['x-one', chance.pick(['1', '', 'a, b'])] as const] : []),
    ...(chance.maybe(probability / 3) ? [['x-one', 'again'] as const] : []),
    ...(chance.maybe(probability) ? [['x-two', '2'] as const] : []),
    ...(chance.maybe(probability / 2) ? [['x-cased', 'c'] as const] : []),
  ];
  const query = chance.pick(['', '?a=1', '?a=1&b=2', '?a=1&a=2&c=3', '?b=2&d=4', '?c=']);
  const trailed = protocol === 'http2' && chance.maybe(0.6);
  const answered = protocol === 'http2' && chance.maybe(0.6) ? { trailers: fields(0.6) } : {};
  return {
    protocol,
    path: chance.pick(['/a', '/a/b', '/', '/other']) + query,
    headers: fields(0.5),
    ...(trailed && { method: 'POST', body: 'body', trailers: fields(0.6) }),
    answers: { [origin]: [{ headers: fields(0.4), ...answered }] },
  };
}
