import { cluster, httpListener, route } from '@tulle/proxy';
import { afterEach, describe, expect, it } from 'vitest';
import { testProxy, type TestProxy, type TestProxyOptions } from '../src/index.ts';

let proxy: TestProxy | undefined;
afterEach(async () => {
  await proxy?.stop();
  proxy = undefined;
});

/** One listener, one cluster, one endpoint. */
async function start(
  options: Partial<TestProxyOptions> & { answer?: NonNullable<TestProxyOptions['upstreams']>[string] } = {},
): Promise<TestProxy> {
  const { answer, ...rest } = options;
  return (proxy = await testProxy({
    listeners: [httpListener({ port: 8080, routes: [route('/', 'api')] })],
    clusters: [cluster('api', ['10.0.0.1:80'])],
    upstreams: { '10.0.0.1:80': answer ?? ((request) => ({ body: `${request.method} ${request.target}` })) },
    ...rest,
  }));
}

describe('forwarding', () => {
  it('passes a request and its response on', async () => {
    const test = await start();
    const response = await test.client().request({ path: '/a?b=c', headers: { 'X-Mine': 'v' } });
    expect(response.status).toBe(200);
    expect(response.body).toBe('GET /a?b=c');
    const [request] = test.upstream('10.0.0.1:80').requests;
    expect(request?.header('x-mine')).toBe('v');
    expect(request?.header('host')).toBe('test.example');
  });

  it('keeps both connections for the next request', async () => {
    const test = await start();
    const client = test.client();
    for (let i = 0; i < 3; i++) expect((await client.request({ path: `/${i}` })).body).toBe(`GET /${i}`);
    expect(test.network.connections('10.0.0.1:80')).toBe(1);
  });

  it('serves pipelined requests in order', async () => {
    const test = await start();
    const client = test.client();
    for (let i = 0; i < 5; i++) client.send({ path: `/${i}` });
    for (let i = 0; i < 5; i++) expect((await client.response()).body).toBe(`GET /${i}`);
  });

  it('passes bodies on in any split of the bytes', async () => {
    const test = await start({
      answer: (request) => ({ chunks: [request.body, 'tail'], trailers: { 'x-sum': '1' } }),
    });
    for (const size of [1, 2, 3, 7, 64]) {
      const client = test.client();
      client.connection.chunk(size);
      client.connection.socket.incoming.chunkBytes = () => size;
      const body = 'x'.repeat(300);
      const sized = await client.request({ method: 'POST', body });
      expect(sized.body).toBe(`${body}tail`);
      expect(sized.trailers).toEqual([['x-sum', '1']]);
      const chunked = await client.request({
        method: 'POST',
        chunks: ['abc', body],
        trailers: { 'x-end': 'yes' },
      });
      expect(chunked.body).toBe(`abc${body}tail`);
      expect(test.upstream('10.0.0.1:80').requests.at(-1)?.trailers).toEqual([['x-end', 'yes']]);
    }
  });

  it('passes a large body on under backpressure without holding it', async () => {
    const body = 'y'.repeat(5_000_000);
    const test = await start({ answer: () => ({ body }) });
    const client = test.client();
    client.connection.pause();
    client.send({});
    await test.clock.settle();
    const upstream = test.upstream('10.0.0.1:80').connections[0];
    expect(upstream?.socket.queuedBytes).toBeGreaterThan(2_000_000);
    client.connection.resume();
    expect((await client.response()).body.length).toBe(body.length);
  });

  it('answers HEAD, 204 and 304 without a body', async () => {
    const test = await start({
      answer: (request) =>
        request.target === '/204'
          ? { status: 204 }
          : request.target === '/304'
            ? { status: 304 }
            : { body: 'hello' },
    });
    const client = test.client();
    const head = await client.request({ method: 'HEAD' });
    expect([head.status, head.header('content-length'), head.body]).toEqual([200, '5', '']);
    expect((await client.request({ path: '/204' })).status).toBe(204);
    expect((await client.request({ path: '/304' })).status).toBe(304);
    expect((await client.request()).body).toBe('hello');
  });

  it('sets what it knows of the caller and removes what the caller claims', async () => {
    const test = await start();
    await test.client({ host: '192.0.2.7' }).request({
      headers: {
        'X-Forwarded-For': '10.1.1.1',
        'X-Tulle-Secret': 'x',
        Forwarded: 'for=1',
        'X-Forwarded-Client-Cert': 'URI=spiffe://evil',
        'X-Forwarded-Proto': 'https',
        Connection: 'x-drop',
        'X-Drop': '1',
      },
    });
    const request = test.upstream('10.0.0.1:80').requests[0];
    expect(request?.headerAll('x-forwarded-for')).toEqual(['192.0.2.7']);
    expect(request?.headerAll('x-forwarded-proto')).toEqual(['http']);
    for (const name of ['x-tulle-secret', 'forwarded', 'x-forwarded-client-cert', 'x-drop', 'connection'])
      expect(request?.header(name)).toBeUndefined();
    expect(request?.header('x-request-id')).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
  });

  it('writes one record a request', async () => {
    const test = await start();
    await test.client().request({ path: '/p?q=1', headers: { 'user-agent': 'ua' } });
    expect(test.records).toHaveLength(1);
    const record = test.records[0];
    expect(record).toMatchObject({
      method: 'GET',
      path: '/p',
      query: 'q=1',
      status: 200,
      code: '',
      cluster: 'api',
      upstreamAddress: '10.0.0.1:80',
      listener: 'http',
      routeName: '/',
      bytesSent: 10,
      attempts: [{ address: '10.0.0.1:80', status: 200, failure: '', reused: false }],
    });
    expect(record?.requestHeader('user-agent')).toBe('ua');
  });

  it('closes the connection to an HTTP/1.0 client, and keeps it when asked', async () => {
    const test = await start();
    const old = test.client().raw('GET / HTTP/1.0\r\n\r\n');
    const response = await old.response();
    expect(response.header('connection')).toBe('close');
    await old.connection.over();
    const kept = test.client().raw('GET / HTTP/1.0\r\nConnection: keep-alive\r\nHost: a\r\n\r\n');
    expect((await kept.response()).header('connection')).toBe('keep-alive');
    expect(
      (await kept.raw('GET /2 HTTP/1.0\r\nConnection: keep-alive\r\nHost: a\r\n\r\n').response()).body,
    ).toBe('GET /2');
  });

  it('answers what no route matches with 404, and nobody upstream hears of it', async () => {
    const test = await start({ listeners: [httpListener({ port: 8080, routes: [route('/a', 'api')] })] });
    const response = await test.client().request({ path: '/b' });
    expect(response.status).toBe(404);
    expect(response.body).toContain('TULLE_ROUTE_NOT_FOUND');
    expect(test.upstream('10.0.0.1:80').requests).toHaveLength(0);
    expect(test.records[0]).toMatchObject({ code: 'TULLE_ROUTE_NOT_FOUND', flags: ['NR'], status: 404 });
  });

  it('serves the request of a caller that half-closes after it', async () => {
    const test = await start();
    const client = test.client();
    client.send({ path: '/half' });
    client.connection.end();
    expect((await client.response()).body).toBe('GET /half');
    await client.connection.over();
  });

  it('aborts the attempt when the caller goes away', async () => {
    const test = await start({ answer: () => 'silence' });
    const client = test.client();
    client.send({});
    await test.upstream('10.0.0.1:80').next();
    client.connection.close(true);
    await test.upstream('10.0.0.1:80').connections[0]?.over();
    expect(test.records[0]).toMatchObject({ code: 'TULLE_DOWNSTREAM_CLOSED', flags: ['DC'], status: 0 });
    expect(test.proxy.stats.streams).toBe(0);
  });
});
