import { route, httpListener, cluster } from '@tulle/proxy';
import type { InternalRedirect } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import { Http2Client, type TestProxy, type TestProxyOptions } from '../src/index.ts';
import { CONTINUE, filter, started, type TestHooks } from './support.ts';

const API = '10.0.0.1:80';
const API_TOO = '10.0.0.3:80';
const OTHER = '10.0.0.2:80';

/** Answers as the query says: `?to=URL&status=303` leads elsewhere, anything else is an answer. */
const leading: NonNullable<TestProxyOptions['upstreams']>[string] = (request) => {
  const { searchParams: query } = new URL(request.target, 'http://x');
  const to = query.get('to');
  const body = `${request.method} ${request.target} ${request.body}`;
  return to === null
    ? { body }
    : {
        status: Number(query.get('status') ?? 302),
        headers: { location: to, 'x-token': 'given' },
        body: `moved ${body}`,
      };
};

/** `/a` leads on as the policy says, `/b` is another route with none, `/c` goes to a cluster of its own. */
async function led(
  policy: InternalRedirect,
  more: {
    readonly hooks?: TestHooks;
    readonly attemptHooks?: TestHooks;
    readonly body?: Parameters<typeof filter>[2];
    readonly limits?: TestProxyOptions['limits'];
    readonly answer?: NonNullable<TestProxyOptions['upstreams']>[string];
    readonly handler?: Partial<Parameters<typeof httpListener>[0]>;
    readonly cluster?: Parameters<typeof cluster>[2];
  } = {},
): Promise<TestProxy> {
  const { hooks, attemptHooks, limits = {}, answer = leading, handler } = more;
  return started({
    listeners: [
      httpListener({
        host: '127.0.0.1',
        port: 8080,
        routes: [
          route('/a', 'api', { name: 'a', internalRedirect: policy }),
          route('/b', 'api', { name: 'b' }),
          route('/c', 'other', { name: 'c' }),
        ],
        filters: [
          ...(hooks === undefined ? [] : [filter('test', hooks, more.body)({})]),
          ...(attemptHooks === undefined ? [] : [filter('attempt', attemptHooks, { scope: 'attempt' })({})]),
        ],
        ...handler,
      }),
    ],
    clusters: [
      cluster('api', more.cluster === undefined ? [API] : [API, API_TOO], more.cluster),
      cluster('other', [OTHER]),
    ],
    upstreams: {
      [API]: answer,
      [API_TOO]: answer,
      [OTHER]: (request) => ({ body: `other ${request.method} ${request.target}` }),
    },
    limits,
  });
}

const to = (url: string, status = 302, from = '/a'): string =>
  `${from}?to=${encodeURIComponent(url)}&status=${status}`;
const asked = (test: TestProxy, address = API) => test.upstream(address).requests;

