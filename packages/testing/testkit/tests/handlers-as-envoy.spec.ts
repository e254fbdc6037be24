import { CONTINUE, defineHttpFilter } from '@tulle/filter';
import type { Forwarding, HttpHandler } from '@tulle/model';
import { cluster, httpListener, route } from '@tulle/proxy';
import { describe, expect, it } from 'vitest';
import type {
  Caller,
  TestConnection,
  TestProxy,
  TestRequest,
  TestResponse,
  UpstreamRequest,
} from '../src/index.ts';
import { anything, started } from './support.ts';

function handling(
  handler: Partial<HttpHandler>,
  more: { readonly routes?: Parameters<typeof httpListener>[0]['routes']; readonly slow?: boolean } = {},
): Promise<TestProxy> {
  const { kind: _kind, routes: _routes, filters: _filters, connectionFilters: _early, ...options } = handler;
  return started({
    listeners: [httpListener({ port: 8080, routes: more.routes ?? [route('/', 'api')], ...options })],
    clusters: [cluster('api', ['10.0.0.1:80'])],
    upstreams: { '10.0.0.1:80': () => (more.slow === true ? new Promise<never>(() => {}) : { body: 'ok' }) },
  });
}

async function asked(
  handler: Partial<HttpHandler>,
  request: TestRequest = {},
  from: Caller = { host: '192.0.2.7' },
): Promise<{ readonly response: TestResponse; readonly request: UpstreamRequest | undefined }> {
  const test = await handling(handler);
  const response = await test.client(from).request(request);
  return { response, request: test.upstream('10.0.0.1:80').requests[0] };
}

