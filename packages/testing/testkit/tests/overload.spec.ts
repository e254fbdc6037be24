import { CONTINUE, isTulleError } from '@tulle/filter';
import {
  createProxy,
  httpListener,
  route,
  type OverloadOptions,
  type ResourceMonitor,
  type ResourceUse,
} from '@tulle/proxy';
import { describe, expect, it } from 'vitest';
import { fakeClock, Http2Client, type FakeClock, type TestProxy } from '../src/index.ts';
import { filter, simple } from './support.ts';

/** A process whose means a test sets; an iteration of the loop begins when it says so. */
class Means implements ResourceMonitor {
  readonly use: ResourceUse = {
    heapBytes: 10,
    heapLimitBytes: 100,
    rssBytes: 10,
    memoryLimitBytes: 100,
    loopDelayMs: 0,
    busyShare: 1,
    openFilesLimit: 0,
  };
  iterate: (() => void) | undefined;
  /** Iterations end by {@link endIteration} only, not by themselves. */
  long = false;
  over: (() => void) | undefined;
  closed = false;

  read(into: ResourceUse): void {
    Object.assign(into, this.use);
  }

  watchIterations(onIteration: (() => void) | undefined): void {
    this.iterate = onIteration;
  }

  afterIteration(callback: () => void): void {
    if (this.long) this.over = callback;
    else setImmediate(callback);
  }

  endIteration(): void {
    const { over } = this;
    this.over = undefined;
    over?.();
  }

  close(): void {
    this.closed = true;
  }
}

async function proxyWith(
  overload: OverloadOptions = {},
  more: Parameters<typeof simple>[0] = {},
): Promise<{ test: TestProxy; means: Means; pass: (use: Partial<ResourceUse>) => Promise<void> }> {
  const means = new Means();
  const test = await simple({ overload, monitor: means, ...more });
  return {
    test,
    means,
    /** The next sample finds this. */
    async pass(use) {
      Object.assign(means.use, use);
      await test.clock.advance(270);
    },
  };
}

/** Connections stay. */
const REQUESTS_ONLY: OverloadOptions['actions'] = {
  'disable-keepalive': [],
  'close-idle-connections': [],
  'stop-accepting-connections': [],
};

const share = (test: TestProxy, action: string): number | undefined =>
  test.meter.value('tulle_overload_scale_percent', { action });

it('sheds nothing of listeners that are to be kept', async () => {
  const means = new Means();
  const listeners = ['shed', 'kept'].map((name, index) => ({
    ...httpListener({ name, host: '127.0.0.1', port: 8080 + index, routes: [route('/', 'api')] }),
    ...(name === 'kept' && { bypassesOverload: true }),
  }));
  const test = await simple({
    overload: { limits: { downstreamConnections: 3 } },
    monitor: means,
    listeners,
  });
  const resting = { shed: test.client({ listener: 'shed' }), kept: test.client({ listener: 'kept' }) };
  for (const client of Object.values(resting)) expect((await client.request()).status).toBe(200);
  means.use.heapBytes = 99;
  await test.clock.advance(270);
  await test.clock.advance(270);
  expect([resting.shed.connection.ended, resting.kept.connection.ended]).toEqual([true, false]);
  const answer = await resting.kept.request();
  expect([answer.status, answer.headers.some(([name]) => name === 'connection')]).toEqual([200, false]);
  const later = test.client({ listener: 'kept' });
  expect((await later.request()).status).toBe(200);
  const refused = test.connect({ listener: 'shed' });
  await test.clock.advance(1);
  expect(refused.closed || refused.ended).toBe(true);
});

