import type { Chance } from '../chance.ts';
import type { Answer, Area, Configuration, Exchange, Field, Json } from '../configuration.ts';
import { typed } from '../resources.ts';
import { everyHost, METHODS, pathOf, queryOf } from './vocabulary.ts';

const FILTER = 'envoy.filters.http.ext_authz';

/** A service over HTTP that is asked first: what it is told, and what becomes of its answer. */
export const extAuthz: Area = {
  name: 'ext-authz',
  short: 60,
  make(chance): Configuration {
    const own = perRoute(chance);
    return {
      httpFilters: [{ name: FILTER, typed_config: filterOf(chance, own) }],
      routes: everyHost([
        {
          match: { prefix: '/free' },
          route: { cluster: 'a' },
          typed_per_filter_config: {
            [FILTER]: typed('envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute', own),
          },
        },
        // What the service says may be matched, where the route is chosen again.
        {
          match: { prefix: '/', headers: [{ name: 'x-user', string_match: { exact: 'alice' } }] },
          route: { cluster: 'b' },
        },
        { match: { prefix: '/' }, route: { cluster: 'a' } },
      ]),
      exchanges: Array.from({ length: 6 }, () => request(chance)),
    };
  },
};

/** Fields that a caller says, and a service, and lists name. */
const SAID: readonly string[] = ['x-one', 'x-two', 'x-role', 'cookie', 'accept-language'];
const ANSWERED: readonly string[] = ['x-user', 'x-one', 'x-two', 'x-role', 'x-reason', 'x-told'];
const WORDS: readonly string[] = ['alice', 'bob', 'a, b', '', 'x'.repeat(200), '1'];

/** A list of fields: by name, in another case, or by what they begin with. */
function listOf(chance: Chance, names: readonly string[]): Json {
  return {
    patterns: chance
      .sample(names, chance.int(1, 3))
      .map((name) =>
        chance.pick<() => Json>([
          () => ({ exact: name }),
          () => ({ exact: name }),
          () => ({ exact: name }),
          () => ({ exact: name.toUpperCase(), ignore_case: true }),
          () => ({ prefix: name.slice(0, chance.int(3, name.length)) }),
        ])(),
      ),
  };
}

function bodyOf(chance: Chance, partial: number): Json {
  return { max_request_bytes: chance.int(1, 40), allow_partial_message: chance.maybe(partial) };
}

function perRoute(chance: Chance): Json {
  return chance.pick<() => Json>([
    () => ({ disabled: true }),
    () => ({ check_settings: { disable_request_body_buffering: true } }),
    () => ({ check_settings: { with_request_body: bodyOf(chance, 0) } }),
    () => ({ check_settings: { context_extensions: { one: 'two' } } }),
  ])();
}