describe('where a request came from, as Envoy believes it', () => {
  const seen = async (
    forwarding: Forwarding,
    headers: Record<string, string>,
    from?: Caller,
  ): Promise<Record<string, string | undefined>> => {
    const { request } = await asked({ forwarding }, { headers }, from);
    const names = ['x-forwarded-for', 'x-forwarded-proto', 'x-envoy-external-address', 'x-envoy-internal'];
    return Object.fromEntries(names.map((name) => [name, request?.headerAll(name).join('|') || undefined]));
  };

  it('is the peer, which is added to the list', async () => {
    expect(
      await seen({ client: 'peer' }, { 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'https' }),
    ).toEqual({
      'x-forwarded-for': '203.0.113.9, 192.0.2.7',
      'x-forwarded-proto': 'http',
      'x-envoy-external-address': '192.0.2.7',
      'x-envoy-internal': undefined,
    });
    expect((await seen({ client: 'peer', append: false }, {}))['x-forwarded-for']).toBeUndefined();
  });

  it('is whom trusted proxies name, by how many there are', async () => {
    const list = { 'x-forwarded-for': '203.0.113.1, 203.0.113.2,203.0.113.3', 'x-forwarded-proto': 'https' };
    expect(await seen({ client: 'peer', trustedHops: 1 }, list)).toMatchObject({
      'x-envoy-external-address': '203.0.113.3',
      'x-forwarded-proto': 'https',
    });
    expect(await seen({ client: 'peer', trustedHops: 2 }, list)).toMatchObject({
      'x-envoy-external-address': '203.0.113.2',
    });
    expect(await seen({ client: 'peer', trustedHops: 9 }, list)).toMatchObject({
      'x-envoy-external-address': '192.0.2.7',
    });
  });

  it('is what filters are told as the address of the caller', async () => {
    const told: string[] = [];
    const tells = defineHttpFilter({
      apiVersion: 1,
      id: 'test.http.tells',
      config: anything<object>(),
      create: () => ({
        requestHeaders(stream) {
          told.push(`${stream.clientAddress} over ${stream.connection.remoteAddress}`);
          return CONTINUE;
        },
      }),
    });
    const ask = async (forwarding: Forwarding): Promise<void> => {
      const test = await started({
        listeners: [
          httpListener({ port: 8080, routes: [route('/', 'api')], filters: [tells({})], forwarding }),
        ],
        clusters: [cluster('api', ['10.0.0.1:80'])],
        upstreams: { '10.0.0.1:80': () => ({ body: 'ok' }) },
      });
      const headers = { 'x-forwarded-for': '203.0.113.1, 203.0.113.2' };
      await test.client({ host: '192.0.2.7' }).request({ headers });
    };
    await ask({ client: 'peer' });
    await ask({ client: 'peer', trustedHops: 1 });
    expect(told).toEqual(['192.0.2.7 over 192.0.2.7', '203.0.113.2 over 192.0.2.7']);
  });

  it('is whom the list names, which stays as it is', async () => {
    expect(
      await seen({ client: 'header' }, { 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'https' }),
    ).toEqual({
      'x-forwarded-for': '203.0.113.9',
      'x-forwarded-proto': 'https',
      'x-envoy-external-address': undefined,
      'x-envoy-internal': undefined,
    });
  });

  it('is looked for in one place after the other, as Envoy’s detection of callers', async () => {
    const caller = async (
      detection: Forwarding['detection'],
      headers: Record<string, string>,
    ): Promise<unknown> => {
      const test = await handling({
        forwarding: { client: 'header', internalCidrs: ['10.0.0.0/8'], ...(detection && { detection }) },
      });
      await test.client({ host: '192.0.2.7' }).request({ headers });
      const request = test.upstream('10.0.0.1:80').requests[0];
      return [
        test.records[0]?.remoteAddress,
        request?.header('x-forwarded-for'),
        request?.header('x-envoy-internal'),
      ];
    };
    const list = '203.0.113.1, 10.0.0.1, 10.0.0.2';
    const trustedCidrs = ['10.0.0.0/8', '192.0.2.0/24'];
    expect(
      await caller([{ kind: 'forwarded-for', trustedHops: 1, append: true }], { 'x-forwarded-for': list }),
    ).toEqual(['10.0.0.1', `${list}, 192.0.2.7`, undefined]);
    expect(await caller([{ kind: 'forwarded-for', trustedCidrs }], { 'x-forwarded-for': list })).toEqual([
      '203.0.113.1',
      list,
      undefined,
    ]);
    expect(
      await caller([{ kind: 'forwarded-for', trustedCidrs: ['10.0.0.0/8'] }], { 'x-forwarded-for': list }),
    ).toEqual(['192.0.2.7', list, undefined]);
    expect(
      await caller([{ kind: 'forwarded-for', trustedCidrs }], {
        'x-forwarded-for': '203.0.113.1, nobody, 10.0.0.2',
      }),
    ).toEqual(['192.0.2.7', '203.0.113.1, nobody, 10.0.0.2', undefined]);
    const [header] = [{ kind: 'header', name: 'x-client', internal: true } as const];
    expect(await caller([header], { 'x-client': '10.0.0.9' })).toEqual(['10.0.0.9', undefined, 'true']);
    expect(
      await caller([header, { kind: 'forwarded-for' }], {
        'x-client': 'nobody',
        'x-forwarded-for': '10.0.0.8',
      }),
    ).toEqual(['10.0.0.8', '10.0.0.8', 'true']);
  });

  it('is refused where it has to be in a field and is not', async () => {
    const test = await handling({
      forwarding: { client: 'header', detection: [{ kind: 'header', name: 'x-client', refuseStatus: 401 }] },
    });
    const ask = async (headers: Record<string, string>): Promise<unknown> =>
      (await test.client().request({ headers })).status;
    expect([await ask({}), await ask({ 'x-client': 'a' }), await ask({ 'x-client': '2001:db8::1' })]).toEqual(
      [401, 401, 200],
    );
    expect(test.records[0]).toMatchObject({
      status: 401,
      details: 'rejecting_because_detection_failed',
    });
    expect(test.upstream('10.0.0.1:80').requests).toHaveLength(1);
  });

  it('came by the scheme that the listener says, whatever a proxy before it says', async () => {
    const forwarding: Forwarding = { client: 'header', scheme: 'https' };
    const { request } = await asked({ forwarding }, { headers: { 'x-forwarded-proto': 'http' } });
    expect(request?.header('x-forwarded-proto')).toBe('https');
    const test = await handling(
      { forwarding },
      {
        routes: {
          virtualHosts: [{ name: 'all', domains: ['*'], requireTls: 'all', routes: [route('/', 'api')] }],
        },
      },
    );
    expect((await test.client().request({})).status).toBe(200);
  });

  it('is internal where a single address of networks that are named sent it', async () => {
    const inside = { host: '10.1.1.1' };
    const internalCidrs = ['10.0.0.0/8'];
    expect((await seen({ client: 'peer' }, {}, inside))['x-envoy-internal']).toBeUndefined();
    expect((await seen({ client: 'peer', internalCidrs }, {}, inside))['x-envoy-internal']).toBe('true');
    expect(
      (await seen({ client: 'peer', internalCidrs }, { 'x-forwarded-for': '203.0.113.9' }, inside))[
        'x-envoy-internal'
      ],
    ).toBeUndefined();
    expect((await seen({ client: 'peer', internalCidrs: ['192.0.2.0/24'] }, {}))['x-envoy-internal']).toBe(
      'true',
    );
    expect(
      (await seen({ client: 'peer' }, { 'x-envoy-internal': 'true' }))['x-envoy-internal'],
    ).toBeUndefined();
  });

  it('decides which fields are lost that control proxies', async () => {
    const headers = {
      'x-envoy-retry-on': '5xx',
      'x-envoy-original-path': '/x',
      'x-tulle-anything': '1',
      'x-mine': 'kept',
    };
    const left = async (forwarding: Forwarding, from?: Caller): Promise<string[]> => {
      const { request } = await asked({ forwarding }, { headers }, from);
      return Object.keys(headers).filter((name) => request?.header(name) !== undefined);
    };
    expect(await left({ client: 'peer' })).toEqual(['x-mine']);
    expect(await left({ client: 'header' })).toEqual(['x-envoy-original-path', 'x-mine']);
    expect(await left({ client: 'peer', internalCidrs: ['10.0.0.0/8'] }, { host: '10.1.1.1' })).toEqual([
      'x-envoy-retry-on',
      'x-envoy-original-path',
      'x-mine',
    ]);
  });

  it('decides which fields are lost by the route configuration', async () => {
    const test = await handling(
      { forwarding: { client: 'peer', internalCidrs: ['10.0.0.0/8'] } },
      {
        routes: {
          internalOnlyHeaders: ['X-Inside'],
          virtualHosts: [{ name: 'all', domains: ['*'], routes: [route('/', 'api')] }],
        },
      },
    );
    for (const host of ['192.0.2.7', '10.1.1.1'])
      await test.client({ host }).request({ headers: { 'x-inside': '1' } });
    expect(test.upstream('10.0.0.1:80').requests.map((one) => one.header('x-inside'))).toEqual([
      undefined,
      '1',
    ]);
  });

  it('is what records and redirects to TLS go by', async () => {
    const test = await handling({ forwarding: { client: 'peer', trustedHops: 1 } });
    await test.client().request({ headers: { 'x-forwarded-for': '203.0.113.9' } });
    expect(test.records[0]?.remoteAddress).toBe('203.0.113.9');
  });

  it('is told with the port where that is wanted', async () => {
    const { request } = await asked({ forwarding: { client: 'peer', port: true } });
    expect(request?.header('x-forwarded-port')).toBe('8080');
    const of = async (client: Forwarding['client'], headers: Record<string, string>): Promise<unknown> =>
      (await asked({ forwarding: { client, port: true } }, { headers })).request?.header('x-forwarded-port');
    const said = { 'x-forwarded-port': '99' };
    expect([await of('peer', said), await of('header', said), await of('header', {})]).toEqual([
      '8080',
      '99',
      '8080',
    ]);
  });

  it('tells by which scheme the caller came, where a proxy before this one is believed', async () => {
    const location = async (forwarding: Forwarding): Promise<unknown> => {
      const test = await handling(
        { forwarding },
        {
          routes: {
            virtualHosts: [
              {
                name: 'all',
                domains: ['*'],
                routes: [
                  {
                    name: 'one',
                    match: { path: { kind: 'prefix', value: '/' } },
                    action: { kind: 'redirect', port: 'asked', path: { kind: 'full', value: '/new' } },
                  },
                ],
              },
            ],
          },
        },
      );
      const headers = { host: 'shop.example', 'x-forwarded-proto': 'https' };
      return (await test.client().request({ headers })).header('location');
    };
    expect([
      await location({ client: 'header' }),
      await location({ client: 'peer' }),
      await location({ client: 'peer', trustedHops: 1 }),
    ]).toEqual(['https://shop.example/new', 'http://shop.example/new', 'https://shop.example/new']);
  });

  it('says nothing of certificates that a caller without one claims', async () => {
    const claim = { 'x-forwarded-client-cert': 'URI=spiffe://evil' };
    const of = async (clientCertificate: Forwarding['clientCertificate']): Promise<string | undefined> => {
      const forwarding: Forwarding = { client: 'peer', ...(clientCertificate && { clientCertificate }) };
      return (await asked({ forwarding }, { headers: claim })).request?.header('x-forwarded-client-cert');
    };
    expect([
      await of(undefined),
      await of('forward'),
      await of('append'),
      await of('replace'),
      await of('always-forward'),
    ]).toEqual([undefined, undefined, undefined, undefined, 'URI=spiffe://evil']);
  });

  it('is not said in two ways at a time', async () => {
    await expect(handling({ forwarding: { client: 'peer' }, identityHeaders: 'keep' })).rejects.toThrow(
      /forwarding stands beside identityHeaders/,
    );
  });
});

