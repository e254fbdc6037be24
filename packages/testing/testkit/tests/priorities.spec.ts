import { DELIVER, RETRY } from '@tulle/filter';
import { httpListener, route } from '@tulle/proxy';
import type { Endpoint } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import type { TestProxy, TestProxyOptions } from '../src/index.ts';
import { filter, started } from './support.ts';

/** So many retries at once, of what could not be connected. */
const retries = (times: number) =>
  filter(
    'retries',
    {
      attemptEnd: ({ attempt }) => {
        if (attempt.number > times || attempt.failure === undefined) return DELIVER;
        attempt.retryDelayMs = 1;
        return RETRY;
      },
    },
    { scope: 'attempt' },
  )({});

const near = (host: string, rest: Partial<Endpoint> = {}): Endpoint => ({
  address: { host, port: 80 },
  ...rest,
});

function withEndpoints(
  endpoints: readonly Endpoint[],
  upstreams: TestProxyOptions['upstreams'] = {},
  forward: Parameters<typeof route>[2] = {},
  times = 2,
): Promise<TestProxy> {
  return started({
    listeners: [
      httpListener({
        host: '127.0.0.1',
        port: 8080,
        routes: [route('/', 'api', forward)],
        filters: [retries(times)],
      }),
    ],
    clusters: [
      {
        name: 'api',
        discovery: { kind: 'static', endpoints },
        limits: { retryBudget: { percent: 100, minPerSecond: 100 } },
      },
    ],
    upstreams,
  });
}

describe('a route whose retries go to other priorities', () => {
  const endpoints = [
    near('10.0.0.1'),
    near('10.0.0.2'),
    near('10.0.0.3', { priority: 1 }),
    near('10.0.0.4', { priority: 1 }),
    near('10.0.0.5', { priority: 2 }),
  ];
  const places = async (every: number, some = endpoints, times = 2): Promise<readonly number[]> => {
    const test = await withEndpoints(some, {}, { newPriorityEvery: every }, times);
    const answered = test.client().request();
    await test.clock.advance(1_000);
    expect((await answered).status).toBe(503);
    const of = (address: string): number =>
      some.find((one) => 'host' in one.address && address.startsWith(one.address.host))?.priority ?? 0;
    return test.records[0]?.attempts.map(({ address }) => of(address)) ?? [];
  };

  it('leaves out what has the priority of an attempt, after as many as it says', async () => {
    expect(await places(0)).toEqual([0, 0, 1]);
    expect(await places(1)).toEqual([0, 1, 2]);
    expect(await places(2)).toEqual([0, 0, 1]);
    expect(await places(3, endpoints.slice(1))).toEqual([0, 1, 1]);
    const more = [...endpoints.slice(1), near('10.0.0.6', { priority: 2 })];
    expect(await places(2, more, 4)).toEqual([0, 1, 2, 2, 0]);
  });

  it('begins anew where no priority is left', async () => {
    expect(await places(1, endpoints.slice(0, 3), 4)).toEqual([0, 1, 0, 1, 0]);
    expect(await places(1, endpoints.slice(0, 2))).toEqual([0, 0, 0]);
  });
});

describe('a cluster with priorities', () => {
  it('is retried at the next priority when the one before has no endpoint that was not tried', async () => {
    const test = await withEndpoints(
      [near('10.0.0.1'), near('10.0.0.2', { priority: 1 }), near('10.0.0.3', { priority: 2 })],
      { '10.0.0.3:80': () => ({ body: 'third' }) },
    );
    const answered = test.client().request();
    await test.clock.advance(1_000);
    expect((await answered).body).toBe('third');
    expect(test.records[0]?.attempts.map(({ address }) => address)).toEqual([
      '10.0.0.1:80',
      '10.0.0.2:80',
      '10.0.0.3:80',
    ]);
  });

  it('gets no traffic at the second one while the first is well, and all of it when that is out', async () => {
    const answers = { '10.0.0.1:80': () => ({ body: 'first' }), '10.0.0.2:80': () => ({ body: 'second' }) };
    const ask = async (health: Endpoint['health']): Promise<string[]> => {
      const test = await withEndpoints(
        [near('10.0.0.1', { health: health ?? 'healthy' }), near('10.0.0.2', { priority: 1 })],
        answers,
      );
      const bodies = [];
      for (let i = 0; i < 20; i++) bodies.push((await test.client().request()).body);
      return [...new Set(bodies)];
    };
    expect(await ask('healthy')).toEqual(['first']);
    expect(await ask('unhealthy')).toEqual(['second']);
  });

  it('tries everything in panic, and counts it', async () => {
    const test = await withEndpoints([near('10.0.0.1', { health: 'unhealthy' })], {
      '10.0.0.1:80': () => ({ body: 'alive' }),
    });
    expect((await test.client().request()).body).toBe('alive');
    expect(test.meter.value('tulle_cluster_lb_healthy_panic_total', { cluster: 'api' })).toBe(1);
  });
});
