import { DELIVER, RETRY } from '@tulle/filter';
import { cluster, httpListener, route } from '@tulle/proxy';
import { afterEach, describe, expect, it } from 'vitest';
import {
  fakeClock,
  Http2Client,
  http2Upstream,
  httpUpstream,
  memoryNetwork,
  type Answer,
  type TestProxy,
  type TestRequest,
  type TestResponse,
  type Upstream,
} from '../src/index.ts';
import { filter, started } from './support.ts';

const TYPE = { 'content-type': 'application/grpc' };
const CALL: TestRequest = { method: 'POST', path: '/a.B/C', headers: TYPE, chunks: ['first', 'second'] };

const again = filter(
  'again',
  {
    attemptEnd: ({ attempt }) => {
      if (attempt.grpcStatus !== 14 || attempt.number > 2) return DELIVER;
      attempt.retryDelayMs = 1;
      return RETRY;
    },
  },
  { scope: 'attempt', retriesGrpc: () => true },
);

const clients: Http2Client[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

/** Status in the head, status in the trailers, body. */
const told = (response: TestResponse): unknown[] => [
  response.header('grpc-status'),
  Object.fromEntries(response.trailers)['grpc-status'],
  response.body,
];

describe.each([
  ['http1', 'http1'],
  ['http1', 'http2'],
  ['http2', 'http1'],
  ['http2', 'http2'],
] as const)('a gRPC caller of %s and a service of %s', (caller, endpoint) => {
  async function call(
    answer: (calls: number) => Answer | Promise<Answer>,
    request: TestRequest = CALL,
    passMs = 0,
    more: Parameters<typeof cluster>[2] = {},
  ): Promise<{ response: TestResponse; upstream: Upstream; test: TestProxy }> {
    const clock = fakeClock();
    const network = memoryNetwork(clock);
    const serve = endpoint === 'http1' ? httpUpstream : http2Upstream;
    let calls = 0;
    const upstream = serve(network, '10.0.0.1:80', () => answer(++calls));
    serve(network, '10.0.0.2:80', () => answer(++calls));
    const test = await started({
      clock,
      network,
      listeners: [
        httpListener({
          host: '127.0.0.1',
          port: 8080,
          routes: [route('/a.B', 'api')],
          filters: [again({})],
        }),
      ],
      // One that is alone is never ejected.
      clusters: [
        cluster('api', ['10.0.0.1:80', ...(more.outlier === undefined ? [] : ['10.0.0.2:80'])], {
          pool: { protocol: endpoint },
          ...more,
        }),
      ],
    });
    let client: Pick<Http2Client, 'request'>;
    if (caller === 'http1') client = test.client();
    else {
      const http2 = new Http2Client(test.connect());
      clients.push(http2);
      client = http2;
    }
    const response = client.request(request);
    response.catch(() => {});
    if (passMs > 0) {
      await upstream.next();
      await clock.advance(passMs);
    } else await clock.advance(50);
    return { response: await response, upstream, test };
  }

  it('get on: messages, then the status in trailers', async () => {
    const { response, upstream, test } = await call(() => ({
      headers: TYPE,
      chunks: ['one', 'two'],
      trailers: { 'grpc-status': '0' },
    }));
    expect(told(response)).toEqual([undefined, '0', 'onetwo']);
    expect(upstream.requests[0]?.body).toBe('firstsecond');
    expect(test.records[0]).toMatchObject({ grpcStatus: 0, code: '' });
  });

  it('have their messages counted, however they are cut', async () => {
    const message = (text: string): string => String.fromCharCode(0, 0, 0, 0, text.length) + text;
    const { test } = await call(
      () => ({
        headers: TYPE,
        chunks: [message('one') + message('').slice(0, 3), message('').slice(3) + message('three')],
        trailers: { 'grpc-status': '0' },
      }),
      { ...CALL, chunks: [message('first').slice(0, 7), message('first').slice(7) + message('second')] },
    );
    expect(test.records[0]).toMatchObject({ requestMessages: 2, responseMessages: 3 });
  });

  it('get on about refusals, in the head and in trailers', async () => {
    const head = await call(() => ({ headers: { ...TYPE, 'grpc-status': '5' } }));
    expect(told(head.response)).toEqual(['5', undefined, '']);
    const trailers = await call(() => ({ headers: TYPE, chunks: ['x'], trailers: { 'grpc-status': '9' } }));
    expect(told(trailers.response)).toEqual([undefined, '9', 'x']);
    expect([head, trailers].map(({ test }) => test.records[0]?.grpcStatus)).toEqual([5, 9]);
  });

  it.each([
    [14, 1],
    [5, 0],
  ])('count status %i in trailers against the endpoint: %i', async (status, ejected) => {
    const { test } = await call(
      () => ({ headers: TYPE, chunks: ['x'], trailers: { 'grpc-status': String(status) } }),
      CALL,
      0,
      { outlier: { consecutiveFailures: 1, maxEjectionPercent: 50 } },
    );
    expect(test.meter.value('tulle_cluster_outlier_detection_ejections_active', { cluster: 'api' })).toBe(
      ejected,
    );
  });

  it('get a further try after a status that is named, with the whole message', async () => {
    const { response, upstream, test } = await call((calls) =>
      calls < 3
        ? { headers: { ...TYPE, 'grpc-status': '14' } }
        : { headers: TYPE, chunks: ['third'], trailers: { 'grpc-status': '0' } },
    );
    expect(told(response)).toEqual([undefined, '0', 'third']);
    expect(upstream.requests.map(({ body }) => body)).toEqual(['firstsecond', 'firstsecond', 'firstsecond']);
    expect(test.records[0]?.attempts.map(({ grpcStatus }) => grpcStatus)).toEqual([14, 14, -1]);
  });

  it('are told of the proxy in words of gRPC: no route, no endpoint, no time', async () => {
    const lost = await call(() => ({}), { ...CALL, path: '/c.D/E' });
    expect(told(lost.response)).toEqual(['12', undefined, '']);
    const late = await call(
      () => new Promise<Answer>(() => {}),
      { ...CALL, headers: { ...TYPE, 'grpc-timeout': '300m' } },
      320,
    );
    expect(told(late.response)).toEqual(['4', undefined, '']);
    expect(late.upstream.requests[0]?.header('grpc-timeout')).toBe('300m');
    expect(late.test.records[0]).toMatchObject({ grpcStatus: 4, code: 'TULLE_REQUEST_TIMEOUT' });
  });
});
