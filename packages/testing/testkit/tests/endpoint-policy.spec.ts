import type { Endpoint, EndpointPolicy } from '@tulle/model';
import { httpListener, route } from '@tulle/proxy';
import { describe, expect, it } from 'vitest';
import {
  fakeClock,
  http2Upstream,
  httpUpstream,
  memoryNetwork,
  type Answer,
  type TestProxy,
} from '../src/index.ts';
import { started } from './support.ts';

const at = (host: string, rest: Partial<Endpoint> = {}): Endpoint => ({
  address: { host, port: 80 },
  ...rest,
});

function withPolicy(policy: EndpointPolicy, endpoints: readonly Endpoint[]): Promise<TestProxy> {
  return started({
    listeners: [httpListener({ host: '127.0.0.1', port: 8080, routes: [route('/', 'api')] })],
    clusters: [
      {
        name: 'api',
        discovery: { kind: 'static', endpoints, policy },
        balance: { policy: 'round-robin' },
      },
    ],
    upstreams: Object.fromEntries(
      ['10.0.0.1', '10.0.0.2'].map((host) => [`${host}:80`, () => ({ body: host })]),
    ),
  });
}

/** How many of so many requests get which status or, of those that are served, which body. */
async function answers(test: TestProxy, count = 200): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (let i = 0; i < count; i++) {
    const { body, status } = await test.client().request();
    const key = status === 200 ? body : String(status);
    found[key] = (found[key] ?? 0) + 1;
  }
  return found;
}

describe('drop_overloads', () => {
  it('refuse all requests, by a flag and a field of their own, and no endpoint is asked', async () => {
    const test = await withPolicy({ drops: [{ category: 'lb', perMillion: 1_000_000 }] }, [at('10.0.0.1')]);
    const answered = await test.client().request();
    expect([answered.status, answered.header('x-envoy-unconditional-drop-overload')]).toEqual([503, 'true']);
    expect(test.records[0]).toMatchObject({
      code: 'TULLE_DROP_ALL',
      flags: ['UDO'],
      details: 'unconditional_drop_overload',
      attempts: [],
    });
    expect(test.upstream('10.0.0.1:80').requests).toEqual([]);
    const metric = { cluster: 'api', category: 'lb' };
    expect(test.meter.value('tulle_cluster_upstream_rq_drop_overload_total', metric)).toBe(1);
  });

  it('refuse a share of them, category after category', async () => {
    const drops = [
      { category: 'lb', perMillion: 250_000 },
      { category: 'throttle', perMillion: 500_000 },
      { category: 'nothing', perMillion: 0 },
    ];
    const test = await withPolicy({ drops }, [at('10.0.0.1')]);
    const { 503: refused = 0, '10.0.0.1': served = 0 } = await answers(test, 1_000);
    expect(refused + served).toBe(1_000);
    const of = (category: string): number =>
      test.meter.value('tulle_cluster_upstream_rq_drop_overload_total', { cluster: 'api', category }) ?? 0;
    expect(Math.abs(of('lb') - 250)).toBeLessThan(60);
    expect(Math.abs(of('throttle') - 375)).toBeLessThan(60);
    expect(of('lb') + of('throttle')).toBe(refused);
    const record = test.records.find(({ status }) => status === 503);
    expect(record).toMatchObject({ code: 'TULLE_DROP_OVERLOAD', flags: ['DO'], details: 'drop_overload' });
  });

  it('end with the set that had them', async () => {
    const test = await withPolicy({ drops: [{ category: 'lb', perMillion: 1_000_000 }] }, [at('10.0.0.1')]);
    expect(await answers(test, 3)).toEqual({ 503: 3 });
    const { config } = test.proxy;
    const clusters = config.clusters.map((cluster) => ({
      ...cluster,
      discovery: { kind: 'static' as const, endpoints: [at('10.0.0.1')] },
    }));
    await test.proxy.update({ ...config, clusters });
    expect(await answers(test, 3)).toEqual({ '10.0.0.1': 3 });
  });
});

describe('the health of priorities', () => {
  it('counts by the factor and the weights that the set says', async () => {
    const endpoints = [
      at('10.0.0.1', { weight: 1 }),
      at('10.0.0.9', { weight: 3, health: 'unhealthy' }),
      at('10.0.0.2', { priority: 1 }),
    ];
    const share = async (policy: EndpointPolicy): Promise<number> => {
      const { '10.0.0.1': first = 0 } = await answers(await withPolicy(policy, endpoints), 400);
      return Math.round(first / 4);
    };
    expect(Math.abs((await share({})) - 70)).toBeLessThan(8);
    expect(Math.abs((await share({ overprovisioningPercent: 100 })) - 50)).toBeLessThan(8);
    expect(Math.abs((await share({ overprovisioningPercent: 100, weightedHealth: true })) - 25)).toBeLessThan(
      8,
    );
  });
});

describe('a degraded endpoint', () => {
  it('is asked where no other is well', async () => {
    const degraded = at('10.0.0.2', { health: 'degraded' });
    const both = await withPolicy({ overprovisioningPercent: 200 }, [at('10.0.0.1'), degraded]);
    expect(await answers(both, 20)).toEqual({ '10.0.0.1': 20 });
    expect(both.meter.value('tulle_cluster_membership_degraded', { cluster: 'api' })).toBe(1);
    expect(both.meter.value('tulle_cluster_membership_healthy', { cluster: 'api' })).toBe(1);
    expect(
      await answers(await withPolicy({}, [at('10.0.0.1', { health: 'unhealthy' }), degraded]), 20),
    ).toEqual({
      '10.0.0.2': 20,
    });
  });

  it.each(['http1', 'http2'] as const)('is one that says so to a health check: %s', async (protocol) => {
    const answered: { check: Answer } = { check: { headers: { 'x-envoy-degraded': '' } } };
    const clock = fakeClock();
    const network = memoryNetwork(clock);
    const serve = protocol === 'http1' ? httpUpstream : http2Upstream;
    serve(network, '10.0.0.1:80', ({ target }) =>
      target === '/healthz' ? answered.check : { body: '10.0.0.1' },
    );
    serve(network, '10.0.0.2:80', () => ({ body: '10.0.0.2' }));
    const test = await started({
      clock,
      network,
      listeners: [httpListener({ host: '127.0.0.1', port: 8080, routes: [route('/', 'api')] })],
      clusters: [
        {
          name: 'api',
          discovery: {
            kind: 'static',
            endpoints: [at('10.0.0.1'), at('10.0.0.2')],
            policy: { overprovisioningPercent: 200 },
          },
          balance: { policy: 'round-robin' },
          pool: { protocol },
          healthCheck: {
            kind: 'http',
            path: '/healthz',
            intervalMs: 1_000,
            timeoutMs: 500,
            unhealthyThreshold: 3,
            healthyThreshold: 2,
            noTrafficIntervalMs: 1_000,
          },
        },
      ],
    });
    await test.clock.advance(100);
    expect(await answers(test, 12)).toEqual({ '10.0.0.2': 12 });
    answered.check = {};
    await test.clock.advance(1_100);
    expect(await answers(test, 12)).toEqual({ '10.0.0.1': 6, '10.0.0.2': 6 });
    expect(test.log.lines.filter(({ message }) => message.includes('degraded'))).toHaveLength(2);
  });
});