it('bounds no connections of listeners that are not to count', async () => {
  const means = new Means();
  const listeners = ['counted', 'probes'].map((name, index) => ({
    ...httpListener({ name, host: '127.0.0.1', port: 8080 + index, routes: [route('/', 'api')] }),
    ...(name === 'probes' && { ignoresConnectionLimit: true }),
  }));
  const test = await simple({
    overload: {
      limits: { downstreamConnections: 2 },
      actions: {
        ...REQUESTS_ONLY,
        'stop-accepting-connections': [
          { resource: 'downstream-connections', threshold: 1 },
          { resource: 'heap', threshold: 0.9 },
        ],
      },
    },
    monitor: means,
    listeners,
  });
  const pass = async (): Promise<void> => test.clock.advance(270);
  const stands = async (listener: string): Promise<boolean> => {
    const connection = test.connect({ listener });
    await test.clock.advance(1);
    return !connection.ended && !connection.closed;
  };
  for (let each = 0; each < 3; each++) expect(await stands('probes')).toBe(true);
  await pass();
  expect(await stands('counted')).toBe(true);
  expect(await stands('counted')).toBe(true);
  await pass();
  expect(await stands('counted')).toBe(false);
  expect(await stands('probes')).toBe(true);
  // That counts again after a change, with those that are open.
  const { config } = test.proxy;
  await test.proxy.update({
    ...config,
    listeners: config.listeners.map((one) => ({ ...one, ignoresConnectionLimit: false })),
  });
  await pass();
  expect(await stands('probes')).toBe(false);
  means.use.heapBytes = 95;
  await pass();
  expect(await stands('probes')).toBe(false);
});

describe('a heap that fills', () => {
  it('refuses a growing share of requests with 503 and retry-after, and stops when there is room', async () => {
    const { test, pass } = await proxyWith({ retryAfterSeconds: 3, actions: REQUESTS_ONLY });
    const client = test.client();
    expect((await client.request()).status).toBe(200);
    await pass({ heapBytes: 97 });
    const refused = await client.request();
    expect([refused.status, refused.header('retry-after')]).toEqual([503, '3']);
    expect(test.records.at(-1)).toMatchObject({
      code: 'TULLE_OVERLOADED',
      details: 'overload{heap}',
      flags: ['OM'],
    });
    expect(test.meter.value('tulle_overload_rq_refused_total', { priority: 'default' })).toBe(1);
    expect(test.meter.value('tulle_overload_pressure_percent', { resource: 'heap' })).toBe(97);
    expect(share(test, 'stop-accepting-requests')).toBe(100);
    await pass({ heapBytes: 93.5 });
    const again = test.client();
    const statuses: number[] = [];
    for (let i = 0; i < 200; i++) statuses.push((await again.request()).status);
    const share503 = statuses.filter((status) => status === 503).length / statuses.length;
    expect(share503).toBeGreaterThan(0.35);
    expect(share503).toBeLessThan(0.65);
    await pass({ heapBytes: 50 });
    for (let i = 0; i < 20; i++) expect((await again.request()).status).toBe(200);
    expect(share(test, 'stop-accepting-requests')).toBe(0);
  });

  it('ends connections with their responses, closes those at rest, and takes no new ones', async () => {
    const { test, pass } = await proxyWith();
    const [idle, busy] = [test.client(), test.client()];
    for (const client of [idle, busy]) expect((await client.request()).status).toBe(200);
    await pass({ heapBytes: 96 });
    await idle.connection.over();
    await test.connect().over();
    expect(test.meter.value('tulle_overload_cx_refused_total')).toBe(1);
    expect(test.meter.value('tulle_overload_cx_idle_closed_total')).toBe(2);
    await pass({ heapBytes: 10 });
    expect((await test.client().request()).status).toBe(200);
  });

  it('a response that ends its connection says so', async () => {
    const { test, pass } = await proxyWith({
      actions: { 'close-idle-connections': [], 'stop-accepting-requests': [] },
    });
    const client = test.client();
    expect((await client.request()).header('connection')).toBeUndefined();
    await pass({ heapBytes: 95 });
    expect((await client.request()).header('connection')).toBe('close');
  });
});