describe('escaped slashes', () => {
  const path = async (escapedSlashes: HttpHandler['escapedSlashes'], asPath: string): Promise<unknown> => {
    const { request, response } = await asked(
      { ...(escapedSlashes && { escapedSlashes }) },
      { path: asPath },
    );
    return request?.target ?? response.header('location') ?? response.status;
  };

  it('are refused, kept, slashes, or a reason to ask again', async () => {
    expect([
      await path(undefined, '/a%2fb'),
      await path('keep', '/a%2fb%5Cc?d=%2f'),
      await path('unescape', '/a%2f%2fb%5cc?d'),
      await path('redirect', '/a%2Fb?d=e'),
      await path('redirect', '/plain?d=%2f'),
    ]).toEqual([400, '/a%2Fb%5Cc?d=%2f', '/a/b/c?d', '/a/b?d=e', '/plain?d=%2f']);
  });

  it('never lead out of a directory', async () => {
    for (const hidden of ['/a/..%2f..%2fetc', '/a%2f..', '/a%5c..%5cb', '/a%2f.%2fb', '/..%2fa'])
      expect(await path('keep', hidden), hidden).toBe(400);
    expect(await path('keep', '/a..%2fb')).toBe('/a..%2Fb');
    expect(await path('unescape', '/a%2f..%2f..%2fb')).toBe(400);
    expect(await path('unescape', '/a%2f..%2fb')).toBe('/b');
  });
});

