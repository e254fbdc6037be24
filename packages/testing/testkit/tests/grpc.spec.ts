import { CONTINUE, DELIVER, RETRY } from '@tulle/filter';
import { cluster, httpListener, route } from '@tulle/proxy';
import { describe, expect, it } from 'vitest';
import {
  fakeClock,
  Http2Client,
  http2Upstream,
  memoryNetwork,
  type Answer,
  type TestRequest,
  type TestResponse,
} from '../src/index.ts';
import { filter, simple, started } from './support.ts';

const TYPE = { 'content-type': 'application/grpc' };
const CALL: TestRequest = { method: 'POST', path: '/pkg.Svc/Do', headers: TYPE, chunks: ['message'] };

/** A whole answer of a service: messages, then its status in trailers. */
function answered(status: number, message = '', chunks: readonly string[] = ['reply']): Answer {
  return {
    headers: TYPE,
    chunks,
    trailers: { 'grpc-status': String(status), ...(message === '' ? {} : { 'grpc-message': message }) },
  };
}

/** Its status alone. */
function refused(status: number): Answer {
  return { headers: { ...TYPE, 'grpc-status': String(status), 'grpc-message': 'no' } };
}

function told(response: TestResponse): unknown[] {
  return [response.status, response.header('grpc-status'), response.header('grpc-message'), response.body];
}

describe('an answer of the proxy to a gRPC caller', () => {
  it.each([
    ['application/grpc', true],
    ['application/grpc+proto', true],
    ['application/grpc;charset=utf-8', true],
    ['application/grpc-web', false],
    ['application/grpcx', false],
    ['application/json', false],
  ])('has gRPC form for content type %s: %s', async (type, grpc) => {
    const test = await started({
      listeners: [httpListener({ port: 8080, routes: [route('/other', 'api')] })],
      clusters: [cluster('api', ['10.0.0.1:80'])],
    });
    const response = await test.client().request({ ...CALL, headers: { 'content-type': type } });
    const { requestId } = test.records[0] ?? {};
    const text = `TULLE_ROUTE_NOT_FOUND (request ${requestId})`;
    expect(told(response)).toEqual(grpc ? [200, '12', text, ''] : [404, undefined, undefined, `${text}\n`]);
    expect(response.header('content-type')).toBe(grpc ? 'application/grpc' : 'text/plain; charset=utf-8');
    expect(test.records[0]).toMatchObject({
      status: grpc ? 200 : 404,
      grpcStatus: grpc ? 12 : -1,
      code: 'TULLE_ROUTE_NOT_FOUND',
      flags: ['NR'],
    });
  });

  it('is not in gRPC form where the method is not that of a call', async () => {
    const test = await started({ listeners: [httpListener({ port: 8080, routes: [] })], clusters: [] });
    expect((await test.client().request({ path: '/', headers: TYPE })).status).toBe(404);
  });

  it.each([
    [400, 'BAD', 13],
    [401, 'BAD', 16],
    [403, 'BAD', 7],
    [404, 'BAD', 12],
    [429, 'BAD', 14],
    [502, 'BAD', 14],
    [503, 'BAD', 14],
    [504, 'BAD', 14],
    [418, 'BAD', 2],
    [200, 'BAD', 2],
    [302, 'BAD', 2],
    [403, 'TULLE_AUTHZ_DENIED', 7],
    // Another status than the row has is mapped, whatever the code.
    [404, 'TULLE_AUTHZ_DENIED', 12],
    [413, 'TULLE_BODY_TOO_LARGE', 8],
  ])('of a filter with status %i and code %s has gRPC status %i', async (status, code, expected) => {
    const test = await simple({
      handler: {
        filters: [
          filter('deny', {
            requestHeaders: (stream) => stream.reply(status, code, 'näh: 5 % zu spät', ['x-why', 'because']),
          })({}),
        ],
      },
    });
    const response = await test.client().request(CALL);
    expect(told(response)).toEqual([200, String(expected), 'n%C3%A4h: 5 %25 zu sp%C3%A4t', '']);
    expect(response.header('x-why')).toBe('because');
    expect(test.records[0]).toMatchObject({ status: 200, grpcStatus: expected, code });
  });

  it('is left to a filter that answers as gRPC itself', async () => {
    const test = await simple({
      handler: {
        filters: [
          filter('answer', {
            requestHeaders: (stream) =>
              stream.reply(200, 'TULLE_LOCAL_REPLY', '', [
                'content-type',
                'application/grpc+proto',
                'grpc-status',
                '9',
              ]),
          })({}),
        ],
      },
    });
    expect(told(await test.client().request(CALL))).toEqual([200, '9', undefined, '']);
    expect(test.records[0]?.grpcStatus).toBe(9);
  });

  it('keeps a message of bearable length, cut between characters', async () => {
    const test = await simple({
      handler: {
        filters: [
          filter('long', { requestHeaders: (stream) => stream.reply(503, 'X', `x${'ä'.repeat(5_000)}`) })({}),
        ],
      },
    });
    const response = await test.client().request(CALL);
    const message = decodeURIComponent(response.header('grpc-message') ?? '');
    expect(message).toBe(`x${'ä'.repeat(511)}`);
  });

  it('is what policies for local replies make of it, in gRPC form', async () => {
    const test = await started({
      listeners: [
        httpListener({
          port: 8080,
          routes: [],
          localReplies: {
            mappers: [{ match: { minStatus: 404 }, status: 403, body: 'not for you' }],
            format: { text: 'sorry: %LOCAL_REPLY_BODY% (%RESPONSE_CODE%)' },
          },
        }),
      ],
      clusters: [],
    });
    expect(told(await test.client().request(CALL))).toEqual([200, '7', 'sorry: not for you (403)', '']);
  });

  it('is seen in gRPC form by filters in the response phase', async () => {
    const seen: unknown[] = [];
    const test = await started({
      listeners: [
        httpListener({
          port: 8080,
          routes: [],
          filters: [
            filter(
              'see',
              {
                responseHeaders: ({ response }) => {
                  seen.push(response.status, response.headers.get('grpc-status'), response.origin);
                  return CONTINUE;
                },
              },
              { unrouted: true },
            )({}),
          ],
        }),
      ],
      clusters: [],
    });
    await test.client().request(CALL);
    expect(seen).toEqual([200, '12', 'local']);
  });

  it('tells of an endpoint that is not there, or breaks off, as UNAVAILABLE', async () => {
    const test = await simple({ answer: () => 'reset' });
    expect(told(await test.client().request(CALL)).slice(0, 2)).toEqual([200, '14']);
    test.network.refuse('10.0.0.1:80', {});
    expect(told(await test.client().request(CALL)).slice(0, 2)).toEqual([200, '14']);
    expect(test.records.map(({ grpcStatus, code }) => [grpcStatus, code])).toEqual([
      [14, 'TULLE_UPSTREAM_RESET'],
      [14, 'TULLE_UPSTREAM_CONNECT'],
    ]);
  });
});

