import { describe, expect, it } from 'vitest';
import type { Exchange, Json } from '../configuration.ts';
import { block, END_HEADERS, END_STREAM, frame, TYPE } from '../frames.ts';
import type { Observation } from '../observe.ts';
import { judge, observed, passed, refused, seen } from './support.ts';

/** What single entries explain, and what of the same form they do not. */
describe('an entry of the list', () => {
  const http2: Exchange = { protocol: 'http2' };

  it('scheme-and-port: the same place in another spelling', () => {
    const asked = (envoy: string, tulle: string, routes: Json = {}, exchange: Exchange = {}): string[] =>
      judge(observed(301, [], { location: envoy }), observed(301, [], { location: tulle }), exchange, {
        routes,
      }).left;
    const not = ['reply.header.location'];
    expect(asked('https://a.test:81:80/new//A', 'https://a.test:80/new/A')).toEqual([]);
    expect(asked('https://a.test:81:80/new//A', 'https://a.test:81/new/A')).toEqual(not);
    expect(asked('https://a.test:81:80/new//A', 'https://a.test:80/A')).toEqual(not);
    expect(asked('http://a.test:81:80//A', 'http://a.test//A')).toEqual([]);
    expect(asked('http://a.test:80/', 'http://a.test/')).toEqual([]);
    expect(asked('http://a.test:443/', 'http://a.test/')).toEqual(not);
    const forwarded: Exchange = { ...http2, headers: [['x-forwarded-proto', 'https']] };
    expect(asked('http://a.test:443/to', 'https://a.test/to', {}, forwarded)).toEqual([]);
    expect(asked('http://a.test:443/to', 'https://a.test/to', {}, http2)).toEqual(not);
    expect(asked('http://a.test/to', 'https://b.test/to', {}, forwarded)).toEqual(not);
    const said = { redirect: { scheme_redirect: 'http' } };
    const by = (path: string): Json => ({ virtual_hosts: [{ routes: [{ match: { path }, ...said }] }] });
    expect(asked('http://a.test/to', 'https://a.test/to', by('/'), forwarded)).toEqual(not);
    expect(asked('http://a.test/to', 'https://a.test/to', by('/else'), forwarded)).toEqual([]);
    const port = { ...forwarded, host: 'a.test:443' };
    expect(asked('http://a.test/to', 'https://a.test:443/to', {}, port)).toEqual([]);
    expect(asked('http://b.test/to', 'https://b.test:443/to', {}, port)).toEqual(not);
    expect(asked('http://a.test/to', 'https://a.test:443/to', {}, forwarded)).toEqual(not);
    expect(asked('http://a.test/to', 'http://a.test:443/to', {}, port)).toEqual(not);
    expect(asked('https://a.test/to', 'https://a.test:443/to', {}, port)).toEqual(not);
    expect(asked('https://a.test:81/', 'https://a.test/')).toEqual(not);
    expect(asked('https://a.test:81/', 'https://a.test/', { require_tls: 'ALL' })).toEqual([]);
  });

  it('words-of-tokens: of two credentials, and of a signature that is too long', () => {
    const configuration = { httpFilters: [{ typed_config: { jwt_authn: 1 } }] };
    const asked = (exchange: Exchange): string[] =>
      judge(
        passed(exchange),
        refused(401, { 'www-authenticate': 'Bearer realm="one.test"' }),
        exchange,
        configuration,
      ).left;
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const token = (octets: number, alg = 'ES256'): string =>
      `Bearer ${part({ alg })}.${part({ sub: 'a' })}.${Buffer.alloc(octets, 1).toString('base64url')}`;
    const of = (...values: string[]): Exchange => ({
      headers: values.map((value) => ['authorization', value] as const),
    });
    expect(asked(of(token(65)))).toEqual([]);
    expect(asked(of(token(64)))).not.toEqual([]);
    expect(asked(of(token(256, 'RS256')))).not.toEqual([]);
    expect(asked(of('Basic x', token(64)))).toEqual([]);
    expect(judge(refused(401), passed({}), of(token(65)), configuration).left).not.toEqual([]);
  });

  it('authorization-as-said: a body that is longer than it may be shown', () => {
    const beginning = (body = ''): Observation => {
      const right = passed({});
      return { ...right, seen: [...right.seen, seen({ origin: 'd', body: body.slice(0, 10) })] };
    };
    const asked = (
      exchange: Exchange,
      tulle: Observation,
      shown: Json,
      envoy = beginning(exchange.body),
    ): string[] =>
      judge(envoy, tulle, exchange, {
        httpFilters: [{ name: 'envoy.filters.http.ext_authz', typed_config: { with_request_body: shown } }],
      }).left;
    const post = (body: string): Exchange => ({ ...http2, method: 'POST', body });
    const shown = { max_request_bytes: 10, allow_partial_message: false };
    expect(asked(post('longer than ten'), refused(413), shown)).toEqual([]);
    expect(asked(post('longer than ten'), refused(403), shown)).not.toEqual([]);
    // Envoy refuses it, or shows all of it: nothing that it cut.
    expect(asked(post('longer than ten'), refused(413), shown, passed({}))).not.toEqual([]);
    expect(asked(post('short'), refused(413), shown)).not.toEqual([]);
    expect(asked({ ...post('longer than ten'), protocol: 'http1' }, refused(413), shown)).not.toEqual([]);
    expect(
      asked(post('longer than ten'), refused(413), { ...shown, allow_partial_message: true }),
    ).not.toEqual([]);
  });

  it('authorization-as-said: it is asked about what no route takes', () => {
    const filters = (cluster: string, more: Json) => ({
      httpFilters: [
        { name: 'envoy.filters.http.ext_authz', typed_config: { http_service: { cluster }, ...more } },
      ],
      routes: { virtual_hosts: [{ domains: ['one.test'], routes: [{ match: { prefix: '/there' } }] }] },
    });
    const question = seen({ origin: 'd' });
    const says = (status: number): Exchange => ({ path: '/none', answers: { d: [{ status }] } });
    const asked = (tulle: Observation, exchange: Exchange, cluster = 'd', more: Json = {}): string[] =>
      judge(observed(404), tulle, exchange, filters(cluster, more)).left;
    expect(asked(observed(403, [question]), says(403))).toEqual([]);
    expect(asked(observed(404, [question]), says(200))).toEqual([]);
    expect(asked(observed(403), { path: '/none' }, 'gone')).toEqual([]);
    // What it says to whom it lets in, and nothing else of that.
    const lists = { allowed_client_headers_on_success: { patterns: [{ exact: 'x-told' }] } };
    const success: Json = { http_service: { cluster: 'd', authorization_response: lists } };
    const told: Exchange = { path: '/none', answers: { d: [{ headers: [['x-told', 'yes']] }] } };
    const told404 = (value: string): Observation => observed(404, [question], { 'x-told': value });
    expect(asked(told404('yes'), told, 'd', success)).toEqual([]);
    expect(asked(told404('no'), told, 'd', success)).not.toEqual([]);
    expect(asked(told404('yes'), told)).not.toEqual([]);
    // Not where nobody's answer lets requests in.
    const open = { failure_mode_allow: true };
    expect(asked(observed(403), { path: '/none' }, 'gone', open)).not.toEqual([]);
    // Not another answer than authorization's, nor somebody else who is asked, nor where there is a route.
    expect(asked(observed(404, [question], { 'x-edited': 'chain' }), says(200))).not.toEqual([]);
    expect(asked(observed(200, [question]), says(403))).not.toEqual([]);
    expect(asked(observed(403, [seen()]), says(403))).not.toEqual([]);
    expect(asked(observed(403, [question]), { ...says(403), path: '/there' })).not.toEqual([]);
  });

  it('cors-answers: policies hold where the route answers itself', () => {
    const origin: Exchange = { path: '/moved', headers: [['origin', 'https://one.test']] };
    const allows = (exact: string): Json => ({
      typed_per_filter_config: {
        'envoy.filters.http.cors': { allow_origin_string_match: [{ exact }], allow_methods: 'GET' },
      },
    });
    const policy = allows('https://one.test');
    const asked = (
      action: string,
      headers: Record<string, string>,
      at: { readonly route?: Json; readonly host?: Json; readonly table?: Json } = {},
      given: Exchange = origin,
    ): string[] =>
      judge(observed(301), observed(301, [], headers), given, {
        httpFilters: [{ name: 'envoy.filters.http.cors' }],
        routes: {
          virtual_hosts: [
            {
              domains: ['one.test'],
              routes: [{ match: { path: '/moved' }, [action]: {}, ...at.route }],
              ...at.host,
            },
          ],
          ...at.table,
        },
      }).left;
    const named = (value: string): Record<string, string> => ({ 'access-control-allow-origin': value });
    expect(asked('redirect', named('https://one.test'), { route: policy })).toEqual([]);
    expect(asked('redirect', named('https://one.test'), { host: policy })).toEqual([]);
    expect(asked('redirect', named('https://one.test'), { table: policy })).toEqual([]);
    expect(asked('redirect', { vary: 'Origin' }, { route: policy })).toEqual([]);
    // Not another origin, nor one that is not listed, nor what no policy says, nor without a policy, nor of another route or host.
    expect(asked('redirect', named('https://two.test'), { route: policy })).not.toEqual([]);
    const evil: Exchange = { ...origin, headers: [['origin', 'https://evil.invalid']] };
    expect(asked('redirect', named('https://evil.invalid'), { route: policy }, evil)).not.toEqual([]);
    const other: Exchange = { ...origin, host: 'none.test' };
    expect(asked('redirect', named('https://one.test'), { route: policy }, other)).not.toEqual([]);
    const credentials = { ...named('https://one.test'), 'access-control-allow-credentials': 'true' };
    expect(asked('redirect', credentials, { route: policy })).not.toEqual([]);
    expect(asked('redirect', named('https://one.test'))).not.toEqual([]);
    const two = allows('https://two.test');
    expect(asked('redirect', named('https://one.test'), { route: two, host: policy })).not.toEqual([]);
    expect(asked('route', named('https://one.test'), { route: policy })).not.toEqual([]);
  });

  it('lengths-as-known: of a body that was collected', () => {
    const filters = { httpFilters: [{ typed_config: { with_request_body: {} } }] };
    const sent = (value?: string): Observation =>
      passed(
        { method: 'POST', body: 'short' },
        value === undefined ? { headers: [] } : { headers: [['content-length', value]] },
      );
    const asked = (
      tulle: Observation,
      exchange: Exchange = http2,
      configuration: object = filters,
    ): string[] => judge(sent(), tulle, { ...exchange, method: 'POST', body: 'short' }, configuration).left;
    expect(asked(sent('5'))).toEqual([]);
    expect(asked(sent('6'))).toEqual(['seen[0].header.content-length']);
    expect(asked(sent('5'), {})).toEqual(['seen[0].header.content-length']);
    expect(asked(sent('5'), http2, {})).toEqual(['seen[0].header.content-length']);
  });

  it('names-in-handshakes: a name that is required, of the chain that is for those without', () => {
    const asked = (
      chain: Json,
      exchange: Exchange,
      ...outcome: Observation['reply']['outcome'][]
    ): string[] =>
      judge(passed({}), { tookMs: 1, seen: [], reply: { outcome: outcome[0] ?? 'ended' } }, exchange, {
        filterChains: [chain],
      }).left;
    const chain = { transport_socket: { require_sni: true } };
    expect(asked(chain, { tls: {} })).toEqual([]);
    expect(asked(chain, { tls: { serverName: 'one.test' } })).not.toEqual([]);
    expect(asked({}, { tls: {} })).not.toEqual([]);
    expect(asked({ ...chain, filter_chain_match: { server_names: ['a'] } }, { tls: {} })).not.toEqual([]);
  });

  it('names-in-handshakes: no SVID where one is asked for', () => {
    const asked = (certificate: string, matcher: Json): string[] =>
      judge(
        passed({}),
        { tookMs: 1, seen: [], reply: { outcome: 'ended' } },
        { tls: { certificate } },
        { filterChains: [{ match_typed_subject_alt_names: [{ san_type: 'URI', matcher }] }] },
      ).left;
    expect(asked('both', { prefix: 'spiffe://mesh.test/' })).toEqual([]);
    expect(asked('alice', { prefix: 'spiffe://mesh.test/' })).not.toEqual([]);
    expect(asked('both', { exact: 'spiffe://mesh.test/a' })).not.toEqual([]);
    expect(asked('both', { prefix: 'spiffe://mesh' })).not.toEqual([]);
  });

  it('names-in-handshakes: no SVID of an origin that is to show one', () => {
    const uri = (matcher: Json): Json => ({ san_type: 'URI', matcher });
    const any = uri({ prefix: 'spiffe://mesh.test/' });
    const asked = (origin: string, names: readonly Json[], tulle = refused(503), path = '/1'): string[] => {
      const cluster = {
        name: 'one',
        load_assignment: { port_value: `@${origin}` },
        transport_socket: { match_typed_subject_alt_names: names },
      };
      const routes = [
        { match: { path: '/0' }, route: { cluster: 'a' } },
        { match: { path: '/1' }, route: { cluster: 'one' } },
      ];
      return judge(
        passed({ path }, { tls: 'origin.test, bob' }, { 'x-origin': origin }),
        tulle,
        { path },
        {
          clusters: [cluster],
          routes: { virtual_hosts: [{ routes }] },
        },
      ).left;
    };
    expect(asked('tls-mutual', [any])).toEqual([]);
    expect(asked('tls-mutual', [uri({ exact: 'spiffe://mesh.test/a' }), any])).toEqual([]);
    expect(asked('tls', [any])).not.toEqual([]);
    expect(asked('tls-mutual', [any], refused(502))).not.toEqual([]);
    expect(asked('tls-mutual', [any], refused(503), '/0')).not.toEqual([]);
    expect(asked('tls-mutual', [uri({ exact: 'spiffe://mesh.test/a' })])).not.toEqual([]);
    expect(asked('tls-mutual', [any, { san_type: 'DNS', matcher: { exact: 'a' } }])).not.toEqual([]);
  });

  it('backend-edits-last: of what is made of a field that others edit', () => {
    const add = (key: string, value: string): Json => ({ header: { key, value } });
    const asked = (backend: Json, route: Json, aspect: 'x-made' | 'x-other' = 'x-made'): string[] =>
      judge(
        passed({}, {}, { [aspect]: 'v' }),
        passed({}),
        {},
        {
          routes: {
            most_specific_header_mutations_wins: true,
            virtual_hosts: [
              { routes: [{ ...route, route: { weighted_clusters: { clusters: [backend] } } }] },
            ],
          },
        },
      ).left;
    const made = { response_headers_to_add: [add('x-made', '%RESP(x-answer)%')] };
    expect(asked(made, { response_headers_to_remove: ['x-answer'] })).toEqual([]);
    expect(asked(made, { request_headers_to_remove: ['x-answer'] })).not.toEqual([]);
    expect(asked(made, { response_headers_to_remove: ['x-answer'] }, 'x-other')).not.toEqual([]);
    expect(asked({}, { ...made, response_headers_to_remove: ['x-answer'] })).not.toEqual([]);
  });

  it('goes-on: what frames say', () => {
    const head = block([
      [':method', 'POST'],
      [':path', '/'],
      ['expect', '100-continue'],
    ]);
    const bytes = [
      frame(TYPE.headers, END_HEADERS, 1, head),
      frame(TYPE.headers, END_HEADERS | END_STREAM, 1, block([['x-end', 'a']])),
    ].join('');
    const asked = (more: Parameters<typeof passed>[1]): string[] =>
      judge(passed({}, { headers: [] }), passed({}, { headers: [], ...more }), { protocol: 'frames', bytes })
        .left;
    expect(asked({ trailers: [['x-end', 'a']] })).toEqual([]);
    expect(asked({ trailers: [['x-end', 'b']] })).toEqual(['seen[0].trailer.x-end']);
    expect(asked({ headers: [['expect', '100-continue']] })).toEqual([]);
  });

  it('repeats-by-method: what was not sent, by either word', () => {
    const asked = (retry: Json, tulle: string): string[] =>
      judge(
        observed(503, [], { 'x-envoy-attempt-count': '1' }),
        observed(503, [], { 'x-envoy-attempt-count': tulle }),
        {},
        { routes: { retry_policy: retry } },
      ).left;
    const not = ['reply.header.x-envoy-attempt-count'];
    expect(asked({ retry_on: 'refused-stream', num_retries: 2 }, '3')).toEqual([]);
    expect(asked({ retry_on: 'refused-stream' }, '2')).toEqual([]);
    expect(asked({ retry_on: 'refused-stream' }, '3')).toEqual(not);
    expect(asked({ retry_on: 'refused-stream,connect-failure' }, '2')).toEqual(not);
    expect(asked({ retry_on: 'retriable-4xx' }, '2')).toEqual(not);
  });

  it('cors-answers: nothing is asked without an origin', () => {
    const asked = (vary: string): string[] =>
      judge(
        passed({}),
        passed({}, {}, { vary }),
        { method: 'OPTIONS', headers: [['access-control-request-method', 'GET']] },
        { httpFilters: [{ name: 'envoy.filters.http.cors' }] },
      ).left;
    expect(asked('Origin')).toEqual([]);
    expect(asked('Accept')).toEqual(['reply.header.vary']);
  });

  it('valid-targets: what a rewrite leaves nothing of', () => {
    const asked = (envoy: string, path = '//api'): string[] =>
      judge(
        passed({}, { path: envoy }),
        passed({}, { path: '/' }),
        { path },
        {
          routes: { regex_rewrite: { pattern: { regex: '^/api' }, substitution: '' } },
        },
      ).left;
    expect(asked('/api')).toEqual([]);
    expect(asked('/v1')).toEqual(['seen[0].path']);
    expect(asked('/api/x', '/api/x')).toEqual(['seen[0].path']);
  });

  it('valid-targets: the host that was asked for, as its manager leaves it', () => {
    const asked = (
      tulle: Partial<Parameters<typeof passed>[1]>,
      exchange: Exchange,
      manager = {},
      routes: Json = { host_rewrite_path_regex: {} },
    ): string[] =>
      judge(passed({}, { host: '/x', headers: [['x-forwarded-host', 'a,b']] }), passed({}, tulle), exchange, {
        manager,
        routes,
      }).left;
    const port: Exchange = { host: 'two.test:8080', headers: [['x-forwarded-host', 'a']] };
    const right = { host: 'two.test', headers: [['x-forwarded-host', 'a']] } as const;
    expect(asked(right, port, { strip_any_host_port: true })).toEqual([]);
    expect(asked(right, port)).toEqual(['seen[0].host']);
    expect(asked(right, port, { strip_any_host_port: true }, {})).not.toEqual([]);
    expect(
      asked({ ...right, headers: [['x-forwarded-host', 'b']] }, port, { strip_any_host_port: true }),
    ).toEqual(['seen[0].header.x-forwarded-host']);
  });

  it('words-of-tokens: of a token for somebody else beside a good one', () => {
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const token = (iss: string, aud: string | string[]): string =>
      `${part({ alg: 'RS256' })}.${part({ iss, aud })}.AAAA`;
    const filter = {
      jwt_authn: 1,
      providers: { one: { issuer: 'https://one/', audiences: ['a', 'b'] }, two: { issuer: 'https://two/' } },
    };
    const asked = (mine: string, other: string | undefined, tulle = refused(401)): string[] => {
      const exchange: Exchange = {
        headers: [
          ['authorization', `Bearer ${mine}`],
          ...(other === undefined ? [] : [['cookie', `token=${other}`] as const]),
        ],
      };
      return judge(passed(exchange), tulle, exchange, { httpFilters: [{ typed_config: filter }] }).left;
    };
    const [bad, good, two] = [
      token('https://one/', 'c'),
      token('https://one/', ['c', 'b']),
      token('https://two/', 'c'),
    ];
    expect(asked(bad, two)).toEqual([]);
    expect(asked(two, bad)).toEqual([]);
    expect(asked(good, two)).not.toEqual([]);
    expect(asked(bad, undefined)).not.toEqual([]);
    expect(asked(bad, two, refused(403))).not.toEqual([]);
  });

  it('repeats-by-method: an answer that comes when its attempt is over', () => {
    const asked = (tulle: Observation, method: string, retry: Json): string[] =>
      judge(
        observed(200, [seen({ method }), seen({ method })], { 'x-origin': 'a' }),
        tulle,
        { method, answers: { a: [{ delayMs: 400 }, {}] } },
        { routes: { retry_policy: retry } },
      ).left;
    const gone: Observation = { ...refused(504), seen: [seen({ method: 'POST' })] };
    expect(asked(gone, 'POST', { per_try_timeout: '0.1s' })).toEqual([]);
    expect(asked(gone, 'POST', { per_try_idle_timeout: '0.15s' })).toEqual([]);
    expect(asked(gone, 'POST', { per_try_timeout: '0.5s' })).not.toEqual([]);
    expect(asked(gone, 'POST', {})).not.toEqual([]);
    expect(asked({ ...gone, seen: [seen()] }, 'GET', { per_try_timeout: '0.1s' })).not.toEqual([]);
    const heard = observed(200, [seen({ method: 'POST' })], { 'x-origin': 'a' });
    expect(asked({ ...heard, reply: { ...heard.reply, status: 503 } }, 'POST', {})).not.toEqual([]);
  });

  it('repeats-by-method: an answer where the next one is broken off', () => {
    const asked = (tulle: Observation, method = 'POST'): string[] =>
      judge(
        { tookMs: 350, seen: [seen({ method }), seen({ method })], reply: { outcome: 'cut' } },
        tulle,
        { method, answers: { a: [{ fault: 'end' }, { stallMs: 400 }] } },
        { routes: { timeout: '0.35s', retry_policy: {} } },
      ).left;
    const { reply } = refused(503);
    const whole: Observation = {
      tookMs: 1,
      seen: [seen({ method: 'POST' })],
      reply: {
        ...reply,
        fate: 'open',
        interim: [],
      },
    };
    expect(asked(whole)).toEqual([]);
    expect(asked({ ...whole, reply: { ...whole.reply, fate: 'closed' } })).toEqual(['reply.fate']);
    expect(asked({ ...whole, reply: { ...whole.reply, interim: [103] } })).toEqual(['reply.interim']);
    expect(asked({ ...whole, reply: { ...whole.reply, status: 502 } })).not.toEqual([]);
    expect(asked({ ...whole, seen: [seen()] }, 'GET')).not.toEqual([]);
  });

  it('repeats-by-method: an answer that is broken off where it is to what was sent once more', () => {
    const asked = (stallMs: number, more: Partial<Observation> = {}, method = 'DELETE'): string[] =>
      judge(
        { ...refused(503), seen: [seen({ method })] },
        { tookMs: 350, seen: [seen({ method }), seen({ method })], reply: { outcome: 'cut' }, ...more },
        { method, answers: { a: [{ fault: 'reset' }, { stallMs }] } },
        { routes: { timeout: '0.35s', retry_policy: { per_try_timeout: '0.2s' } } },
      ).left;
    expect(asked(400)).toEqual([]);
    expect(asked(100)).not.toEqual([]);
    expect(asked(400, { reply: { outcome: 'ended' } })).not.toEqual([]);
    expect(asked(400, { reply: { outcome: 'cut', status: 502 } })).not.toEqual([]);
    expect(asked(400, {}, 'POST')).not.toEqual([]);
  });

  it('authorization-as-said: the route that a field which it adds leads to', () => {
    const filter = (more: Json = {}): Json => ({
      name: 'envoy.filters.http.ext_authz',
      typed_config: {
        clear_route_cache: true,
        http_service: {
          authorization_response: {
            allowed_upstream_headers: { patterns: [{ exact: 'x-one' }] },
            allowed_upstream_headers_to_append: { patterns: [{ exact: 'x-user' }] },
          },
        },
        ...more,
      },
    });
    const headers = [['x-user', 'alice']] as const;
    const asked = (
      tulle: Observation,
      said: readonly (readonly [string, string])[] = headers,
      more: Json = {},
    ): string[] =>
      judge(
        passed({ headers }),
        tulle,
        { answers: { d: [{ headers: said }] } },
        { httpFilters: [filter(more)] },
      ).left;
    const right = passed({ headers }, { origin: 'b' });
    expect(asked(right)).toEqual([]);
    expect(asked(right, headers, { clear_route_cache: false })).not.toEqual([]);
    expect(asked(right, [['x-user', 'bob']])).not.toEqual([]);
    expect(asked(right, [...headers, ['x-one', '1']])).not.toEqual([]);
    expect(asked(passed({}, { origin: 'b' }))).not.toEqual([]);
    expect(asked(passed({ headers }, { origin: 'c' }))).not.toEqual([]);
    expect(asked(passed({ headers }, { origin: 'b', path: '/x' }))).not.toEqual([]);
  });

  it('words-of-tokens: of two tokens where any may fail', () => {
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const token = `${part({ alg: 'RS256' })}.${part({ sub: 'a' })}.AAAA`;
    const asked = (exchange: Exchange, name = 'x-sub'): string[] =>
      judge(passed({}, { headers: [[name, 'a']] }), passed({}, { headers: [] }), exchange, {
        httpFilters: [{ typed_config: { jwt_authn: { allow_missing_or_failed: {} } } }],
      }).left;
    const one: Exchange = { headers: [['authorization', `Bearer ${token}`]] };
    expect(asked({ ...one, path: `/?access_token=${token}` })).toEqual([]);
    expect(asked({ ...one, path: `/?access_token=${token}` }, 'x-other')).toEqual(['seen[0].header.x-other']);
    expect(asked(one)).toEqual(['seen[0].header.x-sub']);
  });
});
