import type { Chance } from '../chance.ts';
import { type Area, type Configuration, type Exchange, type Json, PLAIN_ORIGINS } from '../configuration.ts';
import { everyHost } from './vocabulary.ts';

/** Which cluster of several, by weights: by a number of the request, and by chance. */
export const weights: Area = {
  name: 'weights',
  short: 25,
  make(chance): Configuration {
    const names = chance.sample(PLAIN_ORIGINS, chance.int(2, 4));
    const byHeader = chance.maybe(0.75);
    const clusters = names.map((name, index): Json => ({
      name,
      weight: index === 0 ? chance.int(1, 50) : chance.pick([0, 1, 10, chance.int(1, 100)]),
      ...(chance.maybe(0.3) && { request_headers_to_add: [{ header: { key: 'x-of', value: name } }] }),
      ...(chance.maybe(0.3) && { response_headers_to_add: [{ header: { key: 'x-share', value: name } }] }),
      ...(chance.maybe(0.15) && { host_rewrite_literal: `${name}.test` }),
      ...(chance.maybe(0.15) && { request_headers_to_remove: ['x-gone'] }),
    }));
    const weighted = { clusters, ...(byHeader && { header_name: 'x-random' }) };
    return {
      routes: everyHost([{ match: { prefix: '/' }, route: { weighted_clusters: weighted } }]),
      exchanges: byHeader ? Array.from({ length: 8 }, () => request(chance)) : [{ tally: 300 }],
    };
  },
};

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
    ],
  };
}
