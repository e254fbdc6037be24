import { CONTINUE, DELIVER, RETRY } from '@tulle/filter';
import type { Route } from '@tulle/model';
import { cluster, httpListener, route } from '@tulle/proxy';
import { describe, expect, it } from 'vitest';
import { filter, simple, started } from './support.ts';

/** Asks for a retry whenever an attempt failed or was answered with 5xx. */
const eager = (max = 10, delayMs = 10) =>
  filter(
    'eager',
    {
      attemptEnd: (stream) => {
        const { attempt } = stream;
        if (attempt.number > max || (attempt.failure === undefined && attempt.status < 500)) return DELIVER;
        attempt.retryDelayMs = delayMs;
        return RETRY;
      },
    },
    { scope: 'attempt' },
  )({});

describe('fields that filters of attempts edit', () => {
  it('are those of this request also where the first attempt has no endpoint, never those of one before', async () => {
    const signs = filter(
      'signs',
      {
        requestHeaders(stream) {
          stream.request.headers.append('x-attempt', String(stream.attempt.number));
          return CONTINUE;
        },
        attemptEnd(stream) {
          if (stream.attempt.number > 20 || stream.attempt.failure === undefined) return DELIVER;
          stream.attempt.retryDelayMs = 100;
          return RETRY;
        },
      },
      { scope: 'attempt' },
    )({});
    const test = await started({
      listeners: [
        httpListener({ port: 8080, filters: [signs], routes: [route('/late', 'late'), route('/', 'api')] }),
      ],
      clusters: [
        cluster('api', ['10.0.0.1:80']),
        {
          name: 'late',
          discovery: {
            kind: 'dns',
            use: 'all',
            refreshMs: 100,
            endpoints: [{ address: { host: 'late.test', port: 80 } }],
          },
        },
      ],
      upstreams: { '10.0.0.1:80': () => ({ body: 'ok' }) },
    });
    await test.client().request({ headers: { cookie: 'of=a' } });
    const answered = test.client().request({ path: '/late', headers: { cookie: 'of=b' } });
    await test.clock.advance(50);
    test.network.names.set('late.test', ['10.0.0.1']);
    await test.clock.advance(5_000);
    expect((await answered).status).toBe(200);
    const [first, second] = test.upstream('10.0.0.1:80').requests;
    expect([first?.header('cookie'), second?.header('cookie')]).toEqual(['of=a', 'of=b']);
    expect(second?.headerAll('x-attempt')).toHaveLength(1);
  });
});

