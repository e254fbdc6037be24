import { create, fromBinary, toBinary, type MessageInitShape } from '@bufbuild/protobuf';
import {
  addMetadata,
  type ConnFilterUse,
  CONTINUE,
  defineConnFilter,
  defineHttpFilter,
  DYNAMIC_METADATA,
} from '@tulle/filter';
import type { ExtAuthzFilterConfig, ExtAuthzHttpService, FilterConfigs, Route } from '@tulle/model';
import { jsonSchema } from '@tulle/schema';
import {
  fakeClock,
  grpcUpstream,
  memoryNetwork,
  runChain,
  testProxy,
  type ChainRun,
  type TestProxy,
  type Upstream,
} from '@tulle/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import {
  CheckRequestSchema,
  CheckResponseSchema,
  type CheckRequest,
} from './gen/envoy/service/auth/v3/external_auth_pb.js';
import { extAuthz } from './index.ts';

const AUTH = '127.0.0.1:9001';

/** Says something before the service is asked. */
const says = defineHttpFilter<object>({
  apiVersion: 1,
  id: 'tulle-filter-says',
  config: jsonSchema<object>({ type: 'object' }),
  create: () => ({
    requestHeaders(stream) {
      addMetadata(stream, 'n', { policy: 'ext-authz-1', other: 1 });
      return CONTINUE;
    },
  }),
});
/** Shows what is known of a request afterwards. */
const shows = defineHttpFilter<object>({
  apiVersion: 1,
  id: 'tulle-filter-shows',
  config: jsonSchema<object>({ type: 'object' }),
  create: () => ({
    requestHeaders(stream) {
      stream.request.headers.set('x-known', JSON.stringify(stream.get(DYNAMIC_METADATA) ?? null));
      return CONTINUE;
    },
  }),
});

async function ask(
  answer: Upstream['answer'],
  config: Partial<ExtAuthzFilterConfig>,
  http: Partial<ExtAuthzHttpService['http']> = {},
  run: Partial<ChainRun> = {},
) {
  const service = { http: { url: `http://${AUTH}/`, ...http } };
  const result = await runChain({
    filters: [says({}), extAuthz({ service, ...config }, { name: 'ext-authz' }), shows({})],
    services: { [AUTH]: answer },
    ...run,
  });
  return {
    status: result.response?.status,
    checks: result.serviceRequests[AUTH] ?? [],
    sent: result.upstreamRequests[0],
    response: result.response,
  };
}