describe('an event loop that comes late', () => {
  it('begins requests for so long in each iteration, and refuses those beyond', async () => {
    const { test, means, pass } = await proxyWith();
    const client = test.client();
    await pass({ loopDelayMs: 79 });
    expect(means.iterate).toBeUndefined();
    await pass({ loopDelayMs: 80 });
    means.iterate?.();
    await test.clock.advance(10);
    expect((await client.request()).status).toBe(200);
    await test.clock.advance(1);
    const refused = await client.request();
    expect([refused.status, refused.header('retry-after')]).toEqual([503, '1']);
    expect(test.records.at(-1)?.details).toBe('overload{event-loop}');
    means.iterate?.();
    expect((await client.request()).status).toBe(200);
  });

  it('is over when nothing was refused for a second, not because the loop is short again', async () => {
    const { test, means, pass } = await proxyWith();
    const client = test.client();
    await pass({ loopDelayMs: 200 });
    for (let i = 0; i < 8; i++) {
      await pass({ loopDelayMs: 0 });
      // Long after the iteration began.
      expect((await client.request()).status, `after ${i} samples`).toBe(503);
    }
    means.iterate?.();
    for (let i = 0; i < 5; i++) {
      means.iterate?.();
      expect((await client.request()).status).toBe(200);
      await pass({ loopDelayMs: 0 });
    }
    expect(means.iterate).toBeUndefined();
    expect((await client.request()).status).toBe(200);
    expect(test.log.lines.map(({ message }) => message)).toEqual([
      'overload: budget-requests, since event-loop is at 250 % of its limit',
      'overload: budget-requests is over',
    ]);
  });
});

describe('an iteration of the loop that has no time for more requests', () => {
  const overload: OverloadOptions = { healthCheckPaths: ['/healthz'] };

  it('leaves them to the next, in order, and comes round for everything else', async () => {
    const asked: string[] = [];
    const { test, means } = await proxyWith(overload, {
      answer: ({ target }) => {
        asked.push(target);
        return { body: target };
      },
    });
    means.long = true;
    const clients = Array.from({ length: 5 }, () => test.client());
    const ask = (i: number, path = `/${i}`): Promise<{ status: number; body: string }> =>
      (clients[i] as (typeof clients)[number]).request({ path });
    await test.clock.advance(100);
    // How long this one is already nobody knows: it begins, and asks.
    expect((await ask(0)).status).toBe(200);
    await test.clock.advance(10);
    expect((await ask(0)).status).toBe(200);
    await test.clock.advance(1);
    const waiting = [ask(1), ask(2), ask(3)];
    await test.clock.advance(5);
    expect(asked).toEqual(['/0', '/0']);
    expect((await ask(4, '/healthz')).status).toBe(200);
    expect(test.meter.value('tulle_overload_rq_put_off_total')).toBe(3);
    means.endIteration();
    expect((await Promise.all(waiting)).map(({ status, body }) => [status, body])).toEqual([
      [200, '/1'],
      [200, '/2'],
      [200, '/3'],
    ]);
    expect(asked).toEqual(['/0', '/0', '/healthz', '/1', '/2', '/3']);
    // The next one has its own time.
    await test.clock.advance(8);
    expect((await ask(0)).status).toBe(200);
  });

  it('keeps a body that waits whole, over both versions of HTTP', async () => {
    const { test, means } = await proxyWith({}, { answer: ({ body }) => ({ body }) });
    const http2 = new Http2Client(test.connect());
    means.long = true;
    await test.clock.advance(100);
    expect((await test.client().request()).status).toBe(200);
    await test.clock.advance(11);
    const body = 'x'.repeat(300_000);
    const answers = [
      test.client().request({ method: 'POST', body }),
      http2.request({ method: 'POST', path: '/', body }),
    ];
    await test.clock.advance(5);
    expect(test.meter.value('tulle_overload_rq_put_off_total')).toBe(2);
    // It is not read on meanwhile, so nothing has to be held of it.
    expect(test.meter.value('tulle_replay_overflow_total') ?? 0).toBe(0);
    means.endIteration();
    for (const answer of answers) expect((await answer).body === body).toBe(true);
    http2.close();
  });

  it('forgets callers that went meanwhile, and those that were answered otherwise', async () => {
    const asked: string[] = [];
    const { test, means } = await proxyWith(overload, {
      answer: ({ target }) => {
        asked.push(target);
        return {};
      },
      handler: { streamIdleTimeoutMs: 1_000 },
    });
    means.use.busyShare = 0;
    means.long = true;
    await test.clock.advance(100);
    expect((await test.client().request({ path: '/first' })).status).toBe(200);
    await test.clock.advance(11);
    const gone = test.connect();
    gone.send('GET /gone HTTP/1.1\r\nhost: a\r\n\r\n');
    const late = test.client().request({ path: '/late' });
    await test.clock.settle();
    gone.close(true);
    await test.clock.advance(1_100);
    expect((await late).status).toBe(504);
    // Answered already, though the rest of what it sends is still read.
    const half = test.client();
    half.connection.send('POST /half HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc');
    await test.clock.advance(1_100);
    expect((await half.response()).status).toBe(504);
    // Served by the same objects as those before.
    const next = test.client().request({ path: '/next' });
    await test.clock.settle();
    means.endIteration();
    expect((await next).status).toBe(200);
    await test.clock.settle();
    expect(asked).toEqual(['/first', '/next']);
  });

  it('makes the loop late though it comes round: who waited too long is why others are refused', async () => {
    const { test, means, pass } = await proxyWith();
    means.long = true;
    await test.clock.advance(100);
    expect((await test.client().request()).status).toBe(200);
    await test.clock.advance(11);
    const waits = test.client().request();
    // Another process has the processor: refusing would mend nothing.
    await pass({ busyShare: 0.2 });
    expect(means.iterate).toBeUndefined();
    await pass({ busyShare: 1 });
    expect(means.iterate).toBeDefined();
    expect((await test.client().request()).status).toBe(503);
    means.endIteration();
    means.iterate?.();
    expect((await waits).status).toBe(200);
    expect((await test.client().request()).status).toBe(200);
  });
});