describe('an answer that leads elsewhere', () => {
  it('is followed: the caller gets what is there, and each part has its record', async () => {
    const test = await led({});
    const client = test.client();
    const answer = await client.request({ path: to('http://shop.example:81/c/x?y=1#part') });
    expect(answer).toMatchObject({ status: 200, body: 'other GET /c/x?y=1' });
    const [request] = asked(test, OTHER);
    expect(request?.header('host')).toBe('shop.example:81');
    expect(request?.header('x-envoy-original-url')).toBe(
      `http://test.example${to('http://shop.example:81/c/x?y=1#part')}`,
    );
    expect(
      test.records.map(({ status, path, details, routeName, cluster: to }) => [
        status,
        path,
        details,
        routeName,
        to,
      ]),
    ).toEqual([
      [302, '/a', 'internal_redirect', 'a', 'api'],
      [200, '/c/x', '', 'c', 'other'],
    ]);
    expect(test.records[0]?.requestId).toBe(test.records[1]?.requestId);
    expect(
      test.meter.value('tulle_cluster_upstream_internal_redirect_succeeded_total', { cluster: 'api' }),
    ).toBe(1);
    // The connection is the caller's as before.
    expect((await client.request({ path: '/b' })).status).toBe(200);
    expect(test.proxy.stats.streams).toBe(0);
  });

  it('goes to the caller where the route has no policy, or the status is none of it', async () => {
    const test = await led({ statuses: [301, 307] });
    expect((await test.client().request({ path: to('http://x/b', 302, '/b') })).status).toBe(302);
    expect(await test.client().request({ path: to('http://x/b', 302) })).toMatchObject({ status: 302 });
    expect(await test.client().request({ path: to('http://x/b', 307) })).toMatchObject({ status: 200 });
    expect(await test.client().request({ path: to('http://x/b', 301) })).toMatchObject({ status: 200 });
  });

  it.each([
    ['a place that is relative', '/b'],
    ['no URL', 'http://'],
    ['another scheme than http', 'ftp://x/b'],
    ['a path that nobody would let pass', 'http://x/b/%2e%2e/%00'],
    ['a query that no target has', 'http://x/b?a b'],
    ['a scheme that the policy does not let it', 'https://x/b'],
    ['no route', 'http://x/nowhere'],
  ])('goes to the caller with all of its body where it names %s', async (_, url) => {
    const test = await led({});
    const answer = await test.client().request({ path: to(url) });
    expect(answer).toMatchObject({ status: 302, body: `moved GET ${to(url)} ` });
    expect(answer.header('location')).toBe(url);
    expect(
      test.meter.value('tulle_cluster_upstream_internal_redirect_failed_total', { cluster: 'api' }),
    ).toBe(1);
    expect(test.records).toHaveLength(1);
  });

  it('is followed as often as the policy says', async () => {
    const once = to('http://x/b');
    const chain = (n: number): string => (n === 0 ? once : to(`http://x${chain(n - 1)}`));
    const two = await led({ max: 2 });
    expect((await two.client().request({ path: chain(1) })).status).toBe(200);
    expect(asked(two)).toHaveLength(3);
    expect(await two.client().request({ path: chain(2) })).toMatchObject({ status: 302 });
    expect(asked(two)).toHaveLength(6);
    const none = await led({ max: 0 });
    expect((await none.client().request({ path: once })).status).toBe(302);
  });

  it('stays within the routes that the policy names', async () => {
    const test = await led({ routes: ['c'] });
    expect((await test.client().request({ path: to('http://x/b') })).status).toBe(302);
    expect((await test.client().request({ path: to('http://x/c') })).status).toBe(200);
  });

  it('goes from a route to another once where the policy says so', async () => {
    const test = await led({ max: 5, newRoutes: true });
    const path = to(`http://x${to(`http://x${to('http://x/b')}`)}`);
    expect((await test.client().request({ path })).status).toBe(302);
    expect(asked(test)).toHaveLength(2); // /a to /a, and not once more
    const again = await led({ max: 5 });
    expect((await again.client().request({ path })).status).toBe(200);
  });

  it.each([
    ['same', 'https', 302],
    ['safe', 'https', 302],
    ['any', 'https', 200],
  ] as const)('from http by schemes %s to %s gives %i', async (schemes, scheme, status) => {
    const test = await led({ schemes });
    expect((await test.client().request({ path: to(`${scheme}://x/b`) })).status).toBe(status);
  });

  it.each([
    ['same', 302],
    ['safe', 200],
    ['any', 200],
  ] as const)('from https by schemes %s to http gives %i', async (schemes, status) => {
    const test = await led({ schemes }, { handler: { forwarding: { client: 'header' } } });
    const headers = { 'x-forwarded-proto': 'https' };
    expect((await test.client().request({ path: to('http://x/b'), headers })).status).toBe(status);
  });

  it('gives the request the fields that the policy names, and takes those that it has not', async () => {
    const test = await led({ copyHeaders: ['X-Token', 'x-gone'] });
    await test.client().request({ path: to('http://x/b'), headers: { 'x-gone': '1', 'x-stays': '2' } });
    const request = asked(test)[1];
    expect(['x-token', 'x-gone', 'x-stays'].map((name) => request?.header(name))).toEqual([
      'given',
      undefined,
      '2',
    ]);
  });

  it('leaves the request as it was where it is not followed', async () => {
    let seen = '';
    const test = await led(
      { copyHeaders: ['x-token'] },
      {
        hooks: {
          complete(stream) {
            const { authority, path, headers } = stream.request;
            seen = `${authority}${path} ${headers.get('x-token') ?? ''} ${headers.has('x-envoy-original-url')}`;
          },
        },
      },
    );
    expect((await test.client().request({ path: to('http://x/nowhere') })).status).toBe(302);
    expect(seen).toBe('test.example/a  false');
  });
});

describe('the body of a request that is led on', () => {
  const post = (path: string, body: string) => ({ method: 'POST', path, body });

  it('goes on, by the same method', async () => {
    const test = await led({ statuses: [307] });
    const answer = await test.client().request(post(to('http://x/b', 307), 'hello'));
    expect(answer.body).toBe('POST /b hello');
    expect(asked(test).map(({ body }) => body)).toEqual(['hello', 'hello']);
    const chunked = await test.client().request({
      method: 'PUT',
      path: to('http://x/b', 307),
      chunks: ['ab', 'c'],
      trailers: { 'x-sum': '7' },
    });
    expect(chunked.body).toBe('PUT /b abc');
  });

  it('is left behind after 303, and the request is GET; HEAD stays', async () => {
    const test = await led({ statuses: [303] });
    await test.client().request(post(to('http://x/b', 303), 'hello'));
    await test.client().request({ method: 'HEAD', path: to('http://x/b', 303) });
    expect(asked(test).map(({ method, body, header }) => [method, body, header('content-length')])).toEqual([
      ['POST', 'hello', '5'],
      ['GET', '', undefined],
      ['HEAD', '', undefined],
      ['HEAD', '', undefined],
    ]);
  });

  it('that is not kept leaves the answer to the caller', async () => {
    const test = await led({}, { handler: { maxReplayBytes: 4 } });
    expect((await test.client().request(post(to('http://x/b'), 'hello'))).status).toBe(302);
    expect((await test.client().request(post(to('http://x/b'), 'hell'))).status).toBe(200);
  });

  it('that is not whole when the answer comes leaves that to the caller', async () => {
    const test = await led({});
    test.upstream(API).close();
    test.network.listen(API, (connection) => {
      connection.send('HTTP/1.1 302 Found\r\nlocation: http://x/c\r\ncontent-length: 2\r\n\r\nno');
    });
    const client = test.client();
    client.raw(`POST /a HTTP/1.1\r\nhost: test\r\ncontent-length: 5\r\n\r\nhel`, 'POST');
    expect(await client.response()).toMatchObject({ status: 302, body: 'no' });
  });

  it('passes the filters of both places', async () => {
    const seen: string[] = [];
    const test = await led(
      { statuses: [303, 307] },
      {
        hooks: {
          requestHeaders({ request: { method, authority, path, bodyLength } }) {
            seen.push(`${method} ${authority}${path} ${bodyLength ?? 'none'}`);
            return CONTINUE;
          },
        },
      },
    );
    for (const status of [307, 303]) await test.client().request(post(to('http://x/b', status), 'hello'));
    expect(seen).toEqual(['POST test.example/a 5', 'POST x/b 5', 'POST test.example/a 5', 'GET x/b none']);
  });

  it('passes filters that take their time, and each place gives its states back', async () => {
    const counts: number[] = [];
    let ended = 0;
    const test = await led(
      { statuses: [307] },
      {
        hooks: {
          async requestHeaders(_stream, _config, state) {
            await Promise.resolve();
            counts.push(++state.count);
            return CONTINUE;
          },
          requestData: () => CONTINUE,
          complete: () => void ended++,
        },
        body: { body: { request: { buffer: 100 } } },
      },
    );
    const client = test.client();
    for (let i = 0; i < 2; i++)
      expect((await client.request(post(to('http://x/b', 307), 'hello'))).body).toBe('POST /b hello');
    expect(counts).toEqual([1, 1, 1, 1]);
    expect(ended).toBe(4);
    expect(test.proxy.stats.streams).toBe(0);
  });

  it('goes on for callers of HTTP/2, whose stream and connection stay theirs', async () => {
    const test = await led({ statuses: [302, 307], max: 2 });
    const client = new Http2Client(test.connect());
    try {
      const body = 'x'.repeat(20_000);
      const path = to(`http://x${to('http://x/b', 307)}`, 307);
      const answers = await Promise.all([
        client.request({ method: 'POST', path, body }),
        client.request({ path: to('http://x/c') }),
      ]);
      expect(answers.map(({ status }) => status)).toEqual([200, 200]);
      expect(answers[0]?.body).toBe(`POST /b ${body}`);
      expect((await client.request({ path: '/b' })).body).toBe('GET /b ');
      expect(test.proxy.stats.streams).toBe(0);
      expect(new Set(test.records.map(({ protocol }) => protocol))).toEqual(new Set(['HTTP/2']));
    } finally {
      client.close();
    }
  });
});

describe('a request that was led on', () => {
  it('ends with its caller', async () => {
    const test = await led({});
    test.upstream(OTHER).answer = () => 'silence';
    const client = test.client();
    client.send({ path: to('http://x/c') });
    await test.upstream(OTHER).next();
    client.connection.close(true);
    await test.clock.advance(1);
    expect(test.proxy.stats.streams).toBe(0);
    expect(test.records.map(({ status, code }) => [status, code])).toEqual([
      [302, ''],
      [0, 'TULLE_DOWNSTREAM_CLOSED'],
    ]);
  });

  it('has the time of its route from then on', async () => {
    const test = await led({});
    test.upstream(OTHER).answer = () => 'silence';
    const client = test.client();
    client.send({ path: to('http://x/c') });
    await test.upstream(OTHER).next();
    await test.clock.advance(15_001);
    expect((await client.response()).status).toBe(504);
  });

  it('lets go of the configuration that it began with', async () => {
    let disposed = 0;
    const test = await led({}, { hooks: { dispose: () => void disposed++ } });
    await test.client().request({ path: to('http://x/b') });
    const { config } = test.proxy;
    await test.proxy.update({ ...config, version: `${config.version}+`, listeners: [] });
    await test.clock.advance(60_000);
    expect(disposed).toBe(1);
  });

  it('had a good answer of its endpoint', async () => {
    const balance = { policy: 'round-robin' } as const;
    const test = await led(
      {},
      { cluster: { balance, outlier: { consecutiveFailures: 2, maxEjectionPercent: 100 } } },
    );
    const ejections = (): number =>
      test.meter.value('tulle_cluster_outlier_detection_ejections_enforced_total', { cluster: 'api' });
    const client = test.client();
    for (const status of [503, 503, 302, 302, 503, 503])
      await client.request({ path: to('http://x/c', status) });
    expect(ejections()).toBe(0);
    for (const status of [503, 503]) await client.request({ path: to('http://x/c', status) });
    expect(ejections()).toBeGreaterThan(0);
  });

  it('goes without what filters of its attempt did', async () => {
    const test = await led(
      {},
      {
        attemptHooks: {
          requestHeaders(stream) {
            stream.request.headers.append('x-attempt', stream.request.path);
            return CONTINUE;
          },
        },
      },
    );
    await test.client().request({ path: to('http://x/b') });
    expect(asked(test).map(({ headerAll }) => headerAll('x-attempt'))).toEqual([['/a'], ['/b']]);
  });
});
