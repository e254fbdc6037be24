import { DELIVER, RETRY } from '@tulle/filter';
import { cluster, httpListener, route, tcpListener } from '@tulle/proxy';
import { describe, expect, it } from 'vitest';
import type { TestConnection } from '../src/index.ts';
import { filter, simple, started } from './support.ts';

const ENDPOINTS = ['10.0.0.1:80', '10.0.0.2:80'];

/** One retry of whatever failed or was answered with 5xx, after 10 ms. */
const once = filter(
  'once',
  {
    attemptEnd: ({ attempt }) => {
      if (attempt.number > 1 || (attempt.failure === undefined && attempt.status < 500)) return DELIVER;
      attempt.retryDelayMs = 10;
      return RETRY;
    },
  },
  { scope: 'attempt' },
)({});

describe('a retry', () => {
  it('goes to another endpoint than the one that answered with an error', async () => {
    const test = await simple({
      endpoints: ENDPOINTS,
      answer: (request) => (request.connection.socket.localAddress === '10.0.0.1' ? { status: 503 } : {}),
      handler: { filters: [once] },
      cluster: {
        balance: { policy: 'random' },
        limits: { retryBudget: { percent: 100, minPerSecond: 100 } },
      },
    });
    for (let i = 0; i < 50; i++) {
      const answered = test.client().request();
      await test.clock.advance(20);
      expect((await answered).status).toBe(200);
    }
    expect(test.records.filter(({ attempts }) => attempts.length === 2).length).toBeGreaterThan(10);
  });

  it('has the per-try timeout for connecting as well, and what was not sent may be repeated whatever it is', async () => {
    const test = await simple({
      endpoints: [...ENDPOINTS, '10.0.0.3:80'],
      handler: { filters: [once] },
      forward: { perTryTimeoutMs: 200, requestTimeoutMs: 10_000 },
      cluster: { balance: { policy: 'round-robin' }, connectTimeoutMs: 8_000 },
    });
    for (const address of ENDPOINTS) test.network.refuse(address, 'silence');
    const statuses: number[] = [];
    for (let i = 0; i < 3; i++) {
      const answered = test.client().request({ method: 'POST', body: 'pay' });
      await test.clock.advance(500);
      statuses.push((await answered).status);
    }
    expect(statuses.toSorted((a, b) => a - b)).toEqual([200, 200, 504]);
    const durations = test.records.flatMap(({ attempts }) =>
      attempts.filter(({ failure }) => failure !== '').map(({ durationMs }) => durationMs),
    );
    expect(durations).toHaveLength(3);
    for (const durationMs of durations) expect(Math.abs(durationMs - 200)).toBeLessThan(20);
    expect(test.upstream('10.0.0.3:80').requests.map(({ body }) => body)).toEqual(['pay', 'pay']);
  });
});

describe('what an endpoint does after its response head', () => {
  const HALF = 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf';
  const half = (reset: boolean) =>
    simple({
      endpoints: ENDPOINTS,
      answer: async ({ connection }) => {
        if (connection.socket.localAddress !== '10.0.0.1') return {};
        connection.send(HALF);
        await new Promise((resolve) => void setImmediate(resolve));
        return reset ? 'reset' : 'silence';
      },
      cluster: {
        balance: { policy: 'round-robin' },
        outlier: { consecutiveFailures: 3, maxEjectionPercent: 50 },
      },
    });

  it('counts: one that breaks every body is ejected', async () => {
    const test = await half(true);
    for (let i = 0; i < 20; i++) {
      await test
        .client()
        .request()
        .catch(() => {});
      await test.clock.settle();
    }
    expect(test.upstream('10.0.0.1:80').requests).toHaveLength(3);
    expect(test.meter.value('tulle_cluster_outlier_detection_ejections_enforced_total')).toBe(1);
  });

  it('does not count when it is the caller that goes away', async () => {
    const test = await half(false);
    for (let i = 0; i < 20; i++) {
      const client = test.client().send({});
      await client.connection.take('HTTP/1.1 200');
      await test.clock.settle();
      client.connection.close();
      await test.clock.settle();
    }
    expect(test.upstream('10.0.0.1:80').requests).toHaveLength(10);
    expect(test.meter.value('tulle_cluster_outlier_detection_ejections_enforced_total')).toBe(0);
  });

  it('counts when it stalls until the request timeout, but not when the caller does not read', async () => {
    const test = await simple({
      endpoints: ENDPOINTS,
      answer: (request) => (request.target === '/stall' ? HALF : { body: 'x'.repeat(2_000_000) }),
      forward: { requestTimeoutMs: 1_000 },
      cluster: { outlier: { consecutiveFailures: 1, maxEjectionPercent: 100 } },
    });
    const slow = test.client();
    slow.connection.pause();
    slow.send({ path: '/large' });
    await test.clock.advance(1_100);
    expect(test.records[0]?.code).toBe('TULLE_REQUEST_TIMEOUT');
    expect(test.meter.value('tulle_cluster_outlier_detection_ejections_enforced_total')).toBe(0);
    test.client().send({ path: '/stall' });
    await test.clock.advance(1_100);
    expect(test.meter.value('tulle_cluster_outlier_detection_ejections_enforced_total')).toBe(1);
  });

  it('holds its share: requests go where fewer responses are under way', async () => {
    const test = await simple({
      endpoints: ENDPOINTS,
      // An endless answer.
      answer: () => 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n',
      cluster: { balance: { policy: 'least-request' } },
    });
    for (let i = 0; i < 40; i++) await test.client().send({}).connection.take('x');
    for (const address of ENDPOINTS) expect(test.upstream(address).requests).toHaveLength(20);
  });

  it('is its latency no longer once the head is there', async () => {
    const test = await simple({
      endpoints: ENDPOINTS,
      answer: async (request) => {
        if (request.connection.socket.localAddress === '10.0.0.1') {
          request.connection.send('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n');
          await new Promise<void>((resolve) => void test.clock.setTimer(5_000, resolve));
          return 'body';
        }
        await new Promise<void>((resolve) => void test.clock.setTimer(100, resolve));
        return {};
      },
      cluster: { balance: { policy: 'peak-ewma' } },
    });
    for (let i = 0; i < 20; i++) {
      const answered = test.client().request();
      await test.clock.advance(6_000);
      await answered;
    }
    // The quick one is preferred, though its bodies are long.
    expect(test.upstream('10.0.0.1:80').requests.length).toBeGreaterThan(15);
  });
});

