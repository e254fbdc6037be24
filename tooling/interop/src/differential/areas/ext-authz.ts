import type { Chance } from '../chance.ts';
import type { Answer, Area, Configuration, Exchange, Field, Json } from '../configuration.ts';
import { typed } from '../resources.ts';
import { everyHost } from './vocabulary.ts';

const FILTER = 'envoy.filters.http.ext_authz';

/** A service over HTTP that is asked first: what it is told, and what becomes of its answer. */
export const extAuthz: Area = {
  name: 'ext-authz',
  short: 35,
  make(chance): Configuration {
    return {
      httpFilters: [{ name: FILTER, typed_config: filterOf(chance) }],
      routes: everyHost([
        {
          match: { prefix: '/free' },
          route: { cluster: 'a' },
          typed_per_filter_config: {
            [FILTER]: typed('envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute', {
              disabled: true,
            }),
          },
        },
        { match: { prefix: '/' }, route: { cluster: 'a' } },
      ]),
      exchanges: Array.from({ length: 6 }, () => request(chance)),
    };
  },
};

const names = (...list: string[]): Json => ({ patterns: list.map((exact) => ({ exact })) });

function filterOf(chance: Chance): Json {
  const cluster = chance.pick(['d', 'd', 'd', 'd', 'gone']);
  return typed('envoy.extensions.filters.http.ext_authz.v3.ExtAuthz', {
    transport_api_version: 'V3',
    http_service: {
      server_uri: { uri: 'http://authz.test', cluster, timeout: '0.3s' },
      ...(chance.maybe(0.4) && { path_prefix: '/check' }),
      ...(chance.maybe(0.4) && {
        authorization_request: { headers_to_add: [{ key: 'x-asked-by', value: 'proxy' }] },
      }),
      authorization_response: {
        ...(chance.maybe(0.6) && { allowed_upstream_headers: names('x-user', 'x-one') }),
        ...(chance.maybe(0.3) && { allowed_upstream_headers_to_append: names('x-two') }),
        ...(chance.maybe(0.5) && { allowed_client_headers: names('x-reason', 'www-authenticate') }),
        ...(chance.maybe(0.4) && { allowed_client_headers_on_success: names('x-told') }),
      },
    },
    ...(chance.maybe(0.6) && { allowed_headers: names('x-one', 'cookie') }),
    ...(chance.maybe(0.3) && { failure_mode_allow: true }),
    ...(chance.maybe(0.3) && { status_on_error: { code: 'ServiceUnavailable' } }),
    ...(chance.maybe(0.3) && {
      with_request_body: { max_request_bytes: 10, allow_partial_message: chance.maybe(0.1) },
    }),
  });
}

function verdict(chance: Chance): Answer {
  const headers: Field[] = [
    ['x-user', 'alice'],
    ['x-one', 'by-authz'],
    ['x-two', 'more'],
    ['x-reason', 'because'],
    ['x-told', 'yes'],
  ];
  return chance.pick<() => Answer>([
    () => ({ status: 200, headers }),
    () => ({ status: 200, headers }),
    () => ({
      status: chance.pick([401, 403, 302, 404]),
      headers: [...headers, ['location', 'http://login.test/'], ['www-authenticate', 'Basic']],
      body: 'no',
    }),
    () => ({ status: chance.pick([500, 503]) }),
    () => ({ fault: chance.pick(['reset', 'silence'] as const) }),
  ])();
}

function request(chance: Chance): Exchange {
  return {
    path: chance.pick(['/', '/free', '/a?b=c']),
    headers: [
      ...(chance.maybe(0.6) ? [['x-one', 'mine'] as const] : []),
      ...(chance.maybe(0.4) ? [['x-two', 'mine'] as const] : []),
      ...(chance.maybe(0.3) ? [['cookie', 'a=1'] as const] : []),
      ...(chance.maybe(0.3) ? [['authorization', 'Bearer t'] as const] : []),
    ],
    ...(chance.maybe(0.3) && { method: 'POST', body: chance.pick(['short', 'longer than ten bytes']) }),
    answers: { d: [verdict(chance)] },
  };
}
