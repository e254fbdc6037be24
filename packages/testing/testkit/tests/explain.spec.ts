import { request as httpRequest } from 'node:http';
import { CONTINUE, DELIVER, RETRY } from '@tulle/filter';
import type { Listener, ProxyConfig, Route } from '@tulle/model';
import { cluster, httpListener, route, type Proxy } from '@tulle/proxy';
import { describe, expect, it } from 'vitest';
import type { TestProxy } from '../src/index.ts';
import { filter, simple, started } from './support.ts';

interface Reason {
  readonly site: string;
  readonly subject: string;
  readonly outcome: string;
  readonly reason: string;
  readonly detail: string;
  readonly at?: number;
  readonly children?: readonly Reason[];
}

interface Explanation {
  readonly requestId: string;
  readonly generation: number;
  readonly status: number;
  readonly code: string;
  readonly hint: string;
  readonly whole: boolean;
  readonly reasons: readonly Reason[];
}

/** Asks the admin interface of a test's proxy, which listens on a real socket. */
function ask(
  test: TestProxy,
  path: string,
  body?: unknown,
): Promise<{ readonly status: number; readonly body: never }> {
  const { port } = (test.proxy as Proxy & { readonly adminAddress: { readonly port: number } }).adminAddress;
  return new Promise((resolve, reject) => {
    const sent = httpRequest(
      { host: '127.0.0.1', port, path, method: body === undefined ? 'GET' : 'POST', agent: false },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as never }),
        );
      },
    );
    sent.on('error', reject).end(body === undefined || body === NO_JSON ? body : JSON.stringify(body));
  });
}

const NO_JSON = '{';
const ADMIN = { host: '127.0.0.1', port: 0 } as const;

async function explained(test: TestProxy, id: string): Promise<Explanation> {
  const { status, body } = await ask(test, `/explain?request-id=${id}`);
  expect(status).toBe(200);
  return (body as { explanations: Explanation[] }).explanations[0] as Explanation;
}

/** Reasons as short lines. */
const lines = (reasons: readonly Reason[]): string[] =>
  reasons.map(({ site, subject, outcome, reason }) => [site, subject, outcome, reason].join(' | '));

const tag = filter('tag', { requestHeaders: () => CONTINUE, responseHeaders: () => CONTINUE });
const guard = filter(
  'guard',
  {
    requestHeaders(stream) {
      stream.note(7, 42);
      stream.note(8, 1);
      return stream.request.path.startsWith('/secret')
        ? stream.reply(403, 'TULLE_FORBIDDEN', undefined, undefined, 'guarded')
        : CONTINUE;
    },
  },
  { notes: { 7: 'looked at' } },
);
const again = filter(
  'again',
  { attemptEnd: ({ attempt }) => (attempt.status >= 500 || attempt.failure !== undefined ? RETRY : DELIVER) },
  { scope: 'attempt' },
);

async function shop(limits?: {
  readonly explainRequests?: number;
  readonly explainFailures?: number;
}): Promise<TestProxy> {
  return started({
    admin: ADMIN,
    random: () => 0,
    ...(limits === undefined ? {} : { limits }),
    listeners: [
      httpListener({
        port: 8080,
        filters: [tag({}), guard({}), again({})],
        routes: [
          route('=/health', { kind: 'direct', status: 200 }),
          route(
            '/orders',
            [
              { name: 'blue', weight: 1 },
              { name: 'green', weight: 3 },
            ],
            {
              method: 'POST',
              headers: [{ name: 'x-tenant', match: { kind: 'exact', value: 'a' } }],
            },
          ),
          route('/', 'blue'),
        ],
      }),
    ],
    clusters: [cluster('blue', ['10.0.0.1:80', '10.0.0.2:80']), cluster('green', ['10.0.0.3:80'])],
    upstreams: {
      '10.0.0.1:80': ({ target }) => ({ status: target === '/flaky' || target === '/broken' ? 503 : 200 }),
      '10.0.0.2:80': ({ target }) => ({ status: target === '/broken' ? 503 : 200 }),
      '10.0.0.3:80': () => ({ status: 200 }),
    },
  });
}

