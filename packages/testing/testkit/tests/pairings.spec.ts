import { constants } from 'node:http2';
import { CONTINUE } from '@tulle/filter';
import { cluster, httpListener, route } from '@tulle/proxy';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  fakeClock,
  Http2Client,
  http2Upstream,
  httpUpstream,
  memoryNetwork,
  type Http2Upstream,
  type HttpClient,
  type TestProxy,
  type Upstream,
} from '../src/index.ts';
import { filter, started } from './support.ts';

const H2_CANCEL = constants.NGHTTP2_CANCEL;

type Version = 'http1' | 'http2';
const PAIRINGS: readonly (readonly [caller: Version, endpoint: Version])[] = [
  ['http1', 'http1'],
  ['http1', 'http2'],
  ['http2', 'http1'],
  ['http2', 'http2'],
];

const clients: Http2Client[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

interface World {
  readonly test: TestProxy;
  readonly upstream: Upstream;
  client(): HttpClient | Http2Client;
}

/** What a scenario is the same in, whoever speaks what. */
async function world(
  [caller, endpoint]: readonly [Version, Version],
  options: {
    readonly answer?: Upstream['answer'];
    readonly handler?: Partial<Parameters<typeof httpListener>[0]>;
    readonly forward?: Parameters<typeof route>[2];
    readonly cluster?: Parameters<typeof cluster>[2];
  } = {},
): Promise<World> {
  const clock = fakeClock();
  const network = memoryNetwork(clock);
  const serve = endpoint === 'http1' ? httpUpstream : http2Upstream;
  const answer: Upstream['answer'] =
    options.answer ?? (({ method, target, body }) => ({ body: `${method} ${target} ${body}` }));
  const upstream = serve(network, '10.0.0.1:80', answer);
  const test = await started({
    clock,
    network,
    listeners: [
      httpListener({
        host: '127.0.0.1',
        port: 8080,
        routes: [route('/', 'api', options.forward)],
        ...options.handler,
      }),
    ],
    clusters: [cluster('api', ['10.0.0.1:80'], { pool: { protocol: endpoint }, ...options.cluster })],
  });
  return {
    test,
    upstream,
    client() {
      if (caller === 'http1') return test.client();
      const client = new Http2Client(test.connect());
      clients.push(client);
      return client;
    },
  };
}

describe.each(PAIRINGS)('a caller of %s and an endpoint of %s', (caller, endpoint) => {
  const pairing = [caller, endpoint] as const;

  it('exchange heads, bodies and trailers', async () => {
    const { client, upstream, test } = await world(pairing, {
      answer: ({ body }) => ({
        status: 201,
        headers: [
          ['set-cookie', 'a=1'],
          ['set-cookie', 'b=2'],
          ['x-answer', 'yes'],
        ],
        chunks: [body, ' and more'],
        trailers: { 'x-sum': '7' },
      }),
    });
    const reply = await client().request({
      method: 'POST',
      path: '/a?b=c',
      headers: [
        ['x-asked', 'yes'],
        ['te', 'trailers'],
        ...(caller === 'http1' ? ([['connection', 'te, keep-alive']] as [string, string][]) : []),
      ],
      chunks: ['one', 'two'],
      trailers: { 'x-end': '3' },
    });
    expect(reply.status).toBe(201);
    expect(reply.body).toBe('onetwo and more');
    expect(reply.header('x-answer')).toBe('yes');
    expect(reply.headerAll('set-cookie')).toEqual(['a=1', 'b=2']);
    expect(reply.trailers).toEqual([['x-sum', '7']]);
    const [request] = upstream.requests;
    expect(request).toMatchObject({ method: 'POST', target: '/a?b=c', body: 'onetwo' });
    expect(request?.header('host')).toBe('test.example');
    expect(request?.header('x-asked')).toBe('yes');
    expect(request?.header('te')).toBe(endpoint === 'http2' ? 'trailers' : undefined);
    expect(request?.header('connection')).toBeUndefined();
    expect(request?.trailers).toEqual([['x-end', '3']]);
    await test.clock.settle();
    expect(test.records[0]).toMatchObject({
      protocol: caller === 'http2' ? 'HTTP/2' : 'HTTP/1.1',
      status: 201,
      bytesReceived: 6,
      bytesSent: 15,
    });
  });

  it('keep lengths, also where no body follows', async () => {
    const { client, upstream } = await world(pairing, {
      answer: ({ target }) =>
        target === '/304'
          ? { status: 304, headers: { etag: '"x"' } }
          : target === '/204'
            ? { status: 204 }
            : { body: 'hello' },
    });
    const asks = client();
    const got = await asks.request({ method: 'PUT', body: 'abc' });
    expect(got.header('content-length')).toBe('5');
    expect(upstream.requests[0]?.header('content-length')).toBe('3');
    const head = await asks.request({ method: 'HEAD' });
    expect([head.status, head.body]).toEqual([200, '']);
    expect((await asks.request({ path: '/204' })).status).toBe(204);
    const unchanged = await asks.request({ path: '/304' });
    expect([unchanged.status, unchanged.header('etag')]).toEqual([304, '"x"']);
    const empty = await asks.request({ method: 'POST', body: '' });
    expect([empty.status, upstream.requests.at(-1)?.header('content-length')]).toEqual([200, '0']);
  });

  it('use one connection for requests one after the other', async () => {
    const { client, upstream } = await world(pairing);
    const asks = client();
    for (let i = 0; i < 5; i++) expect((await asks.request({ path: `/${i}` })).body).toBe(`GET /${i} `);
    expect(upstream.connections).toHaveLength(1);
  });

  it('see filters work on heads, bodies and trailers, also in their own time', async () => {
    const edit = filter(
      'test.edit',
      {
        requestHeaders: async (stream) => {
          await Promise.resolve();
          stream.request.headers.set('x-edited', 'yes');
          return CONTINUE;
        },
        requestData: async (stream, _config, _state, bytes, end): Promise<typeof CONTINUE> => {
          await Promise.resolve();
          stream.emit(Buffer.from(Buffer.from(bytes).toString().toUpperCase() + (end ? '!' : '')));
          return CONTINUE;
        },
        responseHeaders: async () => {
          await Promise.resolve();
          return CONTINUE;
        },
        responseTrailers: async (stream) => {
          await Promise.resolve();
          stream.response?.trailers?.set('x-more', '2');
          return CONTINUE;
        },
      },
      { body: { request: 'transform' } },
    );
    const { client, upstream } = await world(pairing, {
      answer: () => ({ chunks: ['a', 'b'], trailers: { 'x-sum': '1' } }),
      handler: { filters: [edit({})] },
    });
    const reply = await client().request({ method: 'POST', chunks: ['abc', 'def'] });
    const [request] = upstream.requests;
    expect(request?.header('x-edited')).toBe('yes');
    expect(request?.body).toBe('ABCDEF!');
    expect(reply.body).toBe('ab');
    expect(reply.trailers).toEqual([
      ['x-sum', '1'],
      ['x-more', '2'],
    ]);
  });

  it('get 504 after the request timeout, and the next request is served', async () => {
    const { client, test, upstream } = await world(pairing, {
      answer: ({ target }) => (target === '/never' ? 'silence' : { body: 'ok' }),
      forward: { requestTimeoutMs: 1_000 },
    });
    const asks = client();
    const late = asks.request({ path: '/never' });
    await upstream.next();
    await test.clock.advance(1_000);
    expect((await late).status).toBe(504);
    expect((await client().request({ path: '/' })).body).toBe('ok');
    expect(test.proxy.stats.streams).toBe(0);
  });

  it('end together when the caller goes away', async () => {
    const { client, test, upstream } = await world(pairing, { answer: () => 'silence' });
    const asks = client();
    asks.send({});
    const request = await upstream.next();
    asks.connection.close(true);
    await test.clock.settle();
    expect(test.records[0]).toMatchObject({ code: 'TULLE_DOWNSTREAM_CLOSED', flags: ['DC'], status: 0 });
    expect(test.proxy.stats.streams).toBe(0);
    // An HTTP/2 endpoint keeps the connection for others; only the stream ends.
    if (endpoint === 'http2')
      await vi.waitFor(() => expect((upstream as Http2Upstream).streams[0]?.rstCode).toBe(H2_CANCEL));
    expect(request.connection.ended || request.connection.closed).toBe(endpoint === 'http1');
  });

  it('hold a large response by what the caller takes', async () => {
    const size = 2_000_000;
    const { client, test } = await world(pairing, { answer: () => ({ body: 'y'.repeat(size) }) });
    const asks = client();
    asks.connection.pause();
    const reply = asks.request({});
    await vi.waitFor(() =>
      expect(test.meter.value('tulle_cluster_upstream_flow_control_paused_reading_total')).toBeGreaterThan(0),
    );
    asks.connection.resume();
    expect((await reply).body.length).toBe(size);
  });

  it('pass a large upload on by what the endpoint takes', async () => {
    const size = 2_000_000;
    const { client } = await world(pairing, { answer: ({ body }) => ({ body: String(body.length) }) });
    const reply = await client().request({ method: 'POST', body: 'z'.repeat(size) });
    expect(reply.body).toBe(String(size));
  });

  it('drain without losing a request', async () => {
    const { client, test, upstream } = await world(pairing, { answer: () => 'silence' });
    const asks = client();
    const answer = asks.request({ path: '/slow' });
    const request = await upstream.next();
    const drained = test.proxy.drain({ windowMs: 5_000 });
    await test.clock.advance(4_000);
    if (endpoint === 'http1') request.connection.send('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlate');
    else {
      const [session] = (upstream as Http2Upstream).sessions;
      expect(session?.destroyed).toBe(false);
      (upstream as Http2Upstream).streams[0]?.respond({ ':status': 200 });
      (upstream as Http2Upstream).streams[0]?.end('late');
    }
    expect((await answer).body).toBe('late');
    await test.clock.advance(5_000);
    await drained;
    expect(test.proxy.stats).toMatchObject({ streams: 0, connections: 0 });
  });
});

describe('what HTTP/2 callers send', () => {
  it('in crumbs, a cookie, reaches filters and endpoints as one', async () => {
    const { client, upstream } = await world(['http2', 'http1']);
    await client().request({
      headers: [
        ['cookie', 'a=1'],
        ['cookie', 'b=2'],
      ],
    });
    expect(upstream.requests[0]?.headerAll('cookie')).toEqual(['a=1; b=2']);
  });

  it('too large a head gets 431, and the connection goes on', async () => {
    const { client, test } = await world(['http2', 'http1']);
    const asks = client() as Http2Client;
    await asks.request({});
    const large = asks.session.request({
      ':path': '/',
      ...Object.fromEntries(Array.from({ length: 120 }, (_, i) => [`x-${i}`, 'v'])),
    });
    const status = await new Promise((resolve) => {
      large.on('response', (head) => resolve(head[':status']));
    });
    expect(status).toBe(431);
    expect((await asks.request({})).status).toBe(200);
    expect(test.records[1]?.details).toBe('http2.codec_error{head-lines}');
  });
});
