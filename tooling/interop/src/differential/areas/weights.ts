import type { Chance } from '../chance.ts';
import { type Area, type Configuration, type Exchange, type Json, PLAIN_ORIGINS } from '../configuration.ts';
import { typed } from '../resources.ts';
import { everyHost } from './vocabulary.ts';

const MUTATION = 'envoy.filters.http.header_mutation';
const FAULT = 'envoy.filters.http.fault';

/** Which cluster of several, by weights: by a number of the request, and by chance; and what holds for a share alone. */
export const weights: Area = {
  name: 'weights',
  short: 25,
  make(chance): Configuration {
    const names = chance.sample(PLAIN_ORIGINS, chance.int(2, 4));
    const byHeader = chance.maybe(0.75);
    const ownsFilters = chance.maybe(0.5);
    const own = (where: string, probability: number): Json =>
      ownsFilters && chance.maybe(probability) ? { typed_per_filter_config: ownOf(chance, where) } : {};
    const clusters = names.map((name, index): Json => ({
      ...(chance.maybe(0.08) ? { cluster_header: 'x-to' } : { name }),
      weight: index === 0 ? chance.int(1, 50) : chance.pick([0, 1, 10, chance.int(1, 100)]),
      ...(chance.maybe(0.3) && { request_headers_to_add: [{ header: { key: 'x-of', value: name } }] }),
      ...(chance.maybe(0.3) && { response_headers_to_add: [{ header: { key: 'x-share', value: name } }] }),
      ...(chance.maybe(0.15) && { response_headers_to_remove: ['x-told'] }),
      ...(chance.maybe(0.15) && { host_rewrite_literal: `${name}.test` }),
      ...(chance.maybe(0.15) && { request_headers_to_remove: ['x-gone'] }),
      ...own(name, 0.5),
    }));
    const weighted = { clusters, ...(byHeader && { header_name: 'x-random' }) };
    return {
      ...(ownsFilters && {
        httpFilters: [
          {
            name: MUTATION,
            typed_config: typed('envoy.extensions.filters.http.header_mutation.v3.HeaderMutation', {
              mutations: mutationsOf('chain'),
              ...(chance.maybe(0.3) && { most_specific_header_mutations_wins: true }),
            }),
          },
          { name: FAULT, typed_config: typed('envoy.extensions.filters.http.fault.v3.HTTPFault') },
        ],
      }),
      routes: everyHost(
        [
          {
            match: { prefix: '/' },
            route: {
              weighted_clusters: weighted,
              ...(chance.maybe(0.15) && { cluster_not_found_response_code: 'NOT_FOUND' }),
            },
            ...own('route', 0.4),
          },
        ],
        own('host', 0.4),
      ),
      exchanges: byHeader ? Array.from({ length: 8 }, () => request(chance)) : [{ tally: 300, copied: true }],
    };
  },
};

function ownOf(chance: Chance, where: string): Json {
  return {
    ...(chance.maybe(0.8) && {
      [MUTATION]: typed('envoy.extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute', {
        mutations: mutationsOf(where),
      }),
    }),
    ...(chance.maybe(0.25) && {
      [FAULT]: typed('envoy.extensions.filters.http.fault.v3.HTTPFault', {
        abort: { http_status: 418, percentage: { numerator: 100 } },
      }),
    }),
  };
}

/** Each place says it of itself, and all of them. */
function mutationsOf(where: string): Json {
  const edit = (key: string, action: string): Json => ({
    append: { header: { key, value: where }, append_action: action },
  });
  return {
    request_mutations: [edit('x-by', 'OVERWRITE_IF_EXISTS_OR_ADD'), edit('x-all', 'APPEND_IF_EXISTS_OR_ADD')],
    response_mutations: [edit('x-told-by', 'OVERWRITE_IF_EXISTS_OR_ADD')],
  };
}

function request(chance: Chance): Exchange {
  const value = chance.pick([
    '0',
    '1',
    '7',
    '99',
    '1000003',
    '18446744073709551615',
    String(chance.int(0, 200)),
    String(chance.int(0, 200)),
    String(chance.int(0, 200)),
  ]);
  return {
    headers: [
      ['x-random', value],
      ['x-gone', 'x'],
      ...(chance.maybe(0.7) ? [['x-to', chance.pick(['a', 'd', 'unknown'])] as const] : []),
    ],
    answers: Object.fromEntries(PLAIN_ORIGINS.map((name) => [name, [{ headers: [['x-told', name]] }]])),
  };
}
