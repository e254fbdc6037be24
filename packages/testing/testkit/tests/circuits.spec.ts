import type { Cluster } from '@tulle/model';
import { httpListener, route } from '@tulle/proxy';
import { describe, expect, it } from 'vitest';
import type { Answer, TestProxy } from '../src/index.ts';
import { once } from './once.ts';
import { started } from './support.ts';

function limited(
  bounds: Pick<Cluster, 'limits' | 'highLimits'>,
  answer: () => Answer | Promise<Answer>,
  filters: readonly never[] = [],
): Promise<TestProxy> {
  return started({
    listeners: [
      httpListener({
        port: 8080,
        routes: [route('/high', 'api', { circuitPriority: 'high' }), route('/', 'api')],
        filters,
      }),
    ],
    clusters: [
      {
        name: 'api',
        discovery: { kind: 'static', endpoints: [{ address: { host: '10.0.0.1', port: 80 } }] },
        ...bounds,
      },
    ],
    upstreams: { '10.0.0.1:80': answer },
  });
}

describe('limits of a cluster', () => {
  it('count requests of both priorities apart', async () => {
    const waiting: (() => void)[] = [];
    const test = await limited(
      { limits: { maxRequests: 1 }, highLimits: { maxRequests: 2 } },
      () => new Promise((resolve) => waiting.push(() => resolve({ body: 'ok' }))),
    );
    const client = (): ReturnType<TestProxy['client']> => test.client();
    const first = client().request({ path: '/' });
    await test.clock.settle();
    expect((await client().request({ path: '/' })).status).toBe(503);
    const high = [client().request({ path: '/high' }), client().request({ path: '/high' })];
    await test.clock.settle();
    expect((await client().request({ path: '/high' })).status).toBe(503);
    for (const answer of waiting) answer();
    expect((await first).status).toBe(200);
    expect((await Promise.all(high)).map(({ status }) => status)).toEqual([200, 200]);
    expect(test.meter.value('tulle_cluster_upstream_rq_active_overflow_total')).toBe(2);
  });

  it('let those of high priority wait before others, whoever came first', async () => {
    const waiting: (() => void)[] = [];
    const test = await limited(
      { limits: { maxConnectionsPerEndpoint: 1 } },
      () => new Promise((resolve) => waiting.push(() => resolve({ body: 'ok' }))),
    );
    const done: string[] = [];
    const ask = async (path: string): Promise<void> => {
      await test.client().request({ path });
      done.push(path);
    };
    const asked = [ask('/first')];
    await test.clock.settle();
    for (const path of ['/a', '/b', '/high/1', '/c', '/high/2']) {
      asked.push(ask(path));
      await test.clock.settle();
    }
    for (let i = 0; i < 6; i++) {
      waiting.shift()?.();
      await test.clock.settle();
    }
    await Promise.all(asked);
    expect(done).toEqual(['/first', '/high/1', '/high/2', '/a', '/b', '/c']);
  });

  it('give one endpoint so many connections and no more', async () => {
    const waiting: (() => void)[] = [];
    const test = await limited(
      { limits: { maxConnectionsPerEndpoint: 2 } },
      () => new Promise((resolve) => waiting.push(() => resolve({ body: 'ok' }))),
    );
    const asked = [1, 2, 3].map(() => test.client().request());
    await test.clock.settle();
    expect(test.network.connections('10.0.0.1:80')).toBe(2);
    for (let i = 0; i < 3; i++) {
      waiting.shift()?.();
      await test.clock.settle();
    }
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([200, 200, 200]);
  });

  it.each([
    ['so many retries', 2, { maxRetries: 1 }],
    ['as many as a share of the requests', 1, { retryConcurrency: { percent: 40, least: 0 } }],
    ['at least the few that are always allowed', 2, { retryConcurrency: { percent: 0, least: 1 } }],
  ] as const)('let %s be under way', async (_, inAll, limits) => {
    const test = await limited({ limits }, () => ({ status: 503 }), [once] as never);
    const asked = [1, 2, 3].map(() => test.client().request());
    await test.clock.settle();
    expect(test.meter.value('tulle_cluster_upstream_rq_retry_refused_total')).toBe(2);
    await test.clock.advance(1_000);
    await Promise.all(asked);
    expect(test.meter.value('tulle_cluster_upstream_rq_retry_total')).toBe(1);
    // It is over, so the next may.
    const again = test.client().request();
    await test.clock.advance(1_000);
    expect((await again).status).toBe(503);
    expect(test.meter.value('tulle_cluster_upstream_rq_retry_total')).toBe(inAll);
  });
});
