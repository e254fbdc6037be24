import { DELIVER, RETRY } from '@tulle/filter';
import { httpListener, route } from '@tulle/proxy';
import type { Endpoint } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import type { TestProxy, TestProxyOptions } from '../src/index.ts';
import { filter, started } from './support.ts';

/** Up to two retries at once, of what could not be connected. */
const twice = filter(
  'twice',
  {
    attemptEnd: ({ attempt }) => {
      if (attempt.number > 2 || attempt.failure === undefined) return DELIVER;
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
): Promise<TestProxy> {
  return started({
    listeners: [
      httpListener({ host: '127.0.0.1', port: 8080, routes: [route('/', 'api')], filters: [twice] }),
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
