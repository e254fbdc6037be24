import type { Cluster, HealthCheckFilterConfig } from '@tulle/model';
import { testProxy, type TestProxy, type Upstream } from '@tulle/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { healthCheck } from './index.ts';

const match = [{ name: ':path', match: { kind: 'exact', value: '/healthz' } as const }];
const IMMEDIATE_FAIL = 'x-envoy-immediate-health-check-fail';
const running: TestProxy[] = [];
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop();
});

async function proxyWith(
  config: Partial<HealthCheckFilterConfig>,
  answer: Upstream['answer'] = () => ({ body: 'ok' }),
  endpoints: readonly string[] = ['10.0.0.1'],
): Promise<TestProxy> {
  const service: Cluster = {
    name: 'service',
    discovery: {
      kind: 'static',
      endpoints: endpoints.map((host) => ({ address: { host, port: 80 } })),
    },
    healthCheck: {
      kind: 'tcp',
      intervalMs: 1_000,
      timeoutMs: 500,
      unhealthyThreshold: 1,
      healthyThreshold: 1,
    },
  };
  const proxy = await testProxy({
    listeners: [
      {
        name: 'test',
        address: { host: '127.0.0.1', port: 8080 },
        filterChains: [
          {
            name: 'http',
            handler: {
              kind: 'http',
              filters: [healthCheck({ match, ...config }, { name: 'health' })],
              routes: {
                name: 'all',
                virtualHosts: [
                  {
                    name: 'all',
                    domains: ['*'],
                    routes: [
                      {
                        name: 'some',
                        match: {
                          path: {
                            kind: 'prefix',
                            value: config.answerBy === 'service' ? '/' : '/served',
                          },
                        },
                        action: { kind: 'forward', clusters: [{ name: 'service' }] },
                      },
                    ],
                  },
                ],
              },
            },
          },
        ],
      },
    ],
    clusters: [service],
    upstreams: { '10.0.0.1:80': answer },
  });
  running.push(proxy);
  return proxy;
}

const ask = async (proxy: TestProxy, path = '/healthz') => (await proxy.client().request({ path })).status;

describe('a health check', () => {
  it('is answered here, whatever the routes are, and other requests go on', async () => {
    const proxy = await proxyWith({});
    expect(await ask(proxy)).toBe(200);
    expect(proxy.upstream('10.0.0.1:80').requests).toEqual([]);
    expect([await ask(proxy, '/served'), await ask(proxy, '/healthz?x')]).toEqual([200, 404]);
    expect(proxy.meter.value('tulle_filter_health_check_requests_total', { by: 'proxy' })).toBe(1);
  });

  it('is answered with 503 while the proxy drains', async () => {
    const proxy = await proxyWith({});
    const client = proxy.client();
    expect((await client.request({ path: '/healthz' })).status).toBe(200);
    const drained = proxy.proxy.drain({ windowMs: 10_000 });
    expect((await client.request({ path: '/healthz' })).status).toBe(503);
    await proxy.clock.advance(20_000);
    await drained;
  });

  it('fails while an operator says so, and every answer asks its caller to go elsewhere', async () => {
    const proxy = await proxyWith({});
    const look = async (): Promise<unknown[]> =>
      Promise.all(
        ['/healthz', '/served', '/nowhere'].map(async (path) => {
          const answer = await proxy.client().request({ path });
          return [answer.status, answer.header(IMMEDIATE_FAIL), answer.header('connection')];
        }),
      );
    const well = [
      [200, undefined, undefined],
      [200, undefined, undefined],
      [404, undefined, undefined],
    ];
    expect(await look()).toEqual(well);
    proxy.proxy.failHealthChecks(true);
    expect(await look()).toEqual([
      [503, 'true', 'close'],
      [200, 'true', 'close'],
      [404, 'true', 'close'],
    ]);
    proxy.proxy.failHealthChecks(false);
    expect(await look()).toEqual(well);
  });

  it('fails where too few endpoints are fit, or a cluster is not there', async () => {
    const half = await proxyWith({ minHealthyPercent: { service: 50 } }, undefined, ['10.0.0.1', '10.0.0.9']);
    await half.clock.advance(5_000);
    expect(await ask(half)).toBe(200);
    const more = await proxyWith({ minHealthyPercent: { service: 51 } }, undefined, ['10.0.0.1', '10.0.0.9']);
    await more.clock.advance(5_000);
    expect(await ask(more)).toBe(503);
    expect(await ask(await proxyWith({ minHealthyPercent: { absent: 1 } }))).toBe(503);
  });

  it('goes to the service, whose answer is remembered for a while', async () => {
    let status = 200;
    const proxy = await proxyWith({ answerBy: 'service', cacheMs: 1_000 }, () => ({ status }));
    expect(await ask(proxy)).toBe(200);
    status = 500;
    expect(await ask(proxy)).toBe(200);
    await proxy.clock.advance(1_000);
    expect([await ask(proxy), await ask(proxy)]).toEqual([500, 500]);
    expect(proxy.upstream('10.0.0.1:80').requests).toHaveLength(2);
  });

  it('goes to the service each time where nothing is remembered', async () => {
    const proxy = await proxyWith({ answerBy: 'service' });
    await ask(proxy);
    await ask(proxy);
    expect(proxy.upstream('10.0.0.1:80').requests).toHaveLength(2);
  });
});