describe('retries', () => {
  it('go to another endpoint after a refused connection, for any method', async () => {
    const test = await simple({
      endpoints: ['10.0.0.1:80', '10.0.0.2:80'],
      cluster: { balance: { policy: 'round-robin' } },
      handler: { filters: [eager()] },
    });
    test.network.refuse('10.0.0.1:80', {});
    const client = test.client();
    for (let i = 0; i < 4; i++) {
      const answered = client.request({ method: 'POST', body: 'pay' });
      await test.clock.advance(50);
      expect((await answered).status).toBe(200);
    }
    expect(test.upstream('10.0.0.2:80').requests.map((request) => request.body)).toEqual([
      'pay',
      'pay',
      'pay',
      'pay',
    ]);
    const retried = test.records.find((record) => record.attempts.length === 2);
    expect(retried?.attempts[0]).toMatchObject({
      address: '10.0.0.1:80',
      failure: 'TULLE_UPSTREAM_CONNECT',
      status: 0,
    });
    expect(retried?.code).toBe('');
  });

  it('repeat an idempotent request with its body after a 503, and a reset', async () => {
    let count = 0;
    const test = await simple({
      answer: () => {
        count++;
        return count === 1 ? { status: 503, body: 'busy' } : count === 2 ? 'reset' : { body: 'done' };
      },
      handler: { filters: [eager()] },
    });
    const answered = test.client().request({ method: 'PUT', body: 'state' });
    await test.clock.advance(100);
    expect((await answered).body).toBe('done');
    expect(test.upstream('10.0.0.1:80').requests.map((request) => request.body)).toEqual([
      'state',
      'state',
      'state',
    ]);
  });

  it('never repeat a POST that was sent', async () => {
    const test = await simple({ answer: () => 'reset', handler: { filters: [eager()] } });
    const response = await test.client().request({ method: 'POST', body: 'pay' });
    expect(response.status).toBe(503);
    expect(test.upstream('10.0.0.1:80').requests).toHaveLength(1);
    expect(test.records[0]).toMatchObject({
      code: 'TULLE_UPSTREAM_RESET',
      flags: ['UC'],
      retryRefused: 'unsafe',
    });
  });

  it('repeat a POST with its body by its Idempotency-Key, only where the route trusts it, and only by one', async () => {
    const send = async (trustIdempotencyKey: boolean, keys: readonly string[]) => {
      let count = 0;
      const test = await simple({
        answer: () => ((count += 1) === 1 ? 'reset' : { body: 'paid' }),
        handler: {
          filters: [eager()],
          routes: [
            {
              name: 'pay',
              match: { path: { kind: 'prefix', value: '/' } },
              action: { kind: 'forward', clusters: [{ name: 'api' }], trustIdempotencyKey },
            },
          ],
        },
      });
      const answered = test.client().request({
        method: 'POST',
        body: 'pay',
        headers: keys.map((key): [string, string] => ['idempotency-key', key]),
      });
      await test.clock.advance(50);
      const { status } = await answered;
      return {
        status,
        bodies: test.upstream('10.0.0.1:80').requests.map(({ body }) => body),
        refused: test.records[0]?.retryRefused ?? '',
      };
    };
    expect(await send(true, ['"8e03978e"'])).toEqual({ status: 200, bodies: ['pay', 'pay'], refused: '' });
    const once = { status: 503, bodies: ['pay'], refused: 'unsafe' };
    expect(await send(false, ['"8e03978e"'])).toEqual(once);
    expect(await send(true, [])).toEqual(once);
    expect(await send(true, [''])).toEqual(once);
    expect(await send(true, ['"a"', '"b"'])).toEqual(once);
  });

  it('are refused past the replay cap; the body still arrives whole', async () => {
    const test = await simple({
      answer: () => ({ status: 503 }),
      handler: { filters: [eager()], maxReplayBytes: 1_000 },
    });
    const response = await test.client().request({ method: 'PUT', body: 'x'.repeat(5_000) });
    expect(response.status).toBe(503);
    expect(test.upstream('10.0.0.1:80').requests[0]?.body.length).toBe(5_000);
    expect(test.records[0]?.retryRefused).toBe('replay');
    expect(test.meter.value('tulle_replay_overflow_total')).toBe(1);
  });

  it('stop at the budget', async () => {
    const test = await simple({
      answer: () => ({ status: 503 }),
      handler: { filters: [eager(10, 0)] },
      cluster: { limits: { retryBudget: { percent: 10, minPerSecond: 0 } } },
    });
    const client = test.client();
    for (let i = 0; i < 50; i++) {
      const answered = client.request();
      await test.clock.advance(20);
      await answered;
    }
    const { requests } = test.upstream('10.0.0.1:80');
    expect(requests.length).toBeGreaterThan(52);
    expect(requests.length).toBeLessThanOrEqual(56);
    expect(
      test.meter.value('tulle_cluster_upstream_rq_retry_refused_total', { reason: 'budget' }),
    ).toBeGreaterThan(40);
  });

  it('run attempt filters for each try, on the same fields', async () => {
    const test = await simple({
      answer: (request) => (request.header('x-attempt') === '1' ? { status: 503 } : {}),
      handler: {
        filters: [
          filter(
            'number',
            {
              requestHeaders: (stream) => {
                stream.request.headers.append('x-attempt', String(stream.attempt.number));
                return CONTINUE;
              },
            },
            { scope: 'attempt' },
          )({}),
          eager(),
        ],
      },
    });
    const answered = test.client().request();
    await test.clock.advance(50);
    await answered;
    expect(test.upstream('10.0.0.1:80').requests.map((request) => request.headerAll('x-attempt'))).toEqual([
      ['1'],
      ['2'],
    ]);
  });

  it('replays once, without any policy, on a kept-alive connection that had gone', async () => {
    const test = await simple();
    const client = test.client();
    await client.request();
    // Closed while the next request is on its way: what a server's idle timeout does.
    test.upstream('10.0.0.1:80').answer = (request) =>
      request.connectionIndex === 0 ? 'close' : { body: 'fresh' };
    const response = await client.request({ path: '/again' });
    expect(response.body).toBe('fresh');
    expect(test.records.at(-1)?.attempts.map((attempt) => [attempt.failure, attempt.reused])).toEqual([
      ['TULLE_UPSTREAM_RESET', true],
      ['', false],
    ]);
    const { requests } = test.upstream('10.0.0.1:80');
    test.upstream('10.0.0.1:80').answer = () => 'close';
    // Whether it has a body to send again or none: what a POST did cannot be known.
    for (const body of [{ body: 'x' }, { body: '' }, {}]) {
      test.upstream('10.0.0.1:80').answer = () => ({});
      expect((await client.request({ path: '/warm' })).status).toBe(200);
      test.upstream('10.0.0.1:80').answer = () => 'close';
      const before = requests.length;
      expect((await client.request({ method: 'POST', ...body })).status).toBe(503);
      expect(requests.length - before).toBe(1);
      expect(test.records.at(-1)?.attempts.map(({ reused }) => reused)).toEqual([true]);
    }
  });
});

