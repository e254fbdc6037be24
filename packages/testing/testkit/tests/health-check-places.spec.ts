import { httpListener, route } from '@tulle/proxy';
import type { Endpoint, HttpHealthCheck } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import type { Answer, TestProxy } from '../src/index.ts';
import { started } from './support.ts';

const CHECK: HttpHealthCheck = {
  kind: 'http',
  path: '/healthz',
  intervalMs: 1_000,
  timeoutMs: 500,
  unhealthyThreshold: 1,
  healthyThreshold: 1,
  noTrafficIntervalMs: 1_000,
};

function proxy(
  check: Partial<HttpHealthCheck>,
  endpoint: Partial<Endpoint> = {},
  answer: () => Answer = () => ({}),
): Promise<TestProxy> {
  return started({
    listeners: [httpListener({ port: 8080, routes: [route('/', 'api')] })],
    clusters: [
      {
        name: 'api',
        panicThresholdPercent: 0,
        discovery: {
          kind: 'static',
          endpoints: [{ address: { host: '10.0.0.1', port: 80 }, ...endpoint }],
        },
        healthCheck: { ...CHECK, ...check },
      },
    ],
    upstreams: {
      '10.0.0.1:80': () => ({ body: 'served' }),
      '10.0.0.1:9000': answer,
      '10.0.0.1:9001': answer,
      '10.0.0.9:9000': answer,
    },
  });
}

describe('a health check', () => {
  it.each([
    ['10.0.0.1:9000', {}],
    ['10.0.0.1:9001', { port: 9_001 }],
    ['10.0.0.9:9000', { host: '10.0.0.9', port: 9_000 }],
  ])('may be made elsewhere than requests are: at %s', async (where, healthCheck) => {
    const test = await proxy({ altPort: 9_000 }, { healthCheck });
    await test.clock.advance(2_100);
    expect(test.upstream(where).requests.length).toBeGreaterThanOrEqual(2);
    expect((await test.client().request()).body).toBe('served');
  });

  it('says what it was given to say', async () => {
    const test = await proxy(
      { altPort: 9_000, headers: [{ name: 'X-Probe', value: 'yes' }] },
      { healthCheck: { hostname: 'one.test' } },
    );
    await test.clock.advance(100);
    const [asked] = test.upstream('10.0.0.1:9000').requests;
    expect(asked?.header('x-probe')).toBe('yes');
    expect(asked?.header('host')).toBe('one.test');
  });

  it('is not made of an endpoint that has none, which counts as well', async () => {
    const test = await proxy({ altPort: 9_000 }, { healthCheck: { disabled: true } }, () => ({
      status: 500,
    }));
    await test.clock.advance(5_000);
    expect(test.upstream('10.0.0.1:9000').requests).toEqual([]);
    expect((await test.client().request()).body).toBe('served');
  });

  it('comes sooner or later behind one that changed something, and while nobody calls', async () => {
    let status = 200;
    const test = await proxy(
      {
        altPort: 9_000,
        noTrafficHealthyIntervalMs: 10_000,
        unhealthyEdgeIntervalMs: 3_000,
        healthyEdgeIntervalMs: 5_000,
        unhealthyIntervalMs: 1_000,
      },
      {},
      () => ({ status }),
    );
    const made = (): number => test.upstream('10.0.0.1:9000').requests.length;
    await test.clock.advance(9_900);
    expect(made()).toBe(1); // well, and nobody calls
    await test.client().request();
    status = 500;
    await test.clock.advance(200);
    expect(made()).toBe(2); // ill: the next one waits for the edge
    await test.clock.advance(2_800);
    expect(made()).toBe(2);
    await test.clock.advance(400);
    expect(made()).toBe(3);
    status = 200;
    await test.clock.advance(1_000);
    expect(made()).toBe(4); // well again: likewise
    await test.clock.advance(4_500);
    expect(made()).toBe(4);
    await test.clock.advance(600);
    expect(made()).toBe(5);
    await test.clock.advance(1_100);
    expect(made()).toBe(6);
  });
});