describe('a tunnel', () => {
  const UPGRADE = 'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';

  it('keeps its place among the connections of the cluster until it is over', async () => {
    const test = await started({
      listeners: [httpListener({ port: 8080, routes: [route('/', 'ws')] })],
      clusters: [cluster('ws', ['10.0.0.1:80'], { limits: { maxConnections: 2 } })],
    });
    test.network.listen('10.0.0.1:80', (connection) => {
      connection.onBytes = () => {
        if (connection.ended) return void connection.end();
        connection.send('HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
      };
    });
    const open: TestConnection[] = [];
    for (let i = 0; i < 3; i++) open.push(test.connect().send(UPGRADE));
    await test.clock.settle();
    const switched = (): boolean[] => open.map(({ received }) => received.startsWith('HTTP/1.1 101'));
    expect(switched()).toEqual([true, true, false]);
    expect(test.meter.value('tulle_cluster_upstream_cx_active')).toBe(2);
    expect(test.proxy.stats.upstreamConnections).toBe(2);
    open[0]?.end();
    await test.clock.settle();
    expect(switched()).toEqual([true, true, true]);
    for (const connection of open) connection.end();
    await test.clock.settle();
    expect(test.meter.value('tulle_cluster_upstream_cx_active')).toBe(0);
    expect(test.proxy.stats).toMatchObject({ streams: 0, connections: 0, upstreamConnections: 0 });
  });
});

describe('TCP connections', () => {
  const tcp = (more: Parameters<typeof cluster>[2]) =>
    started({
      listeners: [tcpListener({ port: 5432, cluster: 'db' })],
      clusters: [cluster('db', ENDPOINTS, more)],
    });

  it('go where fewer are open', async () => {
    const test = await tcp({ balance: { policy: 'least-request' } });
    const counts = new Map<string, number>();
    for (const address of ENDPOINTS)
      test.network.listen(address, (connection) => {
        counts.set(address, (counts.get(address) ?? 0) + 1);
        connection.send('hello');
      });
    const open: TestConnection[] = [];
    for (let i = 0; i < 40; i++) {
      const connection = test.connect();
      await connection.take('hello');
      open.push(connection);
    }
    expect([...counts.values()]).toEqual([20, 20]);
    for (const connection of open) connection.close(true);
    await test.clock.settle();
    expect(test.proxy.stats.connections).toBe(0);
  });

  it('that break before the endpoint said a word eject it', async () => {
    const test = await tcp({
      balance: { policy: 'round-robin' },
      outlier: { consecutiveFailures: 3, maxEjectionPercent: 50 },
    });
    let broken = 0;
    test.network.listen('10.0.0.1:80', (connection) => {
      broken++;
      connection.onBytes = () => void connection.close(true);
    });
    test.network.listen('10.0.0.2:80', (connection) => void connection.send('hello'));
    for (let i = 0; i < 20; i++) {
      const connection = test.connect().send('x');
      await test.clock.settle();
      connection.close();
      await test.clock.settle();
    }
    expect(broken).toBe(3);
  });
});