describe('who is refused last', () => {
  const routes = [
    route('/low', 'api', { priority: 'low' }),
    route('/high', 'api', { priority: 'high' }),
    route('/critical', 'api', { priority: 'critical' }),
    route('/own', { kind: 'direct', status: 200, body: 'own' }),
    route('/', 'api'),
  ];
  const overload: OverloadOptions = { healthCheckPaths: ['/healthz'], actions: REQUESTS_ONLY };

  async function refusedOf(test: TestProxy, path: string, headers = {}): Promise<number> {
    const client = test.client();
    let refused = 0;
    for (let i = 0; i < 200; i++) if ((await client.request({ path, headers })).status === 503) refused++;
    return refused / 200;
  }

  it('is told by the route: low ones go first, high ones late, critical ones never', async () => {
    const { test, pass } = await proxyWith(overload, { handler: { routes } });
    const refused = async (): Promise<number[]> => {
      const shares: number[] = [];
      for (const path of ['/low', '/', '/high', '/critical', '/healthz', '/own'])
        shares.push(await refusedOf(test, path));
      return shares;
    };
    await pass({ heapBytes: 91.75 }); // a quarter
    const quarter = await refused();
    expect(quarter[0]).toBe(1);
    expect(quarter[1]).toBeGreaterThan(0.15);
    expect(quarter[1]).toBeLessThan(0.35);
    expect(quarter.slice(2)).toEqual([0, 0, 0, 0]);
    await pass({ heapBytes: 99 });
    expect(await refused()).toEqual([1, 1, 1, 0, 0, 0]);
  });

  it('also in an iteration of the loop', async () => {
    const { test, means, pass } = await proxyWith(overload, { handler: { routes } });
    await pass({ loopDelayMs: 100 });
    const client = test.client();
    const statuses = async (): Promise<number[]> => {
      const all: number[] = [];
      for (const path of ['/low', '/', '/high', '/critical', '/healthz'])
        all.push((await client.request({ path })).status);
      return all;
    };
    means.iterate?.();
    expect(await statuses()).toEqual([200, 200, 200, 200, 200]);
    await test.clock.advance(6);
    expect(await statuses()).toEqual([503, 200, 200, 200, 200]);
    await test.clock.advance(5);
    expect(await statuses()).toEqual([503, 503, 200, 200, 200]);
    await test.clock.advance(10);
    expect(await statuses()).toEqual([503, 503, 503, 200, 200]);
  });

  it('is told by the request only where its claims are believed', async () => {
    const low = { 'x-tulle-priority': 'low' };
    const stripped = await proxyWith(overload, { handler: { routes } });
    await stripped.pass({ heapBytes: 91.75 });
    expect(await refusedOf(stripped.test, '/', low)).toBeLessThan(0.4);
    const kept = await proxyWith(overload, { handler: { routes, identityHeaders: 'keep' } });
    await kept.pass({ heapBytes: 91.75 });
    expect(await refusedOf(kept.test, '/', low)).toBe(1);
    expect(await refusedOf(kept.test, '/low', { 'x-tulle-priority': 'high' })).toBe(0);
    expect(await refusedOf(kept.test, '/low', { 'x-tulle-priority': 'critical' })).toBe(1);
  });
});