describe('the status of a call', () => {
  it.each<[string, Answer, number]>([
    ['in trailers', answered(0), 0],
    ['in trailers, of an error', answered(5, 'gone'), 5],
    ['in the head', refused(14), 14],
    ['that is none of gRPC', answered(99), 2],
    ['missing', { headers: TYPE, chunks: ['reply'] }, 2],
    ['missing, HTTP 503', { status: 503, body: 'busy' }, 14],
    ['missing, HTTP 404', { status: 404, body: 'what?' }, 12],
  ])('%s goes through as it is, and into the record', async (_, answer, expected) => {
    const test = await simple({ answer: () => answer });
    const response = await test.client().request(CALL);
    const { status = 200, trailers = {} } = answer as Exclude<Answer, string>;
    expect(response.status).toBe(status);
    expect(Object.fromEntries(response.trailers)).toEqual(trailers);
    expect(test.records[0]).toMatchObject({ grpcStatus: expected, code: '' });
  });

  it('is none of a request that is no call, whatever the answer says', async () => {
    const test = await simple({ answer: () => refused(14) });
    await test.client().request();
    expect(test.records[0]?.grpcStatus).toBe(-1);
  });

  it.each([
    [2, true],
    [4, true],
    [12, true],
    [13, true],
    [14, true],
    [15, true],
    [0, false],
    [1, false],
    [3, false],
    [5, false],
    [7, false],
    [8, false],
    [16, false],
  ])('%i speaks against the endpoint: %s', async (status, ejects) => {
    for (const answer of [answered(status), refused(status)]) {
      const test = await simple({
        endpoints: ['10.0.0.1:80', '10.0.0.2:80'],
        answer: () => answer,
        cluster: { outlier: { consecutiveFailures: 2, maxEjectionPercent: 50 } },
      });
      const client = test.client();
      for (let i = 0; i < 4; i++) await client.request(CALL);
      expect(test.meter.value('tulle_cluster_outlier_detection_ejections_active', { cluster: 'api' })).toBe(
        ejects ? 1 : 0,
      );
    }
  });

  it('is CANCELLED when the caller went away before there was one', async () => {
    const test = await simple({ answer: () => 'silence' });
    const client = test.client();
    client.send(CALL);
    await test.upstream('10.0.0.1:80').next();
    client.connection.close(true);
    await test.clock.settle();
    expect(test.records[0]).toMatchObject({ status: 0, grpcStatus: 1, code: 'TULLE_DOWNSTREAM_CLOSED' });
  });

  it('is said in trailers when the response breaks behind its head', async () => {
    const test = await simple({
      answer: ({ connection }) => {
        connection.send(
          'HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ntransfer-encoding: chunked\r\n\r\n5\r\nreply\r\n',
        );
        return 'reset';
      },
    });
    const response = await test.client().request(CALL);
    expect([response.status, response.body]).toEqual([200, 'reply']);
    const trailers = Object.fromEntries(response.trailers);
    expect(trailers['grpc-status']).toBe('14');
    expect(trailers['grpc-message']).toMatch(/^TULLE_UPSTREAM_RESET_AFTER_START: .* \(request .*\)$/);
    expect(test.records[0]).toMatchObject({ grpcStatus: 14, code: 'TULLE_UPSTREAM_RESET_AFTER_START' });
    // The same without gRPC is a broken message.
    await expect(test.client().request({})).rejects.toThrow();
  });
});

