import type { Chance } from '../chance.ts';
import type { Area, Configuration, Exchange, Field, Json } from '../configuration.ts';
import { typed } from '../resources.ts';
import { anyOrigin, marked, METHODS } from './vocabulary.ts';
import { isNearV1, keepsWho } from './who.ts';

/** Which route a request takes by what is no path and no field: cookies, gRPC, filter state, shares, TLS, and matchers of virtual hosts. */
export const conditions: Area = {
  name: 'conditions',
  short: 30,
  make(chance): Configuration {
    const hasState = chance.maybe(0.4);
    const byMatcher = chance.maybe(0.3);
    const routes = Array.from({ length: chance.int(2, 5) }, (_, i) => routeOf(chance, `${i}`, hasState));
    const last = marked({ match: { prefix: '/' }, route: { cluster: 'a' } }, 'last');
    return {
      ...(hasState && { httpFilters: [stateOf(chance)] }),
      routes: {
        ...(chance.maybe(0.3) && { ignore_path_parameters_in_path_matching: true }),
        virtual_hosts: [
          {
            name: 'all',
            domains: ['*'],
            ...(byMatcher
              ? { matcher: matcherOf(chance, routes) }
              : { routes: chance.maybe(0.8) ? [...routes, last] : routes }),
          },
        ],
      },
      exchanges: Array.from({ length: 10 }, () => request(chance)),
    };
  },
};

/** Puts down what a field says, after which a route is looked for again. */
function stateOf(chance: Chance): Json {
  return keepsWho(
    {
      factory_key: 'envoy.string',
      format_string: {
        text_format_source: { inline_string: chance.pick(['%REQ(x-one)%', 'is-%REQ(x-one)%']) },
        ...(chance.maybe(0.3) && { omit_empty_values: true }),
      },
      ...(chance.maybe(0.4) && { skip_if_empty: true }),
    },
    { clear_route_cache: true },
  );
}

function routeOf(chance: Chance, mark: string, hasState: boolean): Json {
  const share = (numerator: number): Json => ({ default_value: { numerator } });
  const match = {
    ...chance.pick<Json>([{ prefix: '/' }, { prefix: '/' }, { path: '/a' }, { path_separated_prefix: '/a' }]),
    ...(chance.maybe(0.45) && {
      cookies: chance.sample(['user', 'size'], chance.int(1, 2)).map((name) => ({
        name,
        string_match: isNearV1(chance, '(is-)?v\\d'),
        ...(chance.maybe(0.25) && { invert_match: true }),
      })),
    }),
    ...(chance.maybe(0.2) && { grpc: {} }),
    ...(chance.maybe(0.2) && {
      runtime_fraction: share(chance.pick([0, 100, 100])),
    }),
    ...(chance.maybe(0.15) && {
      tls_context: chance.pick<Json>([{ presented: true }, { presented: false }]),
    }),
    ...(hasState &&
      chance.maybe(0.5) && { filter_state: [{ key: 'who', string_match: isNearV1(chance, '(is-)?v\\d') }] }),
  };
  const route = chance.maybe(0.3)
    ? { cluster_header: 'x-to', ...(chance.maybe(0.3) && { cluster_not_found_response_code: 'NOT_FOUND' }) }
    : { cluster: anyOrigin(chance) };
  return marked({ match, route }, mark);
}

/** Routes that a matcher chooses by fields, one by one or by a list. */
function matcherOf(chance: Chance, routes: readonly Json[]): Json {
  const input = (name: string): Json => ({
    name: 'field',
    typed_config: typed('envoy.type.matcher.v3.HttpRequestHeaderMatchInput', { header_name: name }),
  });
  const action = (list: readonly Json[]): Json => ({
    action: {
      name: 'route',
      typed_config:
        list.length === 1
          ? typed('envoy.config.route.v3.Route', list[0])
          : typed('envoy.config.route.v3.RouteList', { routes: list }),
    },
  });
  const some = (): Json => action(chance.sample(routes, chance.int(1, 2)));
  const how = chance.int(0, 2);
  return {
    ...(how === 0
      ? {
          matcher_list: {
            matchers: Array.from({ length: chance.int(1, 2) }, () => ({
              predicate: {
                single_predicate: {
                  input: input(chance.pick(['x-one', ':path', ':method'])),
                  value_match: chance.pick<Json>([
                    { exact: 'v1' },
                    { prefix: '/a' },
                    { prefix: 'v' },
                    { exact: 'GET' },
                  ]),
                },
              },
              on_match: some(),
            })),
          },
        }
      : {
          matcher_tree: {
            input: input(chance.pick(['x-one', ':path'])),
            [how === 1 ? 'exact_match_map' : 'prefix_match_map']: {
              map: { v1: some(), v: some(), '/a': some(), '/': some() },
            },
          },
        }),
    ...(chance.maybe(0.6) && { on_no_match: some() }),
  };
}

function request(chance: Chance): Exchange {
  const fields: Field[] = [];
  if (chance.maybe(0.5)) fields.push(['x-one', chance.pick(['v1', 'v2', 'V1', 'is-v1'])]);
  if (chance.maybe(0.6))
    fields.push([
      'cookie',
      chance.pick([
        'user=v1',
        'user=v2; size=v1',
        'size=12',
        'user=V1',
        'other=1; user=x',
        'user=',
        'user="v1"',
      ]),
    ]);
  if (chance.maybe(0.4)) fields.push(['x-to', chance.pick(['a', 'b', 'unknown'])]);
  const isGrpc = chance.maybe(0.2);
  if (isGrpc)
    fields.push([
      'content-type',
      chance.pick(['application/grpc', 'application/grpc+proto', 'application/grpc-web']),
    ]);
  return {
    // What calls of gRPC are (gRPC over HTTP/2, Requests); the proxy's own answers to others that say so differ on purpose.
    ...(isGrpc ? { protocol: 'http2', method: 'POST' } : { method: chance.pick(METHODS) }),
    path: chance.pick(['/a', '/', '/a/b', '/a;p=1', '/ab']),
    headers: fields,
  };
}