/** @param own what a route says: where it collects bodies, no route is chosen again */
function filterOf(chance: Chance, own: Json): Json {
  const cluster = chance.pick(['d', 'd', 'd', 'd', 'd', 'd', 'gone']);
  const when = (probability: number, field: string, value: () => unknown): Json =>
    chance.maybe(probability) ? { [field]: value() } : {};
  const list = (probability: number, field: string, names: readonly string[]): Json =>
    when(probability, field, () => listOf(chance, names));
  return typed('envoy.extensions.filters.http.ext_authz.v3.ExtAuthz', {
    transport_api_version: 'V3',
    http_service: {
      server_uri: { uri: 'http://authz.test', cluster, timeout: '0.3s' },
      ...when(0.4, 'path_prefix', () => chance.pick(['/check', '/check/it', '/c%20d'])),
      authorization_request: when(0.5, 'headers_to_add', () =>
        chance
          .sample(['x-asked-by', 'x-one', 'authorization', 'X-Upper'], chance.int(1, 2))
          .map((key) => ({ key, value: chance.pick(['proxy', 'a, b', 'Basic eA==']) })),
      ),
      authorization_response: {
        ...list(0.6, 'allowed_upstream_headers', ANSWERED),
        ...list(0.3, 'allowed_upstream_headers_to_append', ANSWERED),
        ...list(0.5, 'allowed_client_headers', [
          ...ANSWERED,
          'www-authenticate',
          'set-cookie',
          'retry-after',
        ]),
        ...list(0.4, 'allowed_client_headers_on_success', [...ANSWERED, 'set-cookie']),
      },
    },
    ...list(0.6, 'allowed_headers', SAID),
    ...list(0.2, 'disallowed_headers', SAID),
    ...when(0.3, 'failure_mode_allow', () => true),
    ...when(0.3, 'failure_mode_allow_header_add', () => true),
    ...when(0.4, 'status_on_error', () => ({
      code: chance.pick(['ServiceUnavailable', 'Unauthorized', 'BadGateway', 'InternalServerError']),
    })),
    ...when(0.15, 'filter_enabled', () => ({ default_value: { numerator: chance.pick([0, 100]) } })),
    ...when(0.3, 'deny_at_disable', () => ({
      default_value: chance.maybe(0.5),
      runtime_key: 'deny',
    })),
    ...(chance.maybe(0.3)
      ? { with_request_body: bodyOf(chance, 0.05) }
      : when(JSON.stringify(own).includes('with_request_body') ? 0 : 0.4, 'clear_route_cache', () => true)),
  });
}

/** Fields of some of these names, now and then in two lines. */
function fieldsOf(chance: Chance, names: readonly string[], probability: number): Field[] {
  return chance
    .some(names, probability)
    .flatMap((name): Field[] => [
      [name, chance.pick(WORDS)],
      ...(name !== 'x-user' && chance.maybe(0.1) ? [[name, chance.pick(WORDS)] as const] : []),
    ]);
}

function verdict(chance: Chance, method: string): Answer {
  const headers: Field[] = fieldsOf(chance, ANSWERED, 0.6);
  if (chance.maybe(0.2)) headers.push(['set-cookie', 'a=1'], ['set-cookie', 'b=2; Path=/']);
  return chance.pick<() => Answer>([
    () => ({ status: 200, headers }),
    () => ({ status: 200, headers }),
    () => ({ status: 200, headers, body: 'x'.repeat(chance.int(0, 5000)), delayMs: chance.int(0, 20) }),
    () => ({ status: chance.pick([201, 202, 204, 206]), headers }),
    () => ({
      status: chance.pick([400, 401, 403, 302, 307, 404, 418, 429]),
      headers: [
        ...headers,
        ...chance.some<Field>(
          [
            ['location', 'http://login.test/?to=%2F'],
            ['www-authenticate', 'Basic realm="x"'],
            ['retry-after', '7'],
            ['content-type', 'text/html'],
          ],
          0.5,
        ),
      ],
      body: chance.pick(['no', '', '<p>no</p>', 'x'.repeat(3000)]),
    }),
    () => ({ status: chance.pick([500, 502, 503, 504]), headers }),
    // What answers HEAD has nothing that could be cut.
    () => ({ fault: chance.pick(['reset', 'silence', method === 'HEAD' ? 'reset' : 'cut'] as const) }),
  ])();
}

function request(chance: Chance): Exchange {
  const method = chance.pick(METHODS);
  return {
    method,
    path: chance.pick(['', '/free', '']) + pathOf(chance, 2) + queryOf(chance),
    headers: [
      ...fieldsOf(
        chance,
        SAID.filter((name) => name !== 'cookie'),
        0.4,
      ),
      ...(chance.maybe(0.3) ? [['cookie', 'a=1'] as const] : []),
      ...(chance.maybe(0.3) ? [['authorization', 'Bearer t'] as const] : []),
    ],
    ...(['POST', 'PUT', 'PATCH'].includes(method) && {
      body: 'x'.repeat(chance.pick([0, chance.int(1, 60), 3000])),
      chunked: chance.maybe(0.2),
    }),
    answers: { d: [verdict(chance, method)] },
  };
}