it('a caller that takes nothing is cut, and not kept for the sake of trailers', async () => {
  const test = await simple({
    handler: { streamIdleTimeoutMs: 5_000 },
    answer: ({ connection }) => {
      connection.send(
        `HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ntransfer-encoding: chunked\r\n\r\n200000\r\n${'z'.repeat(0x200000)}\r\n`,
      );
      return 'silence';
    },
  });
  const client = test.client();
  client.connection.pause();
  client.send(CALL);
  // It took some before it was asked first.
  await test.clock.advance(10_200);
  expect(test.records[0]).toMatchObject({ grpcStatus: 4, code: 'TULLE_STREAM_IDLE' });
  client.connection.resume();
  await client.connection.over();
  expect(client.connection.received).not.toContain('grpc-status');
});

describe('a deadline', () => {
  const asks = (timeout: string, more: Partial<TestRequest> = {}): TestRequest => ({
    ...CALL,
    headers: { ...TYPE, 'grpc-timeout': timeout },
    ...more,
  });

  it.each([
    ['1S', 1_000],
    ['500m', 500],
    ['2000000u', 2_000],
    ['99999999n', 100],
  ])('of %s ends the call after %i ms with DEADLINE_EXCEEDED', async (timeout, ms) => {
    const test = await simple({ answer: () => 'silence' });
    const client = test.client();
    const response = client.request(asks(timeout));
    await test.upstream('10.0.0.1:80').next();
    await test.clock.advance(ms - 20);
    expect(test.records).toHaveLength(0);
    await test.clock.advance(40);
    expect(told(await response).slice(0, 2)).toEqual([200, '4']);
    expect(test.records[0]).toMatchObject({ grpcStatus: 4, code: 'TULLE_REQUEST_TIMEOUT', flags: ['UT'] });
  });

  it('runs from the beginning, also while the caller is still sending, and behind the head', async () => {
    const test = await simple({ answer: () => 'silence' });
    const client = test.client();
    client.raw(
      'POST /a.B/C HTTP/1.1\r\nhost: x\r\ncontent-type: application/grpc\r\ngrpc-timeout: 300m\r\ntransfer-encoding: chunked\r\n\r\n',
      'POST',
    );
    const response = client.response();
    await test.clock.advance(320);
    expect(told(await response).slice(0, 2)).toEqual([200, '4']);

    const streaming = await simple({
      answer: ({ connection }) => {
        connection.send(
          'HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n',
        );
        return 'silence';
      },
    });
    const streamed = streaming.client().request(asks('300m'));
    await streaming.clock.advance(320);
    const { body, trailers } = await streamed;
    expect([body, Object.fromEntries(trailers)['grpc-status']]).toEqual(['one', '4']);
  });

  it("is the route's timeout where that is shorter, and its maximum where the caller asks for more", async () => {
    const over = async (
      forward: Parameters<typeof route>[2],
      timeout: string,
    ): Promise<[number, string | undefined]> => {
      const test = await simple({ answer: () => 'silence', forward });
      const response = test.client().request(asks(timeout));
      const { header } = await test.upstream('10.0.0.1:80').next();
      while (test.records.length === 0) await test.clock.advance(10);
      await response;
      return [Math.round((test.records[0]?.durationMs ?? 0) / 100) * 100, header('grpc-timeout')];
    };
    expect(await over({ requestTimeoutMs: 500 }, '10S')).toEqual([500, '500m']);
    expect(await over({ requestTimeoutMs: 500 }, '200m')).toEqual([200, '200m']);
    expect(await over({ requestTimeoutMs: 0, maxGrpcTimeoutMs: 700 }, '10S')).toEqual([700, '700m']);
    expect(await over({ maxGrpcTimeoutMs: 700 }, '300000u')).toEqual([300, '300000u']);
    expect(await over({ perTryTimeoutMs: 400 }, '2S')).toEqual([400, '400m']);
  });

  it('does without one: a call without a deadline is not cut at the default for other requests', async () => {
    const test = await simple({
      answer: ({ connection }) => {
        connection.send(
          'HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n',
        );
        return 'silence';
      },
    });
    void test
      .client()
      .request(CALL)
      .catch(() => undefined);
    await test.clock.advance(60_000);
    expect(test.records).toHaveLength(0);
    void test
      .client()
      .request({})
      .catch(() => undefined);
    await test.clock.advance(16_000);
    expect(test.records.map(({ code }) => code)).toEqual(['TULLE_REQUEST_TIMEOUT']);
  });

  it('is told to each endpoint less what has passed', async () => {
    const slow = filter('slow', {
      requestHeaders: () => new Promise((resolve) => clock.setTimer(100, () => resolve(CONTINUE))),
    });
    const test = await simple({ handler: { filters: [slow({})] }, answer: () => answered(0) });
    const { clock } = test;
    const response = test.client().request(asks('1S'));
    await clock.advance(150);
    await response;
    const passed = Number.parseInt(
      test.upstream('10.0.0.1:80').requests[0]?.header('grpc-timeout') ?? '',
      10,
    );
    expect(passed).toBeGreaterThan(850);
    expect(passed).toBeLessThanOrEqual(900);
  });

  it('is told to a further attempt less what the first one took, and leaves none where it would be over', async () => {
    const again = filter(
      'again',
      {
        attemptEnd: ({ attempt }) => {
          if (attempt.grpcStatus !== 14) return DELIVER;
          attempt.retryDelayMs = 250;
          return RETRY;
        },
      },
      { scope: 'attempt', retriesGrpc: () => true },
    );
    const test = await simple({
      handler: { filters: [again({})] },
      answer: () => new Promise((resolve) => clock.setTimer(200, () => resolve(refused(14)))),
    });
    const { clock } = test;
    const response = test.client().request(asks('700m'));
    await clock.advance(1_000);
    expect(told(await response).slice(0, 2)).toEqual([200, '14']);
    const left = test
      .upstream('10.0.0.1:80')
      .requests.map((request) => Number.parseInt(request.header('grpc-timeout') ?? '', 10));
    expect(left).toHaveLength(2);
    expect(left[0]).toBe(700);
    expect(left[1]).toBeGreaterThan(210);
    expect(left[1]).toBeLessThanOrEqual(250);
    expect(test.records[0]).toMatchObject({ grpcStatus: 14, retryRefused: 'timeout' });
  });

  it.each(['', '5', 'S', '123456789S', '-1S', '1.5S', '1 S', '1s'])(
    'that is none, "%s", is left to the service',
    async (timeout) => {
      const test = await simple({ answer: () => answered(0) });
      expect((await test.client().request(asks(timeout))).status).toBe(200);
      expect(test.upstream('10.0.0.1:80').requests[0]?.header('grpc-timeout')).toBe(timeout);
    },
  );
});