describe('timeouts', () => {
  it('end a request with 504, and the endpoint is let go', async () => {
    const test = await simple({ answer: () => 'silence', forward: { requestTimeoutMs: 1_000 } });
    const answered = test.client().request();
    await test.clock.advance(990);
    expect(test.records).toHaveLength(0);
    await test.clock.advance(30);
    expect((await answered).status).toBe(504);
    expect(test.records[0]).toMatchObject({ code: 'TULLE_REQUEST_TIMEOUT', flags: ['UT'] });
    expect(test.upstream('10.0.0.1:80').connections[0]?.ended).toBe(true);
    expect(test.meter.value('tulle_cluster_upstream_rq_timeout_total')).toBe(1);
  });

  it('end one try and leave time for another', async () => {
    let count = 0;
    const test = await simple({
      answer: () => (++count === 1 ? 'silence' : { body: 'second' }),
      forward: { perTryTimeoutMs: 200, requestTimeoutMs: 2_000 },
      handler: { filters: [eager()] },
    });
    const answered = test.client().request();
    await test.clock.advance(300);
    expect((await answered).body).toBe('second');
    expect(test.records[0]?.attempts.map((attempt) => attempt.failure)).toEqual([
      'TULLE_PER_TRY_TIMEOUT',
      '',
    ]);
  });

  it('do not count a slow upload, but a stream on which nothing moves ends', async () => {
    const test = await simple({ forward: { requestTimeoutMs: 1_000, idleTimeoutMs: 5_000 } });
    const client = test.client();
    client.raw('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n', 'POST');
    for (const piece of 'abc') {
      client.connection.send(piece);
      await test.clock.advance(2_000);
    }
    client.connection.send('d');
    expect((await client.response()).status).toBe(200);
    const stuck = test.client().raw('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\na', 'POST');
    await test.clock.advance(5_050);
    // Whose request is not there yet is late himself.
    expect((await stuck.response()).status).toBe(408);
    await test.clock.advance(1_050);
    await stuck.connection.over();
    expect(test.records.at(-1)?.code).toBe('TULLE_STREAM_IDLE');
  });

  it('blame what is behind where nothing moves and the request is whole', async () => {
    const test = await simple({
      answer: () => 'silence',
      forward: { requestTimeoutMs: 0, idleTimeoutMs: 5_000 },
    });
    const answered = test.client().request();
    await test.clock.advance(5_050);
    expect((await answered).status).toBe(504);
    expect(test.records.at(-1)?.code).toBe('TULLE_STREAM_IDLE');
  });

  it('end a connect that never comes', async () => {
    const test = await simple({ cluster: { connectTimeoutMs: 500 } });
    test.network.refuse('10.0.0.1:80', 'silence');
    const answered = test.client().request();
    await test.clock.advance(520);
    expect((await answered).status).toBe(503);
    expect(test.records[0]).toMatchObject({ code: 'TULLE_UPSTREAM_CONNECT_TIMEOUT', flags: ['UF'] });
    expect(test.proxy.stats.upstreamConnections).toBe(0);
  });

  it('close a connection whose request head does not come, and one that idles', async () => {
    const test = await simple({ handler: { requestHeadTimeoutMs: 1_000, idleTimeoutMs: 10_000 } });
    const slow = test.client();
    slow.connection.send('GET / HT');
    await test.clock.advance(1_020);
    expect((await slow.response()).status).toBe(408);
    await slow.connection.over();
    const idle = test.connect();
    await test.clock.advance(10_050);
    await idle.over();
    expect(test.meter.value('tulle_listener_downstream_cx_idle_timeout_total')).toBe(1);
  });
});