describe('bounds of what callers have open', () => {
  it('connections: past half of the files that may be open no more are taken', async () => {
    const { test, pass } = await proxyWith({ actions: { 'close-idle-connections': [] } });
    const clients = Array.from({ length: 10 }, () => test.client());
    for (const client of clients) await client.request();
    await pass({ openFilesLimit: 22 });
    expect((await test.client().request()).status).toBe(200);
    await pass({ openFilesLimit: 22 });
    await test.connect().over();
    expect(test.meter.value('tulle_overload_cx_refused_total')).toBe(1);
    clients[0]?.connection.end();
    clients[1]?.connection.end();
    await pass({ openFilesLimit: 22 });
    expect((await test.client().request()).status).toBe(200);
  });

  it('requests: past the limit none is begun until there are fewer', async () => {
    let release = (): void => {};
    const { test, pass } = await proxyWith(
      { limits: { activeRequests: 2 } },
      {
        answer: (request) =>
          request.target === '/slow'
            ? new Promise((resolve) => {
                const before = release;
                release = () => {
                  before();
                  resolve({ body: 'slow' });
                };
              })
            : { body: 'ok' },
      },
    );
    const slow = [test.client().send({ path: '/slow' }), test.client().send({ path: '/slow' })];
    await pass({});
    expect((await test.client().request()).status).toBe(503);
    expect(test.records.at(-1)?.details).toBe('overload{active-requests}');
    release();
    for (const client of slow) expect((await client.response()).status).toBe(200);
    await pass({});
    expect((await test.client().request()).status).toBe(200);
  });
});

describe('twice of what the proxy can serve', () => {
  /** Each request takes a millisecond of the loop, a refusal a twentieth of that. */
  const REFUSAL_MS = 0.05;

  /** Iterations of a loop to which two requests come for each millisecond that the one before took. */
  async function offered(
    overload: OverloadOptions | false,
    iterations: number,
  ): Promise<{ readonly longestMs: number; readonly goodShare: number }> {
    const base = fakeClock();
    let workedMs = 0;
    const clock = Object.assign(Object.create(base) as FakeClock, {
      nowMs: () => base.nowMs() + workedMs,
    });
    const working = filter('test.working', {
      requestHeaders() {
        workedMs += 1;
        return CONTINUE;
      },
    });
    const means = new Means();
    const test = await simple({ clock, overload, monitor: means, filters: [working({})] });
    const clients = Array.from({ length: 4_000 }, () => test.client());
    // Late when it begins, as it would be after a while.
    means.use.loopDelayMs = 100;
    await base.advance(270);
    means.use.loopDelayMs = 0;
    let lastMs = 50;
    let [good, totalMs, longestMs] = [0, 0, 0];
    for (let i = 0; i < iterations; i++) {
      means.iterate?.();
      const before = workedMs;
      const arrived = clients.slice(0, Math.min(Math.round(lastMs * 2), clients.length));
      const answers = await Promise.all(arrived.map((client) => client.request()));
      const served = answers.filter(({ status }) => status === 200).length;
      workedMs += (answers.length - served) * REFUSAL_MS;
      lastMs = workedMs - before;
      totalMs += lastMs;
      good += served;
      longestMs = Math.max(longestMs, i === 0 ? 0 : lastMs);
    }
    return { longestMs, goodShare: good / totalMs };
  }

  it('leaves it serving nine tenths of what it can at least, in short iterations', async () => {
    const { longestMs, goodShare } = await offered({}, 30);
    expect(goodShare).toBeGreaterThan(0.9);
    expect(longestMs).toBeLessThan(30);
  });

  it('makes iterations longer and longer where nothing is shed', async () => {
    const { longestMs } = await offered(false, 6);
    expect(longestMs).toBeGreaterThan(1_000);
  });
});