describe('over HTTP/2', () => {
  it('a call and its copies say that they take trailers, and a refusal ends with its head', async () => {
    const clock = fakeClock();
    const network = memoryNetwork(clock);
    const upstream = http2Upstream(network, '10.0.0.1:80', () => answered(0));
    const shadow = http2Upstream(network, '10.0.0.2:80', () => answered(0));
    const pool = { protocol: 'http2' as const };
    const test = await started({
      clock,
      network,
      listeners: [
        httpListener({
          host: '127.0.0.1',
          port: 8080,
          routes: [route('/pkg.Svc', 'api', { mirrors: [{ cluster: 'shadow' }] })],
        }),
      ],
      clusters: [cluster('api', ['10.0.0.1:80'], { pool }), cluster('shadow', ['10.0.0.2:80'], { pool })],
    });
    const client = new Http2Client(test.connect());
    try {
      const done = await client.request(CALL);
      expect([done.status, Object.fromEntries(done.trailers)]).toEqual([200, { 'grpc-status': '0' }]);
      const copied = await shadow.next();
      expect([upstream.requests[0]?.header('te'), copied.header('te')]).toEqual(['trailers', 'trailers']);
      const refusal = await new Promise<[ended: boolean, status: unknown]>((resolve) => {
        const stream = client.open({ ...CALL, path: '/other.Svc/Do' });
        stream.on('response', (fields, flags) =>
          // END_STREAM (RFC 9113 §6.2)
          resolve([(flags & 1) === 1, fields['grpc-status']]),
        );
      });
      expect(refusal).toEqual([true, '12']);
    } finally {
      client.close();
    }
  });
});
