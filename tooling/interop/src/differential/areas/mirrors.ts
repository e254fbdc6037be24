import type { Chance } from '../chance.ts';
import type { Area, Configuration, Exchange, Json } from '../configuration.ts';
import { everyHost, headersOf, METHODS, pathOf } from './vocabulary.ts';

/** Copies of requests to other clusters. */
export const mirrors: Area = {
  name: 'mirrors',
  short: 15,
  make(chance): Configuration {
    const byChance = chance.maybe(0.1);
    // Who is nearer has the say, so that several places may.
    const [ofRoute, ofHost, ofAll] = chance
      .pick([
        [true, false, false],
        [false, true, false],
        [false, false, true],
        [true, true, false],
        [true, false, true],
        [false, true, true],
      ] as const)
      .map((is): Json => (is ? { request_mirror_policies: policiesOf(chance, byChance) } : {}));
    return {
      routes: {
        ...everyHost(
          [
            {
              match: { prefix: '/answered' },
              direct_response: { status: 200, body: { inline_string: 'here' } },
            },
            { match: { prefix: '/' }, route: { ...targetOf(chance), ...ofRoute }, ...editsOf(chance) },
          ],
          ofHost,
        ),
        ...ofAll,
      },
      exchanges: byChance ? [{ tally: 200, copied: true }] : Array.from({ length: 5 }, () => request(chance)),
    };
  },
};

function policiesOf(chance: Chance, byChance: boolean): Json[] {
  return chance
    .sample(byChance ? ['b', 'c', 'd'] : ['b', 'c', 'd', 'gone'], chance.int(1, 3))
    .map((cluster): Json => ({
      // Each origin gets one: several may arrive in any order.
      ...(!byChance && cluster === 'd' && chance.maybe(0.5) ? { cluster_header: 'x-copy' } : { cluster }),
      ...(chance.maybe(byChance ? 1 : 0.3) && {
        runtime_fraction: {
          default_value: byChance
            ? { numerator: chance.pick([5_000, 250_000, 900_000]), denominator: 'MILLION' }
            : chance.pick<Json>([
                { numerator: 0 },
                { numerator: 100 },
                { numerator: 10_000, denominator: 'TEN_THOUSAND' },
                { numerator: 1_000_000, denominator: 'MILLION' },
              ]),
        },
      }),
      ...(chance.maybe(0.3) && { disable_shadow_host_suffix_append: true }),
    }));
}

function targetOf(chance: Chance): Json {
  return {
    ...(chance.maybe(0.8)
      ? { cluster: 'a' }
      : {
          weighted_clusters: {
            clusters: [
              { name: 'a', weight: 1, request_headers_to_add: [{ header: { key: 'x-share', value: 'a' } }] },
              { name: 'b', weight: 0 },
            ],
          },
        }),
    ...(chance.maybe(0.3) && { prefix_rewrite: '/new/' }),
    ...(chance.maybe(0.2) && { host_rewrite_literal: 'new.test' }),
    ...(chance.maybe(0.2) && {
      retry_policy: { retry_on: '5xx', num_retries: 1, retry_back_off: { base_interval: '0.001s' } },
    }),
  };
}

function editsOf(chance: Chance): Json {
  return {
    ...(chance.maybe(0.3) && { request_headers_to_add: [{ header: { key: 'x-added', value: 'route' } }] }),
    ...(chance.maybe(0.2) && { request_headers_to_remove: ['x-two'] }),
  };
}

function request(chance: Chance): Exchange {
  const method = chance.pick(METHODS);
  return {
    method,
    path: chance.maybe(0.05) ? '/answered' : pathOf(chance),
    headers: [
      ...headersOf(chance),
      ...(chance.maybe(0.6) ? [['x-copy', chance.pick(['d', 'd', 'gone', 'unknown'])] as const] : []),
    ],
    ...(['POST', 'PUT', 'PATCH'].includes(method) && {
      body: chance.pick([
        '',
        'hello',
        'x'.repeat(3000),
        'x'.repeat(50_000),
        'x'.repeat(70_000),
        'x'.repeat(300_000),
      ]),
      chunked: chance.maybe(0.3),
    }),
    answers: {
      ...(chance.maybe(0.15) && method !== 'POST' && method !== 'PATCH' && { a: [{ status: 503 }, {}] }),
      b: [chance.pick([{ status: 500 }, { delayMs: 50 }])],
      c: [{ fault: 'reset' }],
    },
  };
}
