import { httpListener, route } from '@tulle/proxy';
import type { HttpHealthCheck } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import type { TestProxy, TestProxyOptions } from '../src/index.ts';
import { started } from './support.ts';

const check = (name: string): HttpHealthCheck => ({
  kind: 'http',
  name,
  path: `/${name}`,
  intervalMs: 1_000,
  noTrafficIntervalMs: 1_000,
  timeoutMs: 500,
  unhealthyThreshold: 1,
  healthyThreshold: 1,
});

/** One endpoint; `answers` are of its checks by their path, and may be changed while it runs. */
const options = (
  answers: Record<string, number>,
  checks: readonly HttpHealthCheck[] = [check('web'), check('store')],
): TestProxyOptions => ({
  listeners: [httpListener({ host: '127.0.0.1', port: 8080, routes: [route('/', 'api')] })],
  clusters: [
    {
      name: 'api',
      discovery: { kind: 'static', endpoints: [{ address: { host: 'a', port: 80 } }] },
      panicThresholdPercent: 0,
      healthCheck: checks[0]!,
      moreHealthChecks: checks.slice(1),
    },
  ],
  upstreams: { 'a:80': ({ target }) => ({ status: answers[target] ?? 200 }) },
});
const status = async (test: TestProxy): Promise<number> => (await test.client().request()).status;

describe('several health checks', () => {
  it('make an endpoint ill where one finds it ill, and well again where all find it well', async () => {
    const answers = { '/web': 200, '/store': 500 };
    const test = await started(options(answers));
    await test.clock.advance(100);
    expect(await status(test)).toBe(503);
    answers['/store'] = 200;
    answers['/web'] = 500;
    await test.clock.advance(1_100);
    expect(await status(test)).toBe(503);
    answers['/web'] = 200;
    await test.clock.advance(1_100);
    expect(await status(test)).toBe(200);
    answers['/store'] = 500;
    await test.clock.advance(1_100);
    expect(await status(test)).toBe(503);
  });

  it('are counted each by its name', async () => {
    const test = await started(options({ '/store': 500 }));
    await test.clock.advance(100);
    const value = (what: string, name: string): number | undefined =>
      test.meter.value(`tulle_cluster_health_check_${what}`, { cluster: 'api', check: name });
    expect([value('success_total', 'web'), value('success_total', 'store')]).toEqual([1, 0]);
    expect([value('failure_total', 'web'), value('failure_total', 'store')]).toEqual([0, 1]);
    expect([value('healthy', 'web'), value('healthy', 'store')]).toEqual([1, 0]);
  });

  it('go on from what was found before where the cluster is built anew', async () => {
    const test = await started(options({}));
    await test.clock.advance(100);
    const healthy = (): (number | undefined)[] =>
      ['web', 'store'].map((name) =>
        test.meter.value('tulle_cluster_health_check_healthy', { cluster: 'api', check: name }),
      );
    expect(healthy()).toEqual([1, 1]);
    const { version, ...config } = test.proxy.config;
    const clusters = config.clusters.map((one) => ({ ...one, connectTimeoutMs: 700 }));
    await test.proxy.update({ ...config, version: `${version}+`, clusters });
    expect(healthy()).toEqual([1, 1]);
    expect(await status(test)).toBe(200);
  });

  it('all hear of an answer that says that its endpoint is ill', async () => {
    const given = options({});
    const test = await started({
      ...given,
      upstreams: {
        'a:80': ({ target }) => ({
          ...(target === '/' && { headers: { 'x-envoy-immediate-health-check-fail': 'true' } }),
        }),
      },
    });
    await test.clock.advance(100);
    expect([await status(test), await status(test)]).toEqual([200, 503]);
    await test.clock.advance(1_100);
    expect(await status(test)).toBe(200);
  });

  it('are refused where they have no names, or the same', async () => {
    const { name: _, ...unnamed } = check('web');
    await expect(started(options({}, [unnamed, check('b'), check('b')]))).rejects.toMatchObject({
      issues: [{ path: '/clusters/0/healthCheck/name' }, { path: '/clusters/0/moreHealthChecks/1/name' }],
    });
  });
});
