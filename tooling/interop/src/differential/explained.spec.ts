import { describe, expect, it } from 'vitest';
import type { Answer, Configuration, Exchange, Json } from './configuration.ts';
import type { Observation } from './observe.ts';
import type { Seen } from './origins.ts';
import { judge, observed, OWN, passed, refused, seen } from './explained/support.ts';
import { EXPLANATIONS } from './explained.ts';
import { block, END_HEADERS, END_STREAM, frame, TYPE } from './frames.ts';

/** What goes wrong at Tulle's side, beside what is explained. */
const PLANTS: Readonly<Record<string, (right: Observation) => Observation>> = {
  'a wrong status': (right) => ({ ...right, reply: { ...right.reply, status: 509 } }),
  'a lost field of the answer': (right) => ({
    ...right,
    reply: { ...right.reply, headers: (right.reply.headers ?? []).slice(1) },
  }),
  'a field more': (right) => ({
    ...right,
    reply: { ...right.reply, headers: [...(right.reply.headers ?? []), ['x-more', '1']] },
  }),
  'another body': (right) => ({ ...right, reply: { ...right.reply, body: 'other' } }),
  'a lost field of the request': (right) => onFirst(right, ({ headers }) => ({ headers: headers.slice(1) })),
  'a changed path': (right) => onFirst(right, ({ path }) => ({ path: `${path}x` })),
  'another method': (right) => onFirst(right, () => ({ method: 'TRACE' })),
  'another origin': (right) => onFirst(right, () => ({ origin: 'd' })),
  'another body of the request': (right) => onFirst(right, () => ({ body: 'other' })),
  'one request more': (right) => ({ ...right, seen: [...right.seen, seen({ origin: 'c' })] }),
};

function onFirst(right: Observation, change: (one: Seen) => Partial<Seen>): Observation {
  const [one, ...more] = right.seen;
  return one === undefined ? right : { ...right, seen: [{ ...one, ...change(one) }, ...more] };
}

/** A situation that an entry of the list explains in all that differs. */
interface Situation {
  readonly by: string;
  readonly exchange: Exchange;
  readonly configuration?: Omit<Configuration, 'exchanges'>;
  readonly envoy: Observation;
  readonly tulle: Observation;
}

const FAULT = 'envoy.filters.http.fault';
const CORS = 'envoy.filters.http.cors';
const ABORT = { abort: { grpc_status: 5, percentage: { numerator: 100 } } };
const ORIGIN: readonly (readonly [string, string])[] = [
  ['x-field', 'v'],
  ['origin', 'null'],
];
const GRPC: readonly (readonly [string, string])[] = [['content-type', 'application/grpc']];

const asterisk: Exchange = { method: 'OPTIONS', path: '*', headers: [['x-field', 'v']] };
const spelt: Exchange = { path: '/%7Euser/a', headers: [['x-field', 'v']] };
const ambiguous: Exchange = { path: '/a%2f..%2fb' };
const ended: Exchange = { headers: [['x-field', 'v']], answers: { a: [{ fault: 'end' }, { status: 204 }] } };
const hop: Exchange = {
  headers: [
    ['x-field', 'v'],
    ['connection', 'x-two'],
    ['x-two', 'v'],
  ],
};

const SITUATIONS: readonly Situation[] = [
  {
    by: 'one-spelling-of-patterns',
    exchange: spelt,
    configuration: {
      routes: {
        virtual_hosts: [
          { domains: ['*'], routes: [{ match: { prefix: '/%7Euser' }, route: { cluster: 'a' } }] },
        ],
      },
    },
    envoy: observed(404),
    tulle: passed(spelt, { path: '/~user/a' }, { 'x-route': '0/0' }),
  },
  {
    by: 'ambiguous-paths',
    exchange: ambiguous,
    envoy: passed(ambiguous, { path: '/b' }),
    tulle: refused(400, { connection: 'close' }),
  },
  {
    by: 'asterisk-form',
    exchange: asterisk,
    configuration: {
      routes: {
        virtual_hosts: [{ domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'a' } }] }],
      },
    },
    envoy: observed(404),
    tulle: passed(asterisk, {}, { 'x-route': '0' }),
  },
  {
    by: 'cors-answers',
    exchange: { headers: ORIGIN },
    configuration: { httpFilters: [{ name: CORS }], routes: { virtual_hosts: [] } },
    envoy: passed({ headers: ORIGIN }, {}, { 'access-control-allow-origin': 'null' }),
    tulle: passed({ headers: ORIGIN }),
  },
  {
    by: 'aborts-by-status',
    exchange: { headers: GRPC },
    configuration: { httpFilters: [{ name: FAULT, typed_config: ABORT }] },
    envoy: observed(200, [], { 'content-type': 'application/grpc', 'grpc-status': '5' }, OWN),
    tulle: refused(404),
  },
  {
    by: 'repeats-by-method',
    exchange: ended,
    envoy: { ...refused(503), seen: [seen({ headers: [['x-field', 'v']] })] },
    tulle: observed(204, [seen({ headers: [['x-field', 'v']] }), seen({ headers: [['x-field', 'v']] })], {
      'x-origin': 'a',
    }),
  },
  {
    by: 'hop-by-hop',
    exchange: hop,
    envoy: passed(hop),
    tulle: onFirst(passed(hop), ({ headers }) => ({ headers: headers.filter(([name]) => name !== 'x-two') })),
  },
];