describe('a service over HTTP', () => {
  it('gets what is listed and nothing else where that is asked for, and what is added', async () => {
    const request = {
      headers: { authorization: 'a', cookie: 'b', 'x-user': 'ann', 'x-secret': 's', 'x-env': 'mine' },
    };
    const { checks } = await ask(
      () => ({}),
      { withheldHeaders: ['x-s*'] },
      { onlyListed: true, requestHeaders: ['x-*'], addedHeaders: [{ name: 'X-Env', value: 'prod' }] },
      { request },
    );
    const [check] = checks;
    expect(check?.header('authorization')).toBe('a');
    expect(check?.header('x-user')).toBe('ann');
    expect(check?.headerAll('x-env')).toEqual(['prod']);
    for (const name of ['cookie', 'x-secret']) expect(check?.header(name), name).toBeUndefined();
  });

  it('allows by 200 alone where that is asked for; another 2xx is the refusal that the caller gets', async () => {
    for (const [status, onlyOk, wanted] of [
      [200, true, 200],
      [204, true, 204],
      [204, false, 200],
    ] as const) {
      const { status: got, sent } = await ask(() => ({ status }), {}, { onlyOk });
      expect([got, sent === undefined], `${status} ${onlyOk}`).toEqual([wanted, status !== 200 && onlyOk]);
    }
  });

  it('gives on everything but framing, identity and what describes its own answer, and takes nothing of the caller', async () => {
    const { sent } = await ask(
      () => ({
        headers: {
          'x-user': 'ann',
          'x-forwarded-for': '10.9.9.9',
          'content-type': 'text/html',
          'x-envoy-auth-headers-to-remove': 'x-gone',
          te: 'trailers',
        },
      }),
      {},
      { upstreamHeaders: ['*'] },
      {
        request: {
          method: 'POST',
          body: '{}',
          headers: { 'content-type': 'application/json', 'x-user': 'eve', 'x-mine': '1', 'x-gone': '1' },
        },
      },
    );
    expect(sent?.headerAll('x-user')).toEqual(['ann']);
    expect(sent?.header('x-mine')).toBe('1');
    expect(sent?.header('x-gone')).toBeUndefined();
    expect(sent?.headerAll('content-type')).toEqual(['application/json']);
    expect(sent?.header('x-forwarded-for')).not.toContain('10.9.9.9');
    expect(sent?.header('x-envoy-auth-headers-to-remove')).toBeUndefined();
    expect(sent?.body).toBe('{}');
  });

  it('gives its words to what the proxy answers itself, too, once it has allowed that', async () => {
    const at = (path: string) => ({ path: { kind: 'exact' as const, value: path } });
    const routes: readonly Route[] = [
      { name: 'moved', match: at('/moved'), action: { kind: 'redirect', host: 'other' } },
      { name: 'said', match: at('/said'), action: { kind: 'direct', status: 200 } },
      {
        name: 'lost',
        match: at('/lost'),
        action: { kind: 'forward', clusters: [], clusterHeader: 'x-none' },
      },
    ];
    const told = async (path: string, status: number) => {
      const { response } = await ask(
        () => ({ status, headers: { 'x-told': 'yes' } }),
        {},
        { clientHeadersOnSuccess: ['x-told'] },
        { routes, request: { path } },
      );
      return [response?.status, response?.header('x-told')];
    };
    expect(await told('/moved', 200)).toEqual([302, 'yes']);
    expect(await told('/said', 200)).toEqual([200, 'yes']);
    expect(await told('/lost', 200)).toEqual([503, 'yes']);
    expect(await told('/said', 500)).toEqual([403, undefined]);
  });

  it('is told the length of the body as Envoy tells it: 0 where none is sent along', async () => {
    for (const method of ['GET', 'POST']) {
      const { checks } = await ask(() => ({}), {}, { onlyListed: true }, { request: { method } });
      expect(checks[0]?.header('content-length'), method).toBe('0');
    }
  });

  it('adds headers beside those of the caller, and says what later filters know', async () => {
    const { sent } = await ask(
      () => ({ headers: { 'x-group': 'ops', 'x-tier': 'gold' } }),
      {},
      { upstreamHeadersAppended: ['x-group'], metadataHeaders: ['x-tier'] },
      { request: { headers: { 'x-group': 'dev' } } },
    );
    expect(sent?.headerAll('x-group')).toEqual(['dev', 'ops']);
    expect(JSON.parse(sent?.header('x-known') ?? 'null')).toMatchObject({
      'envoy.filters.http.ext_authz': { 'x-tier': 'gold' },
    });
  });

  it('is asked about those requests alone of which something is known', async () => {
    const when = (value: string) => ({
      namespace: 'n',
      path: ['policy'],
      value: { text: { kind: 'prefix' as const, value } },
    });
    const refuse = () => ({ status: 403 });
    expect((await ask(refuse, { when: when('ext-authz-') })).status).toBe(403);
    const other = await ask(refuse, { when: when('other') });
    expect([other.status, other.checks.length]).toEqual([200, 0]);
    expect((await ask(refuse, { when: when('other'), otherwise: 'deny', statusOnError: 401 })).status).toBe(
      401,
    );
  });

  it('is asked about a share of the requests, whose bodies alone are collected', async () => {
    const run = { request: { method: 'POST', body: '12345' }, random: () => 0.5 };
    const config = { body: { maxBytes: 3 } };
    const left = await ask(() => ({}), { ...config, percent: 50 }, {}, run);
    expect([left.status, left.sent?.body, left.checks.length]).toEqual([200, '12345', 0]);
    expect((await ask(() => ({}), { ...config, percent: 51 }, {}, run)).status).toBe(413);
  });

  it('whose failure lets requests pass is told of where that is asked for', async () => {
    const { sent } = await ask(() => ({ status: 500 }), { failureMode: 'allow', markFailureAllowed: true });
    expect(sent?.header('x-envoy-auth-failure-mode-allowed')).toBe('true');
  });

  it('changes the route where that is asked for', async () => {
    const routes = (['other', 'service'] as const).map((name) => ({
      name,
      match: {
        path: { kind: 'prefix' as const, value: '/' },
        ...(name === 'other' && { headers: [{ name: 'x-to', match: { kind: 'present' as const } }] }),
      },
      action: { kind: 'direct' as const, status: name === 'other' ? 210 : 211 },
    }));
    const answer = () => ({ headers: { 'x-to': 'other' } });
    const at = async (rematch: boolean) =>
      (await ask(answer, { rematch }, { upstreamHeaders: ['x-to'] }, { routes })).status;
    expect([await at(false), await at(true)]).toEqual([211, 210]);
    // Also where a caller said what is the service's to say, and the service says nothing.
    const said = { routes, request: { headers: { 'x-to': 'mine' } } };
    const left = async (rematch: boolean) =>
      (await ask(() => ({}), { rematch }, { upstreamHeaders: ['x-to'] }, said)).status;
    expect([await left(false), await left(true)]).toEqual([210, 211]);
  });

  it('changes the route only where a field that routes look at has changed, or the query', async () => {
    const routes = ['other', 'own'].map((name) => ({
      name,
      match: {
        path: { kind: 'prefix' as const, value: '/' },
        ...(name === 'other' && {
          headers: [{ name: 'x-to', match: { kind: 'exact' as const, value: name } }],
        }),
      },
      action: { kind: 'direct' as const, status: name === 'other' ? 210 : 211 },
    }));
    const answer = () => ({ headers: { 'x-to': 'other', 'x-seen': '1' } });
    const at = async (...rematchHeaders: string[]) =>
      (await ask(answer, { rematch: true, rematchHeaders }, { upstreamHeaders: ['x-*'] }, { routes })).status;
    expect([await at('x-user'), await at('x-user', 'X-To')]).toEqual([211, 210]);
  });

  it('cuts off what a refusal has too much of, by bytes', async () => {
    const body = async (maxDeniedBodyBytes: number) =>
      (await ask(() => ({ status: 403, body: 'refused' }), { maxDeniedBodyBytes })).response?.body;
    expect([await body(4), await body(7), await body(8)]).toEqual(['refu', 'refused', 'refused']);
  });

  it('is asked one path for all where that is said', async () => {
    const { checks } = await ask(() => ({}), {}, { target: '/check?a=1' }, { request: { path: '/p?q=2' } });
    expect(checks.map(({ target }) => target)).toEqual(['/check?a=1']);
  });

  it('gets headers by their ends, and by what is in them', async () => {
    const headers = { 'x-user-id': '1', 'my-own-one': '2', 'x-other': '3', id: '4' };
    const { checks } = await ask(
      () => ({}),
      {},
      { onlyListed: true, requestHeaders: ['*-id', '*own*'] },
      { request: { headers } },
    );
    expect(Object.keys(headers).map((name) => checks[0]?.header(name))).toEqual([
      '1',
      '2',
      undefined,
      undefined,
    ]);
  });

  it('refuses HEAD without a length, for the text that GET would get is not known', async () => {
    const refused = () => ({ status: 403, body: 'no' });
    const { response } = await ask(refused, {}, {}, { request: { method: 'HEAD' } });
    expect([response?.status, response?.header('content-length')]).toEqual([403, undefined]);
    expect((await ask(refused, {})).response?.header('content-length')).toBe('2');
  });

  it('changes no route where a body is collected, which says so before anything is served', async () => {
    const refused = /rematch must not be true where body is given/;
    await expect(ask(() => ({}), { rematch: true, body: { maxBytes: 3 } })).rejects.toThrow(refused);
    const filterConfigs = { 'ext-authz': { body: { maxBytes: 3 } } } as FilterConfigs;
    await expect(ask(() => ({}), { rematch: true }, {}, { filterConfigs })).rejects.toThrow(refused);
  });

  it('is not given the body on a route that says so', async () => {
    const run = {
      request: { method: 'POST', body: '12345' },
      filterConfigs: { 'ext-authz': { body: null } } as FilterConfigs,
    };
    const { status, checks } = await ask(() => ({}), { body: { maxBytes: 3 } }, {}, run);
    expect([status, checks[0]?.body]).toEqual([200, '']);
  });
});