describe('limits', () => {
  it('refuse requests, waiters and connections past the circuit limits with 503 UO', async () => {
    const test = await simple({
      answer: () => 'silence',
      cluster: { limits: { maxConnections: 2, maxPendingRequests: 1, maxRequests: 4 } },
    });
    const clients = [0, 1, 2, 3].map(() => test.client());
    for (const client of clients) {
      client.send({});
      await test.clock.settle();
    }
    // Two are served, one waits, the fourth finds no room to wait.
    expect((await (clients[3] as (typeof clients)[0]).response()).status).toBe(503);
    expect(test.records[0]).toMatchObject({
      code: 'TULLE_UPSTREAM_OVERFLOW',
      flags: ['UO'],
      details: 'upstream_reset_before_response_started{overflow,pending}',
    });
    expect(test.network.connections('10.0.0.1:80')).toBe(2);
    expect(test.meter.value('tulle_cluster_upstream_rq_pending_overflow_total')).toBe(1);
    expect(test.meter.value('tulle_cluster_upstream_cx_overflow_total')).toBeGreaterThan(0);
  });

  it('serve who waited when a connection becomes free', async () => {
    const release: (() => void)[] = [];
    const test = await simple({
      answer: () => new Promise((resolve) => release.push(() => resolve({ body: 'late' }))),
      cluster: { limits: { maxConnections: 1 } },
    });
    const first = test.client().request();
    const second = test.client().request();
    await test.clock.settle();
    expect(release).toHaveLength(1);
    release.shift()?.();
    expect((await first).body).toBe('late');
    await test.clock.settle();
    release.shift()?.();
    expect((await second).body).toBe('late');
    expect(test.network.connections('10.0.0.1:80')).toBe(1);
  });

  it('eject an endpoint that fails again and again', async () => {
    const test = await simple({
      endpoints: ['10.0.0.1:80', '10.0.0.2:80'],
      answer: (request) => (request.connection.socket.localAddress === '10.0.0.1' ? { status: 500 } : {}),
      cluster: {
        balance: { policy: 'round-robin' },
        outlier: { consecutiveFailures: 3, baseEjectionMs: 1_000, maxEjectionPercent: 50 },
      },
    });
    const client = test.client();
    const statuses: number[] = [];
    for (let i = 0; i < 20; i++) statuses.push((await client.request()).status);
    expect(statuses.filter((status) => status === 500)).toHaveLength(3);
    expect(test.meter.value('tulle_cluster_outlier_detection_ejections_enforced_total')).toBe(1);
    await test.clock.advance(1_100);
    expect((await client.request()).status + (await client.request()).status).toBe(700);
  });

  it('answer 503 when there is no endpoint, or no cluster yet', async () => {
    const test = await started({
      listeners: [httpListener({ port: 8080, routes: [route('/empty', 'empty'), route('/none', 'none')] })],
      clusters: [cluster('empty', [])],
      danglingReferences: 'allow',
    });
    const client = test.client();
    expect((await client.request({ path: '/empty' })).status).toBe(503);
    expect((await client.request({ path: '/none' })).status).toBe(503);
    expect(test.records.map((record) => [record.code, ...record.flags])).toEqual([
      ['TULLE_UPSTREAM_NO_ENDPOINT', 'UH'],
      ['TULLE_CLUSTER_NOT_FOUND', 'NC'],
    ]);
  });

  it('answer what the route says where a cluster is not there: 500 for a share that leads nowhere', async () => {
    const shares = (clusterNotFoundStatus: 404 | 500): Route => ({
      name: String(clusterNotFoundStatus),
      match: { path: { kind: 'prefix', value: `/${clusterNotFoundStatus}` } },
      action: { kind: 'forward', clusters: [{ name: 'none', weight: 1 }], clusterNotFoundStatus },
    });
    const test = await started({
      listeners: [httpListener({ port: 8080, routes: [shares(404), shares(500)] })],
      clusters: [],
      danglingReferences: 'allow',
    });
    const client = test.client();
    expect((await client.request({ path: '/404' })).status).toBe(404);
    expect((await client.request({ path: '/500' })).status).toBe(500);
    expect(test.records.map((record) => [record.code, record.details])).toEqual([
      ['TULLE_ROUTE_NOT_FOUND', 'cluster_not_found{none}'],
      ['TULLE_BACKEND_INVALID', 'cluster_not_found{none}'],
    ]);
  });

  it("close connections past the listener's limit at once", async () => {
    const test = await simple({ handler: { maxConnections: 2 } });
    const held = [test.connect(), test.connect()];
    const third = test.connect();
    await third.over();
    expect(held.every((connection) => !connection.closed && !connection.ended)).toBe(true);
    expect(test.meter.value('tulle_listener_downstream_cx_overflow_total')).toBe(1);
  });
});