const leftOf = ({ envoy, tulle, exchange, configuration }: Situation): string[] =>
  judge(envoy, tulle, exchange, configuration).left;

describe.each(SITUATIONS.map((one) => [one.by, one] as const))('%s', (by, situation) => {
  it('explains all of it', () => {
    const { envoy, tulle, exchange, configuration } = situation;
    const { left, by: used } = judge(envoy, tulle, exchange, configuration);
    expect(left).toEqual([]);
    expect(used).toContain(by);
  });

  it.each(Object.entries(PLANTS))('does not explain %s beside it', (_, plant) => {
    const planted = plant(situation.tulle);
    // Where there is nothing that could be changed, nothing is planted.
    if (JSON.stringify(planted) === JSON.stringify(situation.tulle)) return;
    expect(leftOf({ ...situation, tulle: planted })).not.toEqual([]);
  });

  it('explains nothing where its condition does not hold', () => {
    const { headers: _, answers: _answers, ...rest } = situation.exchange;
    const exchange: Exchange = { ...rest, path: '/plain', method: 'GET' };
    expect(leftOf({ ...situation, exchange, configuration: {} })).not.toEqual([]);
  });
});

describe('what is meant to differ', () => {
  it('is a list of at most 25, each with what says so', () => {
    expect(EXPLANATIONS.length).toBeLessThanOrEqual(25);
    expect(new Set(EXPLANATIONS.map(({ id }) => id)).size).toBe(EXPLANATIONS.length);
    for (const { citation } of EXPLANATIONS) expect(citation).toMatch(/RFC|Envoy|standard|docs\/|packages\//);
  });

  it('own-replies: no Location of its own target, and of no other', () => {
    const routes = {
      virtual_hosts: [{ routes: [{ match: { prefix: '/' }, direct_response: { status: 301 } }] }],
    };
    const to = (location: string): string[] =>
      judge(observed(301, [], { location }), observed(301), { path: '/a' }, { routes }).left;
    expect(to('http://one.test/a')).toEqual([]);
    expect(to('http://one.test/elsewhere')).not.toEqual([]);
  });

  it('connection-after-refusal: of a request that no origin answered', () => {
    const closed = (right: Observation): Observation => ({
      ...right,
      reply: { ...right.reply, fate: 'closed' },
    });
    const post: Exchange = { method: 'POST', body: 'x' };
    expect(judge(closed(refused(403)), refused(403), post).left).toEqual([]);
    expect(judge(closed(passed(post)), passed(post), post).left).toEqual(['reply.fate']);
    // A service that takes part fails: not where an origin answered.
    const mode = { processing_mode: { response_header_mode: 'SKIP' } };
    const processed = { httpFilters: [{ name: 'envoy.filters.http.ext_proc', typed_config: mode }] };
    expect(judge(closed(refused(500)), refused(500), {}, processed).left).toEqual([]);
    expect(judge(closed(refused(500)), refused(500), {}).left).toEqual(['reply.fate']);
    expect(judge(closed(passed({})), passed({}), {}, processed).left).toEqual(['reply.fate']);
    // What asks behind it is answered by its route, or by a filter, where there are filters.
    const raw: Exchange = { protocol: 'raw' };
    const statuses = (tulle: string, configuration: object = {}): string[] => {
      const answered = (all: string): Observation => ({
        ...refused(400),
        reply: { ...refused(400).reply, statuses: all.split(' ') },
      });
      return judge(answered('400'), answered(tulle), raw, configuration).left;
    };
    expect(statuses('400 299')).toEqual([]);
    expect(statuses('400 403', processed)).toEqual([]);
    expect(statuses('400 400')).toEqual(['reply.statuses']);
    expect(statuses('400 299 403')).toEqual(['reply.statuses']);
  });

  it('authorization-as-said: what a caller says, and not what authorization says', () => {
    const filter = {
      httpFilters: [
        {
          name: 'envoy.filters.http.ext_authz',
          typed_config: {
            http_service: {
              authorization_response: {
                allowed_upstream_headers: {
                  patterns: [{ exact: 'X-ONE', ignore_case: true }, { prefix: 'x-r' }],
                },
              },
            },
          },
        },
      ],
    };
    const asked = (name: string, value: string, tulle: readonly string[] = []): string[] =>
      judge(
        passed({}, { headers: [[name, value]] }),
        passed({}, { headers: tulle.map((one) => [name, one] as const) }),
        {
          headers: [[name, 'mine']],
          answers: {
            d: [
              {
                headers: [
                  [name, 'first'],
                  [name, 'last'],
                ],
              },
            ],
          },
        },
        filter,
      ).left;
    expect(asked('x-one', 'mine')).toEqual([]);
    expect(asked('x-role', 'mine')).toEqual([]);
    expect(asked('x-two', 'mine')).toEqual(['seen[0].header.x-two']);
    expect(asked('x-one', 'by-authz')).toEqual(['seen[0].header.x-one']);
    expect(asked('x-one', 'last', ['first', 'last'])).toEqual([]);
    expect(asked('x-one', 'last', ['first'])).toEqual(['seen[0].header.x-one']);
    expect(asked('x-one', 'first', ['first', 'last'])).toEqual(['seen[0].header.x-one']);
    expect(asked('x-two', 'last', ['first', 'last'])).toEqual(['seen[0].header.x-two']);
    // What the service itself is asked has what its own list says.
    const question = (...headers: (readonly [string, string])[]): Observation =>
      observed(403, [seen({ origin: 'd', headers })]);
    expect(
      judge(question(['x-one', 'mine']), question(), { headers: [['x-one', 'mine']] }, filter).left,
    ).toEqual(['seen[0].header.x-one']);
  });

  it('authorization-as-said, own-replies: what a refusal says of its content', () => {
    const asked = (
      envoy: string,
      tulle: string,
      answer: Answer,
      exchange: Exchange = {},
      lists: Json = {},
    ): string[] => {
      const said = (type: string): Observation =>
        observed(answer.status ?? 200, [seen({ origin: 'd' })], {
          'x-origin': 'd',
          ...(type !== '' && { 'content-type': type }),
        });
      return judge(
        said(envoy),
        said(tulle),
        { ...exchange, answers: { d: [answer] } },
        {
          httpFilters: [
            {
              name: 'envoy.filters.http.ext_authz',
              typed_config: { http_service: { authorization_response: lists } },
            },
          ],
        },
      ).left;
    };
    const not = ['reply.header.content-type'];
    const html: Answer = { status: 403, headers: [['content-type', 'text/html']] };
    expect(asked('', 'text/html', html)).toEqual([]);
    expect(asked('', 'text/html', { ...html, body: 'no' }, { method: 'HEAD' })).toEqual([]);
    expect(asked('', 'text/html', { ...html, body: 'no' })).toEqual(not);
    expect(asked('', 'text/other', html)).toEqual(not);
    expect(asked('text/plain', '', { status: 403, body: 'no' })).toEqual([]);
    expect(judge(observed(403, [], { 'content-type': 'text/plain' }), observed(403), {}).left).toEqual(not);
    expect(asked('text/plain', '', { ...html, body: 'no' })).toEqual(not);
    const list = (exact: string): Json => ({ allowed_client_headers: { patterns: [{ exact }] } });
    expect(asked('text/plain', '', { ...html, body: 'no' }, {}, list('x-one'))).toEqual([]);
    expect(asked('text/plain', '', { ...html, body: 'no' }, {}, list('content-type'))).toEqual(not);
  });

  it('lengths-as-known: none of what cannot have content', () => {
    const asked = (status: number): string[] =>
      judge(observed(status), observed(status, [], { 'content-length': '0' }), { protocol: 'http2' }).left;
    expect(asked(403)).toEqual([]);
    expect(asked(204)).toEqual(['reply.header.content-length']);
  });

  it('valid-targets: what an origin does not take of Envoy', () => {
    const exchange = { path: '/apix?a=b' };
    const routes = { regex_rewrite: { pattern: { regex: '^/api' }, substitution: '' } };
    const none = { method: '', path: '', host: '', version: '', fault: 'Parse Error' };
    const asked = (path: string, envoy = observed(503, [seen(none)])): string[] =>
      judge(envoy, passed(exchange, { path }), exchange, { routes }).left;
    expect(asked('/x?a=b')).toEqual([]);
    expect(asked('/y?a=b')).not.toEqual([]);
    expect(asked('/x?a=b', observed(503))).not.toEqual([]);
    expect(asked('/x?a=b', observed(503, [seen({ path: '/apix?a=b' })]))).not.toEqual([]);
    const byPath = {
      host_rewrite_path_regex: { pattern: { regex: '^/([a-z]+)/?.*$' }, substitution: '\\1.test' },
    };
    const kept = (path: string, host = 'one.test', to: Json = byPath): string[] =>
      judge(observed(502), passed({ path }, { host, origin: 'h2', version: '2.0' }), { path }, { routes: to })
        .left;
    expect(kept('/?q')).toEqual([]);
    expect(kept('/~t/ab?q')).toEqual([]);
    expect(kept('/a')).not.toEqual([]);
    expect(kept('/', 'other.test')).not.toEqual([]);
    expect(kept('/', 'one.test', {})).not.toEqual([]);
    // A path of which its route makes another one.
    const rewriting: Json = {
      virtual_hosts: [
        { routes: [{ match: { prefix: '/~t' }, route: { ...byPath, prefix_rewrite: '/new' } }] },
      ],
    };
    const sent = (path: string): string[] =>
      judge(
        observed(502),
        passed({}, { path, origin: 'h2', version: '2.0' }),
        { path: '/~t/ab?q' },
        { routes: rewriting },
      ).left;
    expect(sent('/new/ab?q')).toEqual([]);
    expect(sent('/~t/ab?q')).not.toEqual([]);
  });

  it('valid-targets: the slash that is missing, and the host that was asked for', () => {
    const routes = {
      regex_rewrite: { pattern: { regex: '^/api' }, substitution: '' },
      host_rewrite_path_regex: {},
    };
    const asked = (envoy: Partial<Seen>, tulle: Partial<Seen>): string[] =>
      judge(passed({}, envoy), passed({}, tulle), { path: '/api?a=b' }, { routes }).left;
    expect(asked({ path: '?a=b' }, { path: '/?a=b' })).toEqual([]);
    expect(asked({ path: '/v1?a=b' }, { path: '/?a=b' })).toEqual(['seen[0].path']);
    expect(asked({ path: '?a=b' }, { path: '/' })).toEqual(['seen[0].path']);
    expect(asked({ path: '/api?a=b' }, { path: '/?a=b' })).toEqual([]);
    expect(asked({ path: '/api?a=b' }, { path: '/' })).toEqual(['seen[0].path']);
    expect(asked({ host: 'one.test:' }, {})).toEqual([]);
    expect(asked({ host: 'one.test:1' }, {})).toEqual(['seen[0].host']);
    expect(asked({ path: '/[a]%2Fb' }, { path: '/%5Ba%5D%2Fb' })).toEqual([]);
    expect(asked({ path: '/[a]%2Fb' }, { path: '/%5Ba%5D/b' })).toEqual(['seen[0].path']);
    expect(asked({ host: '/x' }, {})).toEqual([]);
    expect(asked({ host: '/x' }, { host: 'other.test' })).toEqual(['seen[0].host']);
  });

  it('lines-of-lists: lines stay apart, and are not put together', () => {
    const sent = (...values: string[]): Observation =>
      passed({}, { headers: values.map((value) => ['x-list', value] as const) });
    const answered = (...values: string[]): Observation => {
      const { reply, ...right } = passed({});
      return {
        ...right,
        reply: {
          ...reply,
          headers: [...(reply.headers ?? []), ...values.map((value) => ['set-cookie', value] as const)],
        },
      };
    };
    expect(judge(sent('a,b'), sent('a', 'b'), {}).left).toEqual([]);
    expect(judge(sent('a,b'), sent('a, b'), {}).left).toEqual([]);
    expect(judge(sent('a', 'b'), sent('a, b'), {}).left).toEqual(['seen[0].header.x-list']);
    expect(judge(answered('a=1, b'), answered('a=1', 'b'), {}).left).toEqual(['reply.header.set-cookie']);
  });

  it('forwarded-for-of-envoy: of copies and questions, and no address but the client’s', () => {
    const routes = { request_mirror_policies: [] };
    const asked = (envoy: string, ...tulle: string[]): string[] =>
      judge(
        passed({}, { headers: [['x-forwarded-for', envoy]] }),
        passed({}, { headers: tulle.map((value) => ['x-forwarded-for', value] as const) }),
        {},
        { routes },
      ).left;
    expect(asked('10.0.0.1', '127.0.0.1')).toEqual([]);
    expect(asked('10.0.0.1', '192.0.2.7')).toEqual(['seen[0].header.x-forwarded-for']);
  });

  it('goes-on: what somebody said', () => {
    const trailing = (...trailers: (readonly [string, string])[]): Observation => passed({}, { trailers });
    const exchange: Exchange = { trailers: [['X-Trailer', 't']] };
    expect(judge(trailing(), trailing(['x-trailer', 't']), exchange).left).toEqual([]);
    expect(judge(trailing(), trailing(['x-trailer', 'u']), exchange).left).not.toEqual([]);
    expect(judge(trailing(), trailing(['x-more', 't']), exchange).left).not.toEqual([]);
    const expecting = passed({}, { headers: [['expect', '100-continue']] });
    expect(
      judge(passed({}, { headers: [] }), expecting, { headers: [['expect', '100-continue']] }).left,
    ).toEqual([]);
    expect(judge(passed({}, { headers: [] }), expecting, {}).left).toEqual(['seen[0].header.expect']);
  });

  it('repeats-by-method: once more after an end alone', () => {
    const asked = (tulle: Observation, exchange: Exchange): string[] =>
      judge({ ...refused(503), seen: [seen({ method: exchange.method ?? 'GET' })] }, tulle, exchange).left;
    const answered = (...requests: Seen[]): Observation => observed(204, requests, { 'x-origin': 'a' });
    const get: Exchange = { answers: { a: [{ status: 503 }, { status: 204 }] } };
    expect(asked(answered(seen(), seen()), get)).not.toEqual([]);
    const post = seen({ method: 'POST' });
    const ending: Exchange = { method: 'POST', answers: { a: [{ fault: 'end' }, { status: 204 }] } };
    expect(asked(answered(post, post), ending)).not.toEqual([]);
  });

  it('aborts-by-status: nobody is stopped, or let through, whom the filter does not stop', () => {
    const asked = (tulle: Observation, envoy: Observation): string[] =>
      judge(envoy, tulle, { headers: GRPC }, { httpFilters: [{ name: FAULT, typed_config: ABORT }] }).left;
    const went = passed({ headers: GRPC });
    expect(asked(refused(404), went)).not.toEqual([]);
    expect(asked(went, observed(200, [], { 'grpc-status': '5' }))).not.toEqual([]);
    expect(asked(refused(503), observed(200, [], { 'grpc-status': '5' }))).not.toEqual([]);
  });

  it('backend-edits-last: of fields that a backend and what stands around it edit', () => {
    const adds = (key: string): object => ({ request_headers_to_add: [{ header: { key, value: 'v' } }] });
    const asked = (name: string, wins = true): string[] =>
      judge(
        passed({}, { headers: [[name, 'one']] }),
        passed({}, { headers: [[name, 'two']] }),
        {},
        {
          routes: {
            most_specific_header_mutations_wins: wins,
            ...adds('x-both'),
            virtual_hosts: [
              {
                routes: [
                  { route: { weighted_clusters: { clusters: [{ ...adds('X-Both') }, adds('x-own')] } } },
                ],
              },
            ],
          },
        },
      ).left;
    expect(asked('x-both')).toEqual([]);
    expect(asked('x-both', false)).not.toEqual([]);
    expect(asked('x-own')).not.toEqual([]);
    expect(asked('x-other')).not.toEqual([]);
  });

  it('words-of-tokens: words of a refusal, and not whether there is one', () => {
    const configuration = {
      httpFilters: [
        { name: 'jwt', typed_config: { claim_to_headers: [{ header_name: 'x-groups' }], jwt_authn: 1 } },
      ],
    };
    const challenge = (realm: string, more = ''): Record<string, string> => ({
      'www-authenticate': `Bearer realm="${realm}"${more}`,
    });
    const url = 'http://one.test/';
    const bad = ', error="invalid_token"';
    const words = (envoy: Observation, tulle: Observation): string[] =>
      judge(envoy, tulle, {}, configuration).left;
    expect(words(observed(401, [], challenge(url)), refused(401, challenge('one.test')))).toEqual([]);
    expect(words(observed(401, [], challenge(url)), refused(401, challenge('two.test')))).not.toEqual([]);
    expect(words(observed(401, [], challenge(url)), refused(401, challenge('one.test', bad)))).not.toEqual(
      [],
    );
    const audience = observed(403, [], challenge(url, bad), 'Audiences in Jwt are not allowed');
    expect(words(audience, refused(401, challenge('one.test', bad)))).toEqual([]);
    expect(words(observed(403), refused(401))).toContain('reply.status');
    expect(words(passed({}), refused(401))).not.toEqual([]);
    const groups = (value: string): Observation => passed({}, { headers: [['x-groups', value]] });
    const encoded = groups(Buffer.from('["x","y"]').toString('base64url'));
    const lines = passed(
      {},
      {
        headers: [
          ['x-groups', 'x'],
          ['x-groups', 'y'],
        ],
      },
    );
    expect(words(encoded, lines)).toEqual([]);
    expect(words(encoded, groups('x'))).not.toEqual([]);
  });

  it('names-in-handshakes: a name more, or a refusal of who names none that is spoken', () => {
    const spoken = (by: string): Observation => {
      const right = passed({});
      return { ...right, reply: { ...right.reply, tls: `one, TLSv1.3, ${by}` } };
    };
    const none: Observation = { tookMs: 1, seen: [], reply: { outcome: 'no connection' } };
    const asked = (tulle: Observation, ...alpn: string[]): string[] =>
      judge(spoken('no protocol'), tulle, { tls: { alpn } }, { filterChains: [{}] }).left;
    expect(asked(spoken('http/1.1'), 'http/1.1')).toEqual([]);
    expect(asked(spoken('h2'), 'http/1.1')).not.toEqual([]);
    expect(asked(none, 'x-unknown')).toEqual([]);
    expect(asked(none, 'http/1.1')).not.toEqual([]);
    expect(asked({ ...spoken('http/1.1'), seen: [] }, 'http/1.1')).not.toEqual([]);
  });

  it('strict-http1: one refusal of what a judge calls invalid, which no origin sees', () => {
    const asked = (bytes: string, tulle: Observation): string[] =>
      judge(passed({}), tulle, { protocol: 'raw', bytes }).left;
    const no = (...statuses: string[]): Observation => {
      const right = refused(Number(statuses[0]));
      return { ...right, reply: { ...right.reply, statuses, fate: 'closed' } };
    };
    const folded = 'GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n';
    const valid = 'GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\r\n';
    expect(asked(folded, no('400'))).toEqual([]);
    expect(asked(folded, no('200'))).not.toEqual([]);
    expect(asked(folded, no('400', '200'))).not.toEqual([]);
    expect(asked(folded, { ...no('400'), seen: [seen({ path: '/x' })] })).not.toEqual([]);
    expect(asked(valid, no('400'))).not.toEqual([]);
  });

  it('strict-http2: a stream that ends alone, which no origin sees', () => {
    const BASE = [
      [':method', 'GET'],
      [':scheme', 'http'],
      [':path', '/'],
      [':authority', 'one.test'],
    ] as const;
    const frames = (fields: readonly (readonly [string, string])[]): Exchange => ({
      protocol: 'frames',
      bytes: frame(TYPE.headers, END_HEADERS | END_STREAM, 1, block(fields)),
    });
    const said = (status: string, fate: 'open' | 'closed', requests: Seen[] = []): Observation => ({
      tookMs: 1,
      seen: requests,
      reply: { outcome: 'answered', statuses: [`1: ${status}`], fate },
    });
    const asked = (envoy: Observation, tulle: Observation, exchange = frames(BASE)): string[] =>
      judge(envoy, tulle, exchange).left;
    expect(asked(said('nothing', 'closed'), said('reset', 'open'))).toEqual([]);
    expect(asked(said('nothing', 'closed'), said('200', 'open', [seen()]))).not.toEqual([]);
    expect(asked(said('200', 'open', [seen()]), said('reset', 'open'))).not.toEqual([]);
    const hosts = frames([...BASE, ['host', 'other.test']]);
    expect(asked(said('200', 'open', [seen()]), said('400', 'open'), hosts)).toEqual([]);
    expect(
      asked(said('200', 'open', [seen()]), said('200', 'open', [seen({ host: 'x' })]), hosts),
    ).not.toEqual([]);
  });
});
