import { DELIVER, RETRY } from '@tulle/filter';
import type { Cluster } from '@tulle/model';
import { cluster, httpListener, route, tcpListener } from '@tulle/proxy';
import { expect, it } from 'vitest';
import type { TestProxy, TestProxyOptions } from '../src/index.ts';
import { filter, started } from './support.ts';

const again = filter(
  'again',
  {
    attemptEnd: ({ attempt }) => {
      if (attempt.number > 1 || attempt.failure === undefined) return DELIVER;
      attempt.retryDelayMs = 1;
      return RETRY;
    },
  },
  { scope: 'attempt' },
)({});

async function withEndpoint(
  api: Partial<Cluster>,
  upstreams: NonNullable<TestProxyOptions['upstreams']>,
  forward: Parameters<typeof route>[2] = {},
): Promise<TestProxy> {
  return started({
    admin: { host: '127.0.0.1', port: 0 },
    listeners: [
      httpListener({ name: 'http', port: 8080, routes: [route('/', 'api', forward)], filters: [again] }),
      tcpListener({ name: 'tcp', port: 8081, cluster: 'api' }),
    ],
    clusters: [{ ...cluster('api', ['10.0.0.1:80']), ...api }],
    upstreams,
  });
}

/** What the admin interface says of the endpoint. */
async function countsOf({ proxy }: TestProxy): Promise<object> {
  const { port } = (proxy as typeof proxy & { adminAddress: { port: number } }).adminAddress;
  const page = await fetch(`http://127.0.0.1:${port}/clusters?format=json`);
  const { clusters } = (await page.json()) as { clusters: { endpoints: Record<string, unknown>[] }[] };
  const { opened, connectFailures, sent, carried, uncarried, timeouts, connections, waiting } =
    clusters[0]?.endpoints[0] ?? {};
  return { opened, connectFailures, sent, carried, uncarried, timeouts, connections, waiting };
}

const NONE = {
  opened: 0,
  connectFailures: 0,
  sent: 0,
  carried: 0,
  uncarried: 0,
  timeouts: 0,
  connections: 0,
  waiting: 0,
};

it('are of requests, and of the connections that they share', async () => {
  const test = await withEndpoint({}, { '10.0.0.1:80': () => ({ body: 'a' }) });
  expect(await countsOf(test)).toEqual(NONE);
  const client = test.client();
  for (let i = 0; i < 3; i++) await client.request();
  expect(await countsOf(test)).toEqual({ ...NONE, opened: 1, sent: 3, connections: 1 });
});

it('are of all of its connections, whoever has them alone', async () => {
  const api = { pool: { perDownstreamConnection: true } };
  const test = await withEndpoint(api, { '10.0.0.1:80': () => ({ body: 'a' }) });
  for (let i = 0; i < 3; i++) await test.client({ listener: 'http' }).request();
  expect(await countsOf(test)).toEqual({ ...NONE, opened: 3, sent: 3, connections: 3 });
});

it('know what could not be connected, which was sent nothing', async () => {
  const test = await withEndpoint({ limits: { retryBudget: { minPerSecond: 9 } } }, {});
  const asked = test.client({ listener: 'http' }).request();
  await test.clock.advance(100);
  expect((await asked).status).toBe(503);
  expect(await countsOf(test)).toEqual({ ...NONE, opened: 2, connectFailures: 2 });
});

it.each([
  ['attempts', { perTryTimeoutMs: 100 }, 2],
  ['requests', { requestTimeoutMs: 100 }, 1],
] as const)('know %s that had no answer in time', async (_, forward, count) => {
  const never = { '10.0.0.1:80': () => new Promise<never>(() => {}) };
  const test = await withEndpoint({}, never, forward);
  const asked = test.client({ listener: 'http' }).request();
  await test.clock.advance(50);
  expect(await countsOf(test)).toMatchObject({ sent: 1, timeouts: 0 });
  await test.clock.advance(5_000);
  expect((await asked).status).toBe(504);
  expect(await countsOf(test)).toMatchObject({ sent: count, timeouts: count });
});

it('are of connections of bytes', async () => {
  const test = await withEndpoint({}, { '10.0.0.1:80': () => ({ body: 'a' }) });
  const connection = test.connect({ listener: 'tcp' });
  connection.send('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
  await connection.take('\r\n\r\na');
  expect(await countsOf(test)).toEqual({ ...NONE, opened: 1, sent: 1, connections: 1 });
  connection.close(true);
  await test.clock.advance(5);
  expect(await countsOf(test)).toMatchObject({ opened: 1, sent: 1, carried: 1, connections: 0 });
  expect(await countsOf(await withEndpoint({}, {}))).toEqual(NONE);
});

it('know what could not be connected for bytes, which is no error of a request', async () => {
  const test = await withEndpoint({}, {});
  const connection = test.connect({ listener: 'tcp' });
  await test.clock.advance(100);
  expect(connection.closed || connection.ended).toBe(true);
  expect(await countsOf(test)).toEqual({ ...NONE, opened: 1, connectFailures: 1, uncarried: 1 });
});

it('are of who waits, where no connection may be opened', async () => {
  let release = (): void => {};
  const test = await withEndpoint(
    { limits: { maxConnections: 1 } },
    { '10.0.0.1:80': () => new Promise((resolve) => (release = () => resolve({ body: 'a' }))) },
  );
  const first = test.client({ listener: 'http' }).request();
  await test.clock.advance(1);
  const second = test.client({ listener: 'http' }).request();
  await test.clock.advance(1);
  expect(await countsOf(test)).toMatchObject({ opened: 1, sent: 1, waiting: 1, connections: 1 });
  release();
  await first;
  await test.clock.advance(1);
  expect(await countsOf(test)).toMatchObject({ opened: 1, sent: 2, waiting: 0 });
  release();
  await second;
});