/** The configuration in force without one of its routes; `nth` makes it another one than before. */
function without(test: TestProxy, name: string, nth = 0): ProxyConfig {
  const config = structuredClone(test.proxy.config);
  const handler = config.listeners[0]?.filterChains[0]?.handler;
  if (handler?.kind !== 'http' || !('virtualHosts' in handler.routes)) throw new Error('no routes');
  const host = handler.routes.virtualHosts[0] as unknown as { routes: Route[] };
  host.routes = host.routes.filter((one) => one.name !== name);
  (handler as { streamIdleTimeoutMs?: number }).streamIdleTimeoutMs = 1_000_000 + nth;
  return config;
}

describe('GET /explain', () => {
  it('tells which routes of its scope a request was held against, though its fields are gone', async () => {
    const test = await started({
      admin: ADMIN,
      listeners: [
        httpListener({
          port: 8080,
          routes: [],
          scopes: {
            key: [{ header: 'x-tenant', element: 0 }],
            scopes: ['red', 'blue'].map((name) => ({
              name,
              key: [name],
              routes: {
                name,
                virtualHosts: [
                  {
                    name,
                    domains: ['*'],
                    routes: [route('/x', 'api', { name: `${name}-x` }), route('/', 'api', { name })],
                  },
                ],
              },
            })),
          },
        }),
      ],
      clusters: [cluster('api', ['10.0.0.1:80'])],
      upstreams: { '10.0.0.1:80': () => ({}) },
    });
    const headers = { 'x-request-id': 'scoped', 'x-tenant': 'blue' };
    await test.client().request({ headers });
    const told = (await explained(test, 'scoped')).reasons.find(({ site }) => site === 'route');
    expect(told).toMatchObject({ subject: 'blue', outcome: 'matched' });
    expect(told?.children?.map(({ subject }) => subject)).toEqual(['blue-x']);
  });

  it('says that the protocol was detected, and where anything else would have gone', async () => {
    const test = await simple({
      admin: ADMIN,
      handler: { otherwise: { clusters: [{ name: 'api' }] } },
    });
    await test.client().request({ headers: { 'x-request-id': 'one' } });
    expect((await explained(test, 'one')).reasons[0]).toMatchObject({
      site: 'request',
      outcome: 'http',
      reason: 'protocol-detected',
      detail: expect.stringContaining('anything else goes to api') as unknown,
    });
  });

  it('calls a share that requests name by the field that does it', async () => {
    const test = await started({
      admin: ADMIN,
      random: () => 0.9,
      listeners: [
        httpListener({ port: 8080, routes: [route('/', [{ name: 'api' }, { clusterHeader: 'x-to' }])] }),
      ],
      clusters: [cluster('api', ['10.0.0.1:80'])],
      upstreams: { '10.0.0.1:80': () => ({}) },
    });
    await test.client().request({ headers: { 'x-request-id': 'one', 'x-to': 'api' } });
    const told = (await explained(test, 'one')).reasons.find(({ site }) => site === 'cluster');
    expect(told).toMatchObject({ subject: '(by x-to)', outcome: 'drawn', reason: 'weight' });
  });

  it('tells an ordinary request from its head to its answer', async () => {
    const test = await shop();
    await test
      .client()
      .request({ path: '/a/../list?x=1', headers: { 'x-request-id': 'one', 'x-real-ip': '9.9.9.9' } });
    const told = await explained(test, 'one');
    expect(told).toMatchObject({
      requestId: 'one',
      generation: 1,
      status: 200,
      code: '',
      whole: true,
      dryRun: false,
      method: 'GET',
      path: '/a/../list?x=1',
      upstreamPath: '/list',
      listener: 'http',
    });
    expect(lines(told.reasons)).toEqual([
      'request |  | cleaned | claims-removed path-normalized',
      'route | / | matched | first-match',
      'filter | tag | continue | request-headers',
      'filter | guard | continue | request-headers',
      'endpoint | 10.0.0.1:80 | chosen | balance',
      'attempt | 10.0.0.1:80 | 200 | answered',
      'filter | tag | continue | response-headers',
      'response |  | 200 | from-endpoint',
    ]);
    expect(lines(told.reasons[1]?.children ?? [])).toEqual([
      'route | =/health | not matched | path',
      'route | /orders | not matched | path',
    ]);
    expect(told.reasons[3]?.children).toMatchObject([
      { subject: 'guard', reason: 'looked at', detail: '42' },
      { reason: 'note 8', detail: '1' },
    ]);
    expect(told.reasons[4]).toMatchObject({ detail: 'every endpoint could be picked', at: 0 });
  });

  it('says why no route matched, and what of each did not hold', async () => {
    const test = await shop();
    await test.proxy.update(without(test, '/'));
    await test.client().request({ path: '/orders/1', headers: { 'x-request-id': 'none' } });
    const told = await explained(test, 'none');
    expect(told).toMatchObject({ status: 404, code: 'TULLE_ROUTE_NOT_FOUND', generation: 2 });
    expect(told.hint).not.toBe('');
    expect(lines(told.reasons)).toEqual([
      'request |  | unchanged | as-sent',
      'route |  | none | no-route',
      'reply |  | 404 | TULLE_ROUTE_NOT_FOUND',
      'response |  | 404 | TULLE_ROUTE_NOT_FOUND',
    ]);
    expect(lines(told.reasons[1]?.children ?? [])).toEqual([
      'route | =/health | not matched | path',
      'route | /orders | not matched | method',
    ]);
    // Headers are not kept: what is left must have been one of them.
    await test.client().request({ method: 'POST', path: '/orders/1', headers: { 'x-request-id': 'tenant' } });
    expect((await explained(test, 'tenant')).reasons[1]?.children?.[1]).toMatchObject({
      reason: 'condition',
      detail:
        'path and method fit, so a header, query or cookie condition did not hold: path prefix /orders, method POST, header x-tenant exact "a"',
    });
  });

  it('tells which share of a split was drawn, and a filter that stops with its notes', async () => {
    const test = await shop();
    const client = test.client();
    await client.request({
      method: 'POST',
      path: '/orders',
      headers: { 'x-request-id': 'split', 'x-tenant': 'a' },
    });
    expect((await explained(test, 'split')).reasons[2]).toMatchObject({
      site: 'cluster',
      subject: 'blue',
      outcome: 'drawn',
      detail: 'weight 1 of 4; others: green 3',
    });
    await client.request({ path: '/secret', headers: { 'x-request-id': 'stop' } });
    const { reasons } = await explained(test, 'stop');
    expect(lines(reasons).slice(2)).toEqual([
      'filter | tag | continue | request-headers',
      'filter | guard | stop | request-headers',
      'reply |  | 403 | TULLE_FORBIDDEN',
      'filter | tag | continue | response-headers',
      'response |  | 403 | TULLE_FORBIDDEN',
    ]);
    expect(reasons[3]?.children).toHaveLength(2);
  });

  it('tells every attempt with its endpoint, and why another was or was not made', async () => {
    const test = await shop();
    const answered = test.client().request({ path: '/flaky', headers: { 'x-request-id': 'twice' } });
    await test.upstream('10.0.0.1:80').next();
    await test.clock.advance(1_000);
    expect((await answered).status).toBe(200);
    const told = await explained(test, 'twice');
    expect(lines(told.reasons.filter(({ site }) => ['endpoint', 'attempt', 'retry'].includes(site)))).toEqual(
      [
        'endpoint | 10.0.0.1:80 | chosen | balance',
        'attempt | 10.0.0.1:80 | 503 | answered',
        'retry | attempt 1 | granted | policy',
        'endpoint | 10.0.0.2:80 | chosen | balance',
        'attempt | 10.0.0.2:80 | 200 | answered',
      ],
    );
    const second = told.reasons.findLast(({ site }) => site === 'endpoint');
    expect(second?.detail).toBe('2 of 2 may be picked, 1 of them tried already');
    await test.client().request({ method: 'POST', path: '/broken', headers: { 'x-request-id': 'post' } });
    expect(lines((await explained(test, 'post')).reasons)).toContain('retry | attempt 1 | refused | unsafe');
  });

  it('tells an attempt that nobody waited for any more', async () => {
    const test = await started({
      admin: ADMIN,
      listeners: [httpListener({ port: 8080, routes: [route('/', 'slow', { requestTimeoutMs: 500 })] })],
      clusters: [cluster('slow', ['10.0.0.1:80'])],
      upstreams: { '10.0.0.1:80': () => new Promise(() => {}) },
    });
    const answered = test.client().request({ headers: { 'x-request-id': 'late' } });
    await test.upstream('10.0.0.1:80').next();
    await test.clock.advance(600);
    expect((await answered).status).toBe(504);
    expect(lines((await explained(test, 'late')).reasons).slice(3)).toEqual([
      'attempt | 10.0.0.1:80 | given up | TULLE_REQUEST_TIMEOUT',
      'reply |  | 504 | TULLE_REQUEST_TIMEOUT',
      'response |  | 504 | TULLE_REQUEST_TIMEOUT',
    ]);
  });

  it('tells deadline and statuses of gRPC calls, and whose they are', async () => {
    const headers = { 'content-type': 'application/grpc' };
    const test = await started({
      admin: ADMIN,
      listeners: [httpListener({ port: 8080, routes: [route('/a.B', 'api', { maxGrpcTimeoutMs: 2_000 })] })],
      clusters: [cluster('api', ['10.0.0.1:80'])],
      upstreams: {
        '10.0.0.1:80': ({ target }) =>
          target === '/a.B/Refused'
            ? { headers: { ...headers, 'grpc-status': '5' } }
            : { headers, chunks: ['x'], trailers: { 'grpc-status': '0' } },
      },
    });
    const client = test.client();
    for (const [id, path, timeout] of [
      ['done', '/a.B/Done', '1S'],
      ['refused', '/a.B/Refused', '3S'],
      ['unknown', '/c.D/E', '1S'],
    ] as const)
      await client.request({
        method: 'POST',
        path,
        headers: { ...headers, 'x-request-id': id, 'grpc-timeout': timeout },
      });
    const told = async (id: string): Promise<string[]> =>
      lines((await explained(test, id)).reasons).filter((line) => line.includes('grpc'));
    expect(await told('done')).toEqual([
      'request | grpc-timeout | 1000 ms | caller',
      'attempt | 10.0.0.1:80 | OK (0) | grpc-status',
    ]);
    expect(await told('refused')).toEqual([
      'request | grpc-timeout | 2000 ms | route-maximum',
      'attempt | 10.0.0.1:80 | NOT_FOUND (5) | grpc-status',
    ]);
    expect(await told('unknown')).toEqual(['reply |  | UNIMPLEMENTED (12) | grpc-status']);
  });

  it('tells clusters that are absent, full, or have nobody to ask', async () => {
    const test = await started({
      admin: ADMIN,
      danglingReferences: 'allow',
      listeners: [
        httpListener({
          port: 8080,
          routes: ['absent', 'full', 'empty'].map((name) => route(`/${name}`, name)),
        }),
      ],
      clusters: [cluster('full', ['10.0.0.1:80'], { limits: { maxRequests: 0 } }), cluster('empty', [])],
    });
    const client = test.client();
    for (const name of ['absent', 'full', 'empty'])
      await client.request({ path: `/${name}`, headers: { 'x-request-id': name } });
    const told = async (id: string): Promise<string | undefined> =>
      lines((await explained(test, id)).reasons)[2];
    expect(await told('absent')).toBe('cluster | absent | absent | not-configured');
    expect(await told('full')).toBe('cluster | full | refused | max-requests');
    expect(await told('empty')).toBe('endpoint |  | none | no-endpoints');
  });

  it('tells a filter that sends routing back, and one that fails open', async () => {
    const move = filter('move', {
      requestHeaders(stream) {
        stream.request.path = '/new';
        stream.rematch();
        return CONTINUE;
      },
    });
    const broken = filter('broken', {
      requestHeaders() {
        throw new Error('broken');
      },
    });
    const test = await started({
      admin: ADMIN,
      listeners: [
        httpListener({
          port: 8080,
          filters: [move({}), broken({}, { failOpen: true })],
          routes: [
            route('/old', { kind: 'direct', status: 410 }),
            route('/new', { kind: 'direct', status: 201 }),
          ],
        }),
      ],
    });
    await test.client().request({ path: '/old', headers: { 'x-request-id': 'moved' } });
    expect(lines((await explained(test, 'moved')).reasons).slice(1)).toEqual([
      'route | /old | matched | first-match',
      'filter | move | rematch | asked',
      'route | /new | matched | first-match',
      'filter | move | continue | request-headers',
      'filter | broken | failed open | TULLE_FILTER_FAILED',
      'reply |  | 201 | TULLE_LOCAL_REPLY',
      'response |  | 201 | TULLE_LOCAL_REPLY',
    ]);
  });

  it('reads a request by the configuration that decided it, whatever is in force now', async () => {
    const test = await shop();
    await test.client().request({ headers: { 'x-request-id': 'before' } });
    for (let i = 0; i < 40; i++) await test.proxy.update(without(test, '/', i));
    const told = await explained(test, 'before');
    expect([told.generation, told.whole, told.reasons[1]?.subject]).toEqual([1, true, '/']);
    // Of configurations that decided something, only so many are held on to.
    for (let i = 0; i < 40; i++) {
      await test.proxy.update(without(test, '/', i));
      await test.client().request({ path: '/health', headers: { 'x-request-id': `after-${i}` } });
    }
    await test.proxy.update(without(test, '/'));
    expect(await explained(test, 'before')).toMatchObject({ generation: 0, whole: false });
    expect((await explained(test, 'after-39')).whole).toBe(true);
  });

  it('keeps so many of the last requests, and failures beside them', async () => {
    const test = await shop({ explainRequests: 3, explainFailures: 2 });
    const client = test.client();
    for (let i = 0; i < 4; i++)
      await client.request({ path: '/secret', headers: { 'x-request-id': `bad-${i}` } });
    for (let i = 0; i < 2_000; i++)
      await client.request({ path: '/health', headers: { 'x-request-id': `good-${i}` } });
    const kept = async (id: string): Promise<number> => (await ask(test, `/explain?request-id=${id}`)).status;
    expect(
      await Promise.all(['bad-1', 'bad-2', 'bad-3', 'good-1996', 'good-1997', 'good-1999'].map(kept)),
    ).toEqual([404, 200, 200, 404, 200, 200]);
    expect(test.meter.value('tulle_explain_requests')).toBe(5);
    expect((await ask(test, '/explain')).status).toBe(400);
  });

  it('keeps none where that is asked for', async () => {
    const test = await shop({ explainRequests: 0, explainFailures: 0 });
    await test.client().request({ headers: { 'x-request-id': 'gone' } });
    expect((await ask(test, '/explain?request-id=gone')).status).toBe(404);
  });

  it('says that notes are missing where a request had more than are kept', async () => {
    const chatty = filter('chatty', {
      requestHeaders(stream) {
        for (let i = 0; i < 100; i++) stream.note(1, i);
        return CONTINUE;
      },
    });
    const test = await started({
      admin: ADMIN,
      listeners: [
        httpListener({
          port: 8080,
          filters: [chatty({})],
          routes: [route('/', { kind: 'direct', status: 200 })],
        }),
      ],
    });
    await test.client().request({ headers: { 'x-request-id': 'chatty' } });
    const told = await explained(test, 'chatty');
    expect(told.whole).toBe(false);
    expect(lines(told.reasons)).toContain('response |  | incomplete | notes-dropped');
    expect(test.meter.value('tulle_explain_notes_dropped_total')).toBeGreaterThan(30);
  });
});