describe('a cluster over gRPC', () => {
  const running: TestProxy[] = [];
  afterEach(async () => {
    for (const one of running.splice(0)) await one.stop();
  });

  async function proxyWith(
    answer: (request: CheckRequest) => MessageInitShape<typeof CheckResponseSchema> | number | 'silence',
    config: Partial<ExtAuthzFilterConfig> = {},
    connectionFilters: readonly ConnFilterUse[] = [],
  ) {
    const clock = fakeClock();
    const network = memoryNetwork(clock);
    const checks: CheckRequest[] = [];
    const service = grpcUpstream(network, '10.0.9.1:9001', (message) => {
      const request = fromBinary(CheckRequestSchema, message);
      checks.push(request);
      const reply = answer(request);
      return typeof reply === 'object'
        ? toBinary(CheckResponseSchema, create(CheckResponseSchema, reply))
        : reply;
    });
    const proxy = await testProxy({
      clock,
      network,
      listeners: [
        {
          name: 'test',
          address: { host: '127.0.0.1', port: 8080 },
          filterChains: [
            {
              name: 'http',
              handler: {
                kind: 'http',
                connectionFilters,
                filters: [
                  says({}),
                  extAuthz(
                    { service: { grpcCluster: { cluster: 'auth' } }, ...config },
                    { name: 'ext-authz' },
                  ),
                  shows({}),
                ],
                routes: {
                  name: 'all',
                  virtualHosts: [
                    {
                      name: 'all',
                      domains: ['*'],
                      routes: [
                        {
                          name: 'all',
                          match: { path: { kind: 'prefix', value: '/' } },
                          action: { kind: 'forward', clusters: [{ name: 'service' }] },
                        },
                      ],
                    },
                  ],
                },
              },
            },
          ],
        },
      ],
      clusters: [
        {
          name: 'service',
          discovery: { kind: 'static', endpoints: [{ address: { host: '10.0.0.1', port: 80 } }] },
        },
        {
          name: 'auth',
          pool: { protocol: 'http2' },
          discovery: { kind: 'static', endpoints: [{ address: { host: '10.0.9.1', port: 9001 } }] },
        },
      ],
      upstreams: { '10.0.0.1:80': () => ({ body: 'ok' }) },
    });
    running.push(proxy);
    return { proxy, checks, service };
  }

  it('is asked as any service that speaks gRPC, with what it is to know', async () => {
    const { proxy, checks, service } = await proxyWith(
      () => ({
        status: { code: 0 },
        dynamicMetadata: { tier: 'gold' },
        httpResponse: {
          case: 'okResponse',
          value: { headers: [{ header: { key: 'x-user', value: 'ann' } }] },
        },
      }),
      { metadataNamespaces: ['n', 'absent'], withheldHeaders: ['x-secret'] },
    );
    const response = await proxy.client().request({ path: '/a?b', headers: { 'x-secret': 's', 'x-a': '1' } });
    expect(response.status).toBe(200);
    const sent = proxy.upstream('10.0.0.1:80').requests[0];
    expect(sent?.header('x-user')).toBe('ann');
    expect(JSON.parse(sent?.header('x-known') ?? 'null')).toMatchObject({
      'envoy.filters.http.ext_authz': { tier: 'gold' },
    });
    const [asked] = service.requests;
    expect([asked?.target, asked?.header('host')]).toEqual([
      '/envoy.service.auth.v3.Authorization/Check',
      'auth',
    ]);
    const http = checks[0]?.attributes?.request?.http;
    expect(http).toMatchObject({ method: 'GET', path: '/a?b' });
    expect(http?.headers).toMatchObject({ 'x-a': '1' });
    expect(Object.keys(http?.headers ?? {})).not.toContain('x-secret');
    expect(checks[0]?.attributes?.metadataContext?.filterMetadata).toEqual({
      n: { policy: 'ext-authz-1', other: 1 },
    });
  });

  it('is told what is known of the connection, of which that of the request takes the place', async () => {
    const knows = defineConnFilter<object>({
      apiVersion: 1,
      id: 'tulle-filter-knows',
      config: jsonSchema<object>({ type: 'object' }),
      create: () => ({
        connect(connection) {
          connection.set(DYNAMIC_METADATA, { vpc: { id: 'one' }, n: { other: 2 } });
          return CONTINUE;
        },
      }),
    });
    const { proxy, checks } = await proxyWith(
      () => ({ status: { code: 0 } }),
      { metadataNamespaces: ['vpc', 'n', 'absent'] },
      [knows({})],
    );
    expect((await proxy.client().request()).status).toBe(200);
    expect(checks[0]?.attributes?.metadataContext?.filterMetadata).toEqual({
      vpc: { id: 'one' },
      n: { policy: 'ext-authz-1', other: 1 },
    });
  });

  it('refuses', async () => {
    const { proxy } = await proxyWith(() => ({
      status: { code: 7 },
      httpResponse: { case: 'deniedResponse', value: { status: { code: 401 }, body: 'who are you' } },
    }));
    const response = await proxy.client().request({});
    expect([response.status, response.body]).toEqual([401, 'who are you']);
  });

  it.each([
    ['in time', 'silence' as const, 'timeout'],
    ['that is OK', 13, 'status'],
    ['although it is asked again', 14, 'unavailable'],
  ])('without an answer %s refuses by itself', async (_what, reply, reason) => {
    const { proxy } = await proxyWith(() => reply);
    const pending = proxy.client().request({});
    await proxy.clock.advance(250);
    expect((await pending).status).toBe(403);
    expect(proxy.meter.value('tulle_filter_ext_authz_checks_total', { result: reason })).toBe(1);
  });

  it('is told each line by itself where it is to, and nothing that it is not to be told', async () => {
    const { proxy, checks } = await proxyWith(() => ({ status: { code: 0 } }), { rawHeaders: true });
    const client = proxy.client();
    client.raw('GET /p HTTP/1.1\r\nhost: a\r\nx-m: a\r\nx-m: b\xff\r\n\r\n', 'GET');
    await client.response();
    const http = checks[0]?.attributes?.request?.http;
    expect(http?.headers).toEqual({});
    const lines = http?.headerMap?.headers.map(
      ({ key, rawValue }) => `${key}: ${Buffer.from(rawValue).toString('latin1')}`,
    );
    expect(lines).toEqual(expect.arrayContaining([':path: /p', 'x-m: a', 'x-m: b\xff']));
  });
});