describe('over HTTP/2', () => {
  it('requests are refused one by one, gRPC calls as UNAVAILABLE, and the connection goes on', async () => {
    const { test, pass } = await proxyWith({ actions: REQUESTS_ONLY });
    const client = new Http2Client(test.connect());
    try {
      expect((await client.request()).status).toBe(200);
      await pass({ heapBytes: 99 });
      const refused = await client.request();
      expect([refused.status, refused.header('retry-after')]).toEqual([503, '1']);
      const call = await client.request({
        method: 'POST',
        path: '/shop.Orders/Get',
        headers: { 'content-type': 'application/grpc', te: 'trailers' },
        body: 'x',
      });
      expect([call.status, call.header('grpc-status'), call.header('retry-after')]).toEqual([200, '14', '1']);
      expect(test.records.at(-1)).toMatchObject({ code: 'TULLE_OVERLOADED', flags: ['OM'] });
      await pass({ heapBytes: 10 });
      expect((await client.request()).status).toBe(200);
    } finally {
      client.close();
    }
  });

  it('responses end their connection with GOAWAY, and connections at rest get one', async () => {
    const { test, pass } = await proxyWith({ actions: { 'stop-accepting-requests': [] } });
    const client = new Http2Client(test.connect());
    try {
      expect((await client.request()).status).toBe(200);
      await pass({ heapBytes: 96 });
      await test.clock.settle();
      expect(client.goaways.length).toBeGreaterThan(0);
    } finally {
      client.close();
    }
  });
});

describe('a refusal', () => {
  it('comes before any filter, and the connection goes on', async () => {
    let asked = 0;
    const counting = filter('test.counting', {
      requestHeaders() {
        asked++;
        return CONTINUE;
      },
    });
    const { test, pass } = await proxyWith({ actions: REQUESTS_ONLY }, { filters: [counting({})] });
    const client = test.client();
    await client.request();
    await pass({ heapBytes: 98 });
    const refused = await client.request({ method: 'POST', body: 'some bytes' });
    expect([refused.status, asked]).toEqual([503, 1]);
    await pass({ heapBytes: 10 });
    expect([(await client.request()).status, asked]).toEqual([200, 2]);
  });

  it('is not switched on where it is off, and nothing is watched', async () => {
    const means = new Means();
    const test = await simple({ overload: false, monitor: means });
    Object.assign(means.use, { heapBytes: 100, loopDelayMs: 1_000 });
    await test.clock.advance(2_000);
    expect((await test.client().request()).status).toBe(200);
  });

  it('ends its watching with the proxy', async () => {
    const { test, means } = await proxyWith();
    await test.stop();
    expect([means.closed, test.clock.pending]).toEqual([true, 0]);
  });
});

describe('options that cannot be', () => {
  it('are refused all at once, each with its place', () => {
    const wrong = {
      intervalMs: 0,
      priorityHeader: 'Priority',
      limits: { heapBytes: -1 },
      actions: {
        'stop-accepting-requests': [{ resource: 'cpu', threshold: 0 }],
        'disable-keepalive': [{ resource: 'heap', scaling: { from: 0.9, saturated: 0.8 } }],
        panic: [],
      },
    } as unknown as OverloadOptions;
    let error: unknown;
    try {
      createProxy({ overload: wrong });
    } catch (thrown) {
      error = thrown;
    }
    expect(isTulleError(error) ? error.issues?.map(({ path }) => path) : error).toEqual([
      '/overload/limits/heapBytes',
      '/overload/intervalMs',
      '/overload/priorityHeader',
      '/overload/actions/stop-accepting-requests/0/resource',
      '/overload/actions/stop-accepting-requests/0/threshold',
      '/overload/actions/disable-keepalive/0/scaling/saturated',
      '/overload/actions/panic',
    ]);
  });
});