describe('pools', () => {
  it('retire idle connections, before the endpoint says it would', async () => {
    const test = await simple({ answer: () => ({ headers: { 'keep-alive': 'timeout=2' } }) });
    const client = test.client();
    await client.request();
    await test.clock.advance(1_100);
    expect(test.upstream('10.0.0.1:80').connections[0]?.ended).toBe(true);
    expect(test.meter.value('tulle_cluster_upstream_cx_idle_retired_total')).toBe(1);
    await client.request();
    expect(test.network.connections('10.0.0.1:80')).toBe(2);
  });

  it('learn from an endpoint that closes idle connections', async () => {
    const test = await simple();
    const client = test.client();
    const service = test.upstream('10.0.0.1:80');
    await client.request();
    await test.clock.advance(2_000);
    service.connections[0]?.end();
    await test.clock.settle();
    await client.request();
    await test.clock.advance(1_820);
    // 90 % of the two seconds after which the endpoint closed
    expect(service.connections[1]?.ended).toBe(true);
  });

  it('respect maxRequestsPerConnection and Connection: close of the endpoint', async () => {
    const test = await simple({ cluster: { pool: { maxRequestsPerConnection: 2 } } });
    const client = test.client();
    for (let i = 0; i < 4; i++) await client.request();
    expect(test.network.connections('10.0.0.1:80')).toBe(2);
    test.upstream('10.0.0.1:80').answer = () => ({ headers: { connection: 'close' }, body: 'x' });
    await client.request();
    await client.request();
    expect(test.network.connections('10.0.0.1:80')).toBe(4);
  });
});
