import { PROBE_PATH } from '../byte-clients.ts';
import type { Chance } from '../chance.ts';
import type { Area, Configuration, Exchange, Field, Json } from '../configuration.ts';
import { FILTERS, type FilterMaker } from './without-route-filters.ts';

/** What filters do for requests that no virtual host or no route takes, and for what routes answer themselves. */
export const withoutRoute: Area = {
  name: 'without-route',
  short: 24,
  make(chance, index): Configuration {
    // Each filter in its turn, the first of those that a request meets; and often another one.
    const first = FILTERS[index % FILTERS.length] as FilterMaker;
    const made = [first, ...(chance.maybe(0.5) ? [chance.pick(FILTERS)] : [])]
      .filter((one, i, all) => all.findIndex(({ name }) => name === one.name) === i)
      .map((one) => ({ name: one.name, ...one.make(chance) }));
    const at = (where: string, probability: number): Json => {
      const own = made.flatMap(({ name, perRoute }) =>
        perRoute !== undefined && chance.maybe(probability) ? [[name, perRoute(where)] as const] : [],
      );
      return own.length === 0 ? {} : { typed_per_filter_config: Object.fromEntries(own) };
    };
    // One text for both, so that it is as long and is compressed to the same; by status, so that it says which it was.
    const isTold = chance.maybe(0.5) || made.some(({ name }) => name.endsWith('compressor'));
    const collects = made.some(({ name }) => name.endsWith('buffer'));
    const asynchronous = made.some(({ name }) => name.endsWith('ext_proc'));
    return {
      ...(isTold && { manager: { local_reply_config: repliesOf(chance) } }),
      httpFilters: made.map(({ name, config, disabled }) => ({
        name,
        typed_config: config,
        ...(disabled === true && { disabled }),
      })),
      routes: {
        virtual_hosts: [
          {
            name: 'known',
            domains: ['one.test'],
            routes: [
              { match: { path: PROBE_PATH }, direct_response: { status: 299 } },
              { match: { prefix: '/there' }, route: { cluster: 'a' }, ...at('route', 0.3) },
              { match: { path: '/moved' }, redirect: { path_redirect: '/there' }, ...at('moved', 0.3) },
              {
                match: { path: '/said' },
                direct_response: { status: 200, body: { inline_string: LONG } },
                ...at('said', 0.3),
              },
              // Where nothing listens: what the router answers has a route.
              { match: { path: '/gone' }, route: { cluster: 'gone' }, ...at('gone', 0.3) },
              // A cluster that there is not.
              { match: { path: '/nowhere' }, route: { cluster_header: 'x-nobody' } },
            ],
            response_headers_to_add: [{ header: { key: 'x-host', value: 'known' } }],
            ...at('host', 0.3),
          },
        ],
        response_headers_to_add: [{ header: { key: 'x-table', value: 'of all' } }],
        ...at('table', 0.3),
      },
      exchanges: [
        ...Array.from({ length: 5 }, () => request(chance, collects)),
        // Envoy ends the connection of what it cannot read before a service has answered.
        { protocol: 'raw', bytes: chance.pick(asynchronous ? EARLY : [...EARLY, ...UNREAD]) },
      ],
    };
  },
};

/** Long enough to be compressed. */
const LONG = 'said by the route itself, '.repeat(8);

/** Local replies have one form, and one of them is another. */
function repliesOf(chance: Chance): Json {
  const text = { inline_string: '%RESPONSE_CODE% by the proxy itself, for %REQ(x-user)%' };
  return {
    ...(chance.maybe(0.5) && {
      mappers: [
        {
          filter: {
            status_code_filter: {
              comparison: {
                op: chance.pick(['EQ', 'GE', 'LE']),
                value: { default_value: 404, runtime_key: 'x' },
              },
            },
          },
          ...(chance.maybe(0.5) && { status_code: 410 }),
          body: { inline_string: 'nothing here' },
          headers_to_add: [{ header: { key: 'x-mapped', value: 'yes' } }],
        },
      ],
    }),
    body_format: chance.maybe(0.7)
      ? { text_format_source: text, content_type: 'text/plain; charset=utf-8' }
      : { json_format: { status: '%RESPONSE_CODE%', user: '%REQ(x-user)%', of: { two: 'b', one: 'a' } } },
  };
}

/** What is refused before any filter sees it. */
const EARLY: readonly string[] = [
  'GET /there HTTP/1.0\r\nHost: one.test\r\n\r\n',
  'GET /there HTTP/1.1\r\n\r\n',
  'GET /there/%00 HTTP/1.1\r\nHost: one.test\r\n\r\n',
  'GET /there HTTP/1.1\r\nHost: one.test\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n',
];

/** What is no request that could be read. */
const UNREAD: readonly string[] = [
  `GET /there HTTP/1.1\r\nHost: one.test\r\nx-long: ${'x'.repeat(70_000)}\r\n\r\n`,
  'GET /there HTTP/1.1\r\nHost: one.test\r\nno colon\r\n\r\n',
];

/** @param collects bodies, of which Envoy does not count those that come in one frame of HTTP/2 */
function request(chance: Chance, collects: boolean): Exchange {
  const field = (probability: number, name: string, values: readonly string[]): Field[] =>
    chance.maybe(probability) ? [[name, chance.pick(values)]] : [];
  const method = chance.pick(['GET', 'GET', 'GET', 'GET', 'POST', 'HEAD', 'OPTIONS']);
  return {
    protocol: !collects && chance.maybe(0.3) ? 'http2' : 'http1',
    method,
    path: chance.pick([
      '/none',
      '/none',
      '/none',
      '/none/a?q=1',
      '/there',
      '/moved',
      '/said',
      '/gone',
      '/nowhere',
    ]),
    host: chance.pick(['one.test', 'one.test', 'none.test']),
    headers: [
      ...field(0.5, 'x-one', ['v1', 'v2']),
      ...field(0.3, 'x-user', ['alice', 'bob']),
      ...field(0.3, 'authorization', ['Bearer x']),
      ...field(0.3, 'accept-encoding', ['gzip', 'br, gzip', 'identity']),
      ...field(0.3, 'origin', ['https://one.test', 'https://evil.invalid']),
      ...(method === 'OPTIONS' ? field(0.7, 'access-control-request-method', ['GET']) : []),
      ...field(0.15, 'x-envoy-fault-abort-request', ['503']),
      ...(method === 'POST' ? field(0.3, 'content-type', ['application/grpc-web', 'text/plain']) : []),
    ],
    ...(method === 'POST' && { body: 'x'.repeat(chance.pick([1, 20, 200])) }),
    answers: {
      d: [chance.pick([{}, { headers: [['x-told', 'yes'] as const] }, { status: 403, body: 'no' }])],
    },
  };
}
