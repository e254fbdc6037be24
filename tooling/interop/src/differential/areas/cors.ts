import type { Chance } from '../chance.ts';
import type { Area, Configuration, Exchange, Field, Json } from '../configuration.ts';
import { typed } from '../resources.ts';
import { everyHost } from './vocabulary.ts';

const FILTER = 'envoy.filters.http.cors';

/** Which origins of pages may call, and what preflights are told. */
export const cors: Area = {
  name: 'cors',
  short: 30,
  make(chance): Configuration {
    return {
      httpFilters: [{ name: FILTER, typed_config: typed('envoy.extensions.filters.http.cors.v3.Cors') }],
      routes: everyHost(
        [
          {
            match: { prefix: '/own' },
            route: { cluster: 'a' },
            ...(chance.maybe(0.7) && { typed_per_filter_config: { [FILTER]: policyOf(chance) } }),
          },
          { match: { prefix: '/' }, route: { cluster: 'b' } },
        ],
        chance.maybe(0.7) ? { typed_per_filter_config: { [FILTER]: policyOf(chance) } } : {},
      ),
      exchanges: Array.from({ length: 6 }, () => request(chance)),
    };
  },
};

function policyOf(chance: Chance): Json {
  return typed('envoy.extensions.filters.http.cors.v3.CorsPolicy', {
    allow_origin_string_match: chance.sample<Json>(
      [
        { exact: 'https://one.test' },
        { exact: '*' },
        { prefix: 'https://' },
        { suffix: '.test' },
        { safe_regex: { regex: 'https://[a-z]+\\.example' } },
        { contains: 'two', ignore_case: true },
      ],
      chance.int(1, 2),
    ),
    ...(chance.maybe(0.7) && { allow_methods: chance.pick(['GET, POST', 'PUT', '*']) }),
    ...(chance.maybe(0.6) && { allow_headers: chance.pick(['x-one, content-type', '*']) }),
    ...(chance.maybe(0.5) && { expose_headers: 'x-answer' }),
    ...(chance.maybe(0.5) && { max_age: chance.pick(['600', '0']) }),
    ...(chance.maybe(0.4) && { allow_credentials: chance.maybe(0.7) }),
    ...(chance.maybe(0.2) && { filter_enabled: { default_value: { numerator: chance.pick([0, 100]) } } }),
    ...(chance.maybe(0.2) && { allow_private_network_access: true }),
    ...(chance.maybe(0.25) && { forward_not_matching_preflights: chance.maybe(0.5) }),
  });
}

function request(chance: Chance): Exchange {
  const preflight = chance.maybe(0.5);
  const headers: Field[] = [];
  if (chance.maybe(0.85))
    headers.push([
      'origin',
      chance.pick([
        'https://one.test',
        'https://one.example',
        'http://two.test',
        'https://TWO.test',
        'null',
        'https://evil.invalid',
      ]),
    ]);
  if (preflight && chance.maybe(0.85))
    headers.push(['access-control-request-method', chance.pick(['GET', 'PUT', 'PATCH'])]);
  if (preflight && chance.maybe(0.5))
    headers.push(['access-control-request-headers', chance.pick(['x-one', 'x-two'])]);
  if (preflight && chance.maybe(0.2)) headers.push(['access-control-request-private-network', 'true']);
  const own: Field[] = chance.maybe(0.2) ? [['access-control-allow-origin', 'https://origin.test']] : [];
  return {
    method: preflight ? 'OPTIONS' : chance.pick(['GET', 'POST']),
    path: chance.pick(['/own', '/']),
    headers,
    answers: { a: [{ headers: own }], b: [{ headers: own }] },
  };
}