describe('POST /explain', () => {
  const calls: string[] = [];
  const counted = (id: string, effects: 'none' | 'local' | 'external') =>
    filter(
      id,
      {
        requestHeaders(stream) {
          calls.push(id);
          return stream.request.path === '/forbidden' &&
            stream.connection.peerIdentity !== 'spiffe://t/ns/a/sa/web'
            ? stream.reply(403, 'TULLE_FORBIDDEN')
            : CONTINUE;
        },
        complete: () => void calls.push(`${id} complete`),
      },
      { effects },
    );

  async function imagined(): Promise<TestProxy> {
    calls.length = 0;
    return started({
      admin: ADMIN,
      random: () => 0,
      listeners: [
        httpListener({
          port: 8080,
          filters: [
            counted('bucket', 'local')({}),
            counted('policy', 'none')({}),
            counted('ask', 'external')({}),
            again({}),
          ],
          routes: [
            route('/tenant', 'api', {
              headers: [{ name: 'x-tenant', match: { kind: 'exact', value: 'a' } }],
            }),
            route('/old', { kind: 'redirect', path: { kind: 'full', value: '/new' } }),
            route('/', 'api', { rewrite: { path: { kind: 'prefix', value: '/v2' } } }),
          ],
        }),
      ],
      clusters: [cluster('api', ['10.0.0.1:80', '10.0.0.2:80'])],
      upstreams: { '10.0.0.1:80': () => ({}), '10.0.0.2:80': () => ({}) },
    });
  }
  const dryRun = async (test: TestProxy, request: object): Promise<Explanation> => {
    const { status, body } = await ask(test, '/explain', { authority: 'shop.example', ...request });
    expect(body).not.toHaveProperty('error');
    expect(status).toBe(200);
    return (body as { explanations: Explanation[] }).explanations[0] as Explanation;
  };

  it('walks the tables to where an endpoint would be asked, and calls nobody who has effects', async () => {
    const test = await imagined();
    const told = await dryRun(test, { method: 'POST', path: '/orders?x=1' });
    expect(told).toMatchObject({
      dryRun: true,
      status: 0,
      code: '',
      generation: 1,
      upstreamPath: '/v2/orders',
      whole: true,
    });
    expect(lines(told.reasons)).toEqual([
      'request |  | cleaned | id-made',
      'route | / | matched | first-match',
      'filter | bucket | would call | effects-local',
      'filter | policy | continue | request-headers',
      'filter | ask | would call | effects-external',
      'cluster | api | would forward | balance',
    ]);
    expect(lines(told.reasons.at(-1)?.children ?? [])).toEqual([
      'endpoint | 10.0.0.1:80 | healthy | health',
      'endpoint | 10.0.0.2:80 | healthy | health',
    ]);
    expect(calls).toEqual(['policy']);
    expect(test.upstream('10.0.0.1:80').requests.length + test.upstream('10.0.0.2:80').requests.length).toBe(
      0,
    );
    expect(test.proxy.stats).toMatchObject({ streams: 0, upstreamConnections: 0 });
    expect((await ask(test, `/explain?request-id=${told.requestId}`)).status).toBe(404);
    // And a real request goes as ever.
    expect((await test.client().request({ path: '/orders' })).status).toBe(200);
  });

  it('tells the answer that would be given here, by whom, and for whom', async () => {
    const test = await imagined();
    const stranger = await dryRun(test, { path: '/forbidden' });
    expect(stranger).toMatchObject({ status: 403, code: 'TULLE_FORBIDDEN' });
    expect(lines(stranger.reasons).slice(3)).toEqual([
      'filter | policy | stop | request-headers',
      'reply |  | 403 | TULLE_FORBIDDEN',
    ]);
    const known = await dryRun(test, { path: '/forbidden', source: { identity: 'spiffe://t/ns/a/sa/web' } });
    expect(known).toMatchObject({ status: 0, peerIdentity: 'spiffe://t/ns/a/sa/web' });
    expect(await dryRun(test, { path: '/old' })).toMatchObject({
      status: 302,
      code: 'TULLE_LOCAL_REPLY',
      details: 'redirect',
    });
    expect(await dryRun(test, { path: '/a%2f..%2fb' })).toMatchObject({
      status: 400,
      code: 'TULLE_PATH_REFUSED',
    });
  });

  it('tells which condition on a header does not hold', async () => {
    const test = await imagined();
    const told = await dryRun(test, { path: '/tenant', headers: { 'X-Tenant': ['b', 'c'] } });
    expect(told.reasons[1]?.children?.[0]).toMatchObject({
      subject: '/tenant',
      reason: 'header',
      detail: 'header x-tenant exact "a" does not hold',
    });
    const fits = await dryRun(test, { path: '/tenant', headers: { 'x-tenant': 'a' } });
    expect(fits.reasons[1]).toMatchObject({
      subject: '/tenant',
      children: [{ subject: '/old' }, { reason: 'later' }],
    });
  });

  it('goes no further than the handshake where a certificate is asked for and none is imagined', async () => {
    const { filterChains, ...listener } = httpListener({
      port: 8080,
      routes: [route('/', 'api')],
    }) as unknown as Listener;
    const tls = { certificate: { kind: 'workload' as const }, trust: { kind: 'mesh' as const } };
    const test = await started({
      admin: ADMIN,
      listeners: [
        { ...listener, direction: 'inbound', filterChains: filterChains.map((chain) => ({ ...chain, tls })) },
      ],
      clusters: [cluster('api', ['10.0.0.1:80'])],
    });
    const { status, body } = await ask(test, '/explain', { authority: 'a' });
    expect([status, (body as { error: string }).error]).toEqual([
      400,
      expect.stringMatching(/^\/source: listener http asks who calls/),
    ]);
    const proven = await dryRun(test, { source: { identity: 'spiffe://t/ns/a/sa/web' } });
    expect(proven).toMatchObject({ status: 0, peerIdentity: 'spiffe://t/ns/a/sa/web' });
  });

  it.each<[string, unknown, RegExp]>([
    ['no JSON', undefined, /^\/: is no JSON/],
    [
      'an unknown field',
      { authority: 'a', pth: '/' },
      /^\/: unknown field "pth"; there is method, authority, path/,
    ],
    ['no authority', { path: '/' }, /^\/authority: must be a string/],
    ['a path that is none', { authority: 'a', path: 'x y' }, /^\/path: "x y" is no path/],
    ['a method that is none', { authority: 'a', method: 'GE T' }, /^\/method: "GE T" is no method/],
    [
      'a header that is none',
      { authority: 'a', headers: { 'x y': '1' } },
      /^\/headers\/x y: is no field name/,
    ],
    [
      'a value that is none',
      { authority: 'a', headers: { x: 'a\nb' } },
      /^\/headers\/x: must be a string without/,
    ],
    [
      'a listener that is not there',
      { authority: 'a', listener: 'b' },
      /^\/listener: there is no listener "b"; there is http/,
    ],
  ])('refuses %s by name', async (_what, request, message) => {
    const test = await imagined();
    const { status, body } = await ask(test, '/explain', request ?? NO_JSON);
    expect([status, (body as { error: string }).error]).toEqual([400, expect.stringMatching(message)]);
    expect((await test.client().request()).status).toBe(200);
  });
});