describe('a handler', () => {
  it('leaves ports of hosts out', async () => {
    const host = async (stripPort: 'any' | 'matching', text: string): Promise<string | undefined> =>
      (await asked({ stripPort }, { headers: { host: text } })).request?.header('host');
    expect([
      await host('any', 'a.example:1'),
      await host('matching', 'a.example:8080'),
      await host('matching', 'a.example:1'),
    ]).toEqual(['a.example', 'a.example', 'a.example:1']);
  });

  it('makes, replaces and tells ids of requests', async () => {
    const given = { headers: { 'x-request-id': 'mine' } };
    const id = async (options: Partial<HttpHandler>, request: TestRequest = {}, from?: Caller) => {
      const { request: sent, response } = await asked(options, request, from);
      return [sent?.header('x-request-id'), response.header('x-request-id')];
    };
    const edge: Partial<HttpHandler> = { forwarding: { client: 'peer' }, requestId: { external: 'replace' } };
    const [replaced] = await id(edge, given);
    expect(replaced).toMatch(/^[0-9a-f-]{36}$/);
    const inside: Partial<HttpHandler> = {
      ...edge,
      forwarding: { client: 'peer', internalCidrs: ['10.0.0.0/8'] },
    };
    expect(await id(inside, given, { host: '10.1.1.1' })).toEqual(['mine', undefined]);
    expect(await id({ requestId: { generate: false } })).toEqual([undefined, undefined]);
    expect(await id({ requestId: { inResponse: true } }, given)).toEqual(['mine', 'mine']);
    expect(await id({ requestId: { generate: false, inResponse: true } })).toEqual([undefined, undefined]);
  });

  it('names itself in via and server', async () => {
    const { request, response } = await asked({
      via: 'edge',
      serverHeader: { value: 'tulle', ifAbsent: true },
    });
    expect([request?.header('via'), response.header('via'), response.header('server')]).toEqual([
      '1.1 edge',
      '1.1 edge',
      'tulle',
    ]);
  });

  it('refuses or drops fields with underscores', async () => {
    const headers = { x_user: 'a', 'x-mine': 'b' };
    const refused = await asked({ underscores: 'refuse' }, { headers });
    expect([refused.response.status, refused.request]).toEqual([400, undefined]);
    const dropped = await asked({ underscores: 'drop' }, { headers });
    expect([dropped.request?.header('x_user'), dropped.request?.header('x-mine')]).toEqual([undefined, 'b']);
  });

  it('answers HTTP/1.0 with 426, or knows its host', async () => {
    const old = async (options: Partial<HttpHandler>): Promise<[number, string | undefined]> => {
      const test = await handling(options);
      const client = test.client();
      client.raw('GET / HTTP/1.0\r\n\r\n', 'GET');
      const { status } = await client.response();
      return [status, test.upstream('10.0.0.1:80').requests[0]?.header('host')];
    };
    expect(await old({ http10: 'refuse' })).toEqual([426, undefined]);
    expect(await old({ defaultHost: 'shop.example' })).toEqual([200, 'shop.example']);
  });

  it('waits for a whole request only so long', async () => {
    const test = await handling({ requestTimeoutMs: 3_000 });
    const client = test.client();
    client.raw('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nab', 'POST');
    await test.clock.advance(2_000);
    client.connection.send('c');
    await test.clock.advance(2_000);
    const response = await client.response();
    expect([response.status, test.records[0]?.details]).toEqual([408, 'request_overall_timeout']);
  });

  it('breaks no answer off that began before the request was whole', async () => {
    const test = await started({
      listeners: [
        httpListener({ host: '127.0.0.1', port: 8080, routes: [route('/', 'api')], requestTimeoutMs: 3_000 }),
      ],
      clusters: [cluster('api', ['10.0.0.1:80'])],
    });
    let endpoint: TestConnection | undefined;
    test.network.listen('10.0.0.1:80', (connection) => void (endpoint = connection));
    const client = test.client();
    client.raw('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nab', 'POST');
    await test.clock.advance(1_000);
    await endpoint?.take('ab');
    endpoint?.send('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nun');
    await client.connection.take('un');
    await test.clock.advance(5_000);
    client.connection.send('cde');
    await endpoint?.take('cde');
    endpoint?.send('do');
    await client.connection.take('do');
    await test.clock.advance(1);
    expect(test.records[0]).toMatchObject({ status: 200, details: '', flags: [] });
  });

  it('lets a whole stream take only so long, or as long as its route says', async () => {
    const status = async (options: Partial<HttpHandler>, maxStreamDurationMs?: number): Promise<unknown> => {
      const test = await handling(options, {
        slow: true,
        routes: [
          route('/', 'api', {
            requestTimeoutMs: 20_000,
            ...(maxStreamDurationMs !== undefined && { maxStreamDurationMs }),
          }),
        ],
      });
      const pending = test.client().request();
      await test.clock.advance(30_000);
      await pending;
      const [record] = test.records;
      return [record?.status, Math.round((record?.durationMs ?? 0) / 1_000)];
    };
    expect([
      await status({ maxStreamDurationMs: 2_000 }),
      await status({ maxStreamDurationMs: 2_000 }, 5_000),
      await status({ maxStreamDurationMs: 2_000 }, 0),
    ]).toEqual([
      [504, 2],
      [504, 5],
      [504, 20],
    ]);
  });

  it('serves so many requests on a connection, and as long as it may become old', async () => {
    const counted = await handling({ maxRequestsPerConnection: 2 });
    const client = counted.client();
    const connections: (string | undefined)[] = [];
    for (let i = 0; i < 2; i++) connections.push((await client.request()).header('connection'));
    expect(connections).toEqual([undefined, 'close']);

    const aged = await handling({ maxConnectionDurationMs: 5_000 });
    const resting = aged.client();
    await resting.request();
    await aged.clock.advance(10_000);
    expect(resting.connection.ended || resting.connection.closed).toBe(true);
  });
});
