import type { Cluster, Endpoint, HttpHealthCheck, PoolOptions } from '@tulle/model';
import { httpListener, route, tcpListener } from '@tulle/proxy';
import { describe, expect, it, vi } from 'vitest';
import type { TestConnection, TestProxy } from '../src/index.ts';
import { started } from './support.ts';

const endpoint = (host: string): Endpoint => ({ address: { host, port: 80 } });
const check: HttpHealthCheck = {
  kind: 'http',
  path: '/health',
  intervalMs: 1_000,
  noTrafficIntervalMs: 1_000,
  timeoutMs: 500,
  unhealthyThreshold: 1,
  healthyThreshold: 1,
};

interface World {
  readonly test: TestProxy;
  /** What health checks are answered from now on. */
  health: number;
  /** Lets the request of `/slow` go on. */
  go(): void;
  /** Those that requests came on, in the order of the first. */
  carried(): TestConnection[];
  set(endpoints: readonly Endpoint[]): Promise<unknown>;
}

async function world(pool: PoolOptions, more: { readonly checked?: boolean } = {}): Promise<World> {
  let go = (): void => {};
  const slow = new Promise<void>((resolve) => (go = resolve));
  const clusterOf = (endpoints: readonly Endpoint[]): Cluster => ({
    name: 'api',
    discovery: { kind: 'static', endpoints },
    panicThresholdPercent: 0,
    ...(more.checked === true
      ? { healthCheck: check }
      : { outlier: { consecutiveFailures: 1, maxEjectionPercent: 100 } }),
    pool,
  });
  const own: World = {
    health: 200,
    go: () => go(),
    carried: () => {
      const found = test.upstream('10.0.0.1:80').requests.filter(({ target }) => target !== '/health');
      return [...new Set(found.map(({ connection }) => connection))];
    },
    set: (endpoints) => test.proxy.update({ ...test.proxy.config, clusters: [clusterOf(endpoints)] }),
    get test() {
      return test;
    },
  };
  const test: TestProxy = await started({
    listeners: [
      httpListener({ name: 'http', port: 8080, routes: [route('/', 'api')] }),
      tcpListener({ name: 'tcp', port: 8081, cluster: 'api' }),
    ],
    // The other is there so that the first may be ejected.
    clusters: [clusterOf([endpoint('10.0.0.1'), { ...endpoint('10.0.0.2'), priority: 1 }])],
    upstreams: {
      '10.0.0.1:80': async ({ target }) => {
        if (target === '/health') return { status: own.health };
        if (target === '/slow') await slow;
        return { status: target === '/fails' ? 500 : 200 };
      },
      '10.0.0.2:80': () => ({}),
      '10.0.0.3:80': () => ({}),
    },
  });
  await test.clock.advance(100);
  return own;
}

/** One connection at rest, one under way, one of bytes. */
async function busy({ test, carried }: World): Promise<{
  readonly slow: Promise<{ readonly status: number }>;
  readonly bytes: TestConnection;
  readonly closed: () => boolean[];
}> {
  const slow = test.client({ listener: 'http' }).request({ path: '/slow' });
  await vi.waitFor(() => expect(carried()).toHaveLength(1));
  await test.client({ listener: 'http' }).request();
  const bytes = test.connect({ listener: 'tcp' });
  bytes.send('GET /bytes HTTP/1.1\r\nHost: a\r\n\r\n');
  await vi.waitFor(() => expect(carried()).toHaveLength(3));
  return { slow, bytes, closed: () => carried().map((one) => one.closed || one.ended) };
}

describe.each([false, true])(
  'an endpoint that fails, with connections of bytes closed: %s',
  (closesOnFailure) => {
    const turns: readonly (readonly [string, boolean, (own: World) => Promise<unknown>])[] = [
      [
        'its active health check',
        true,
        async (own) => {
          own.health = 500;
          await own.test.clock.advance(1_100);
        },
      ],
      [
        'a request, and is ejected',
        false,
        ({ test }) => test.client({ listener: 'http' }).request({ path: '/fails' }),
      ],
    ];

    it.each(turns)(
      '%s: keeps what its connections carry, and gets nothing new over them',
      async (_, checked, fail) => {
        const own = await world({ closesOnFailure }, { checked });
        const { slow, bytes, closed } = await busy(own);
        expect(closed()).toEqual([false, false, false]);
        await fail(own);
        await vi.waitFor(() => expect(closed()).toEqual([false, true, closesOnFailure]));
        if (closesOnFailure) await bytes.over();
        else expect(bytes.closed || bytes.ended).toBe(false);
        own.go();
        expect((await slow).status).toBe(200);
        await vi.waitFor(() => expect(closed()[0]).toBe(true));
      },
    );
  },
);

describe('a set of endpoints that changes', () => {
  const stays: readonly Endpoint[] = [endpoint('10.0.0.1'), { ...endpoint('10.0.0.2'), priority: 1 }];
  const comes: Endpoint = { ...endpoint('10.0.0.3'), priority: 1 };

  it.each([
    ['drains', 'comes', true, [...stays, comes]],
    ['drains', 'goes', true, stays.slice(0, 1)],
    ['leaves', 'comes, and nobody asks for that', false, [...stays, comes]],
    ['leaves', 'is weighted anew', true, [{ ...stays[0]!, weight: 2 }, ...stays.slice(1)]],
  ])('%s connections to those that stay where one %s', async (what, _, drainsOnSetChange, endpoints) => {
    const own = await world({ drainsOnSetChange });
    const { slow, bytes, closed } = await busy(own);
    const drained = what === 'drains';
    await own.set(endpoints);
    await vi.waitFor(() => expect(closed()).toEqual([false, drained, false]));
    own.go();
    expect((await slow).status).toBe(200);
    await vi.waitFor(() => expect(closed()).toEqual([drained, drained, false]));
    expect(bytes.closed).toBe(false);
  });
});
