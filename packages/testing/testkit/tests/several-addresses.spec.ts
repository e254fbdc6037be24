import type { Cluster, PoolOptions } from '@tulle/model';
import { httpListener, route, tcpListener } from '@tulle/proxy';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { fakeClock, httpUpstream, memoryNetwork, type TestProxy } from '../src/index.ts';
import { started } from './support.ts';

const [FIRST, SECOND, THIRD] = ['10.0.0.1', '10.0.0.2', 'fd00::3'] as const;
const at = (host: string): { host: string; port: number } => ({ host, port: 80 });
const name = (host: string): string => (host.includes(':') ? `[${host}]:80` : `${host}:80`);

const endpoint = { address: at(FIRST), additionalAddresses: [at(SECOND), at(THIRD)] };
let clock: ReturnType<typeof fakeClock>;
let network: ReturnType<typeof memoryNetwork>;

beforeEach(() => {
  clock = fakeClock();
  network = memoryNetwork(clock);
});

async function proxy(more: Partial<Cluster> = {}, pool: PoolOptions = {}): Promise<TestProxy> {
  return started({
    clock,
    network,
    listeners: [
      httpListener({ name: 'http', port: 8080, routes: [route('/', 'api')] }),
      tcpListener({ name: 'tcp', port: 8081, cluster: 'api' }),
    ],
    clusters: [
      {
        name: 'api',
        discovery: { kind: 'static', endpoints: [endpoint] },
        connectTimeoutMs: 2_000,
        ...more,
        pool,
      },
    ],
  });
}

/** Where there is a service, which answers with its address; others refuse or are silent. */
function service(...hosts: readonly string[]): void {
  for (const host of hosts) httpUpstream(network, name(host), () => ({ body: host }));
}

/** How often each address was tried. */
const tries = (): number[] => [FIRST, SECOND, THIRD].map((host) => network.connections(name(host)));

describe.each(['http', 'tcp'])('an endpoint with several addresses (%s)', (listener) => {
  const ask = async (test: TestProxy): Promise<string> => (await test.client({ listener }).request()).body;

  const outcome = async (test: TestProxy): Promise<number | 'closed'> =>
    test
      .client({ listener })
      .request()
      .then(
        ({ status }) => status,
        () => 'closed' as const,
      );

  it('is reached at the first of them that answers', async () => {
    service(FIRST, SECOND, THIRD);
    expect(await ask(await proxy())).toBe(FIRST);
    expect(tries()).toEqual([1, 0, 0]);
  });

  it('is tried at the next as soon as one fails, families in turn', async () => {
    service(SECOND, THIRD);
    expect(await ask(await proxy())).toBe(THIRD);
    expect(tries()).toEqual([1, 0, 1]);
  });

  it('is tried in the order that is said', async () => {
    service(SECOND, THIRD);
    expect(await ask(await proxy({}, { addressOrder: { count: 2 } }))).toBe(SECOND);
    expect(tries()).toEqual([1, 1, 0]);
  });

  it('is tried at the next beside one that says nothing for 300 ms, and loses nothing by one that comes late', async () => {
    service(SECOND);
    network.refuse(name(FIRST), 'silence');
    network.refuse(name(THIRD), 'silence');
    const test = await proxy();
    const body = ask(test);
    await vi.waitFor(() => expect(tries()).toEqual([1, 0, 0]));
    await clock.advance(290);
    expect(tries()).toEqual([1, 0, 0]);
    await clock.advance(20);
    expect(tries()).toEqual([1, 0, 1]);
    await clock.advance(270);
    expect(tries()).toEqual([1, 0, 1]);
    await clock.advance(50);
    expect(await body).toBe(SECOND);
    expect(tries()).toEqual([1, 1, 1]);
    await clock.advance(5_000);
    expect(tries()).toEqual([1, 1, 1]);
  });

  it('cannot be reached where no address answers in time, or each refuses: one failure, by the one that failed last', async () => {
    const test = await proxy();
    const refused = listener === 'http' ? 503 : 'closed';
    expect(await outcome(test)).toBe(refused);
    expect(tries()).toEqual([1, 1, 1]);
    const failures = (): number | undefined =>
      test.meter.value('tulle_cluster_upstream_cx_connect_fail_total', { cluster: 'api' });
    expect(failures()).toBe(1);
    for (const host of [FIRST, SECOND, THIRD]) network.refuse(name(host), 'silence');
    const timed = outcome(test);
    await vi.waitFor(() => expect(tries()).toEqual([2, 1, 1]));
    await clock.advance(2_100);
    expect(await timed).toBe(refused);
    expect(tries()).toEqual([2, 2, 2]);
    expect(failures()).toBe(2);
    expect(test.meter.value('tulle_cluster_upstream_cx_total', { cluster: 'api' })).toBe(6);
  });

  it('has those of its name, where one endpoint is all of a name', async () => {
    service(SECOND);
    network.names.set('api.test', [FIRST, SECOND]);
    const test = await proxy({
      discovery: { kind: 'dns', use: 'first', endpoints: [{ address: at('api.test') }] },
    });
    expect(await ask(test)).toBe(SECOND);
  });
});

it('a host of a forward proxy is tried at all addresses of its name', async () => {
  service(SECOND);
  network.names.set('api.test', [FIRST, SECOND]);
  const test = await proxy({ discovery: { kind: 'forward-proxy' } });
  const answer = await test.client({ listener: 'http' }).request({ headers: { host: 'api.test' } });
  expect(answer.body).toBe(SECOND);
});

it('an active health check asks the first address alone', async () => {
  service(SECOND, THIRD);
  const test = await proxy({
    panicThresholdPercent: 0,
    healthCheck: {
      kind: 'tcp',
      intervalMs: 1_000,
      timeoutMs: 500,
      unhealthyThreshold: 1,
      healthyThreshold: 1,
    },
  });
  await clock.advance(100);
  expect(tries()).toEqual([1, 0, 0]);
  expect((await test.client({ listener: 'http' }).request()).status).toBe(503);
});
