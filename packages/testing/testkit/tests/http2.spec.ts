import { cluster, httpListener, route } from '@tulle/proxy';
import { afterEach, describe, expect, it } from 'vitest';
import {
  fakeClock,
  Http2Client,
  http2Upstream,
  memoryNetwork,
  type Http2Upstream,
  type TestProxy,
} from '../src/index.ts';
import { started } from './support.ts';

const clients: Http2Client[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

/** A caller that speaks HTTP/2. */
export function http2Client(test: TestProxy): Http2Client {
  const client = new Http2Client(test.connect());
  clients.push(client);
  return client;
}

/** One listener, one cluster `api` of one HTTP/2 endpoint. */
async function overHttp2(
  options: { answer?: Http2Upstream['answer']; cluster?: Parameters<typeof cluster>[2] } = {},
): Promise<{ test: TestProxy; upstream: Http2Upstream }> {
  const clock = fakeClock();
  const network = memoryNetwork(clock);
  const upstream = http2Upstream(
    network,
    '10.0.0.1:80',
    options.answer ?? (({ method, target }) => ({ body: `${method} ${target}` })),
  );
  const test = await started({
    clock,
    network,
    listeners: [httpListener({ host: '127.0.0.1', port: 8080, routes: [route('/', 'api')] })],
    clusters: [
      cluster('api', ['10.0.0.1:80'], {
        ...options.cluster,
        pool: { protocol: 'http2', ...options.cluster?.pool },
      }),
    ],
  });
  return { test, upstream };
}

describe('HTTP/2', () => {
  it('serves a caller that speaks it, from an endpoint that speaks HTTP/1', async () => {
    const test = await started({
      listeners: [httpListener({ host: '127.0.0.1', port: 8080, routes: [route('/', 'api')] })],
      clusters: [cluster('api', ['10.0.0.1:80'])],
      upstreams: { '10.0.0.1:80': ({ method, target, body }) => ({ body: `${method} ${target} ${body}` }) },
    });
    const client = http2Client(test);
    const reply = await client.request({ path: '/a?b', method: 'POST', body: 'hello' });
    expect(reply.status).toBe(200);
    expect(reply.body).toBe('POST /a?b hello');
    expect(test.records[0]?.protocol).toBe('HTTP/2');
  });

  it('takes every registered name for an authority, and two for none', async () => {
    const { test, upstream } = await overHttp2();
    const client = http2Client(test);
    const asked = async (host: string): Promise<number> =>
      (await client.request({ headers: { host } })).status;
    expect(await asked('One.test;')).toBe(200);
    expect(await asked("a!$&'()*+=b:81")).toBe(200);
    expect(await asked('a;,b')).toBe(400);
    expect(await asked('a"b')).toBe(400);
    expect(upstream.requests.map((request) => request.header('host'))).toEqual([
      'one.test;',
      "a!$&'()*+=b:81",
    ]);
  });

  it('serves many at a time over one connection each', async () => {
    const { test, upstream } = await overHttp2();
    const client = http2Client(test);
    const replies = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        client.request({ path: `/${i}`, method: 'POST', chunks: ['x', `${i}`] }),
      ),
    );
    expect(replies.map(({ body }) => body)).toEqual(Array.from({ length: 50 }, (_, i) => `POST /${i}`));
    expect(upstream.connections).toHaveLength(1);
    expect(upstream.requests.map(({ body }) => body).toSorted()).toEqual(
      Array.from({ length: 50 }, (_, i) => `x${i}`).toSorted(),
    );
  });

  it('serves a caller that speaks HTTP/1 from an endpoint that speaks HTTP/2', async () => {
    const { test } = await overHttp2({
      answer: ({ body }) => ({ chunks: [body, '!'], trailers: { 'x-sum': '1' } }),
    });
    const client = test.client();
    const reply = await client.request({ method: 'POST', body: 'hello', headers: { te: 'trailers' } });
    expect(reply.body).toBe('hello!');
    expect(reply.trailers).toEqual([['x-sum', '1']]);
    expect((await client.request({ method: 'HEAD' })).status).toBe(200);
  });
});
