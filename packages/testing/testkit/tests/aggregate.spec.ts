import type { Cluster, Endpoint } from '@tulle/model';
import { httpListener, route } from '@tulle/proxy';
import { describe, expect, it } from 'vitest';
import type { TestProxy, TestProxyOptions } from '../src/index.ts';
import { started } from './support.ts';

const at = (host: string, rest: Partial<Endpoint> = {}): Endpoint => ({
  address: { host, port: 80 },
  ...rest,
});
const cluster = (name: string, endpoints: readonly Endpoint[], rest: Partial<Cluster> = {}): Cluster => ({
  name,
  discovery: { kind: 'static', endpoints },
  ...rest,
});
const aggregate = (name: string, ...clusters: readonly string[]): Cluster => ({
  name,
  discovery: { kind: 'aggregate', clusters },
});

const UPSTREAMS = Object.fromEntries(
  ['10.0.1.1', '10.0.1.2', '10.0.2.1', '10.0.3.1'].map((host) => [`${host}:80`, () => ({ body: host })]),
);

function proxy(clusters: readonly Cluster[], more: Partial<TestProxyOptions> = {}): Promise<TestProxy> {
  return started({
    listeners: [httpListener({ port: 8080, routes: [route('/', 'all')] })],
    clusters,
    upstreams: UPSTREAMS,
    ...more,
  });
}

async function answers(test: TestProxy, count = 20): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (let i = 0; i < count; i++) {
    const { body, status } = await test.client().request();
    const key = status === 200 ? body : String(status);
    found[key] = (found[key] ?? 0) + 1;
  }
  return found;
}

describe('an aggregate cluster', () => {
  it('uses the first while that is well, then the next, also through another aggregate', async () => {
    const setup = (first: Endpoint['health'], second: Endpoint['health']): readonly Cluster[] => [
      aggregate('all', 'first', 'others'),
      aggregate('others', 'second', 'third'),
      cluster('first', [at('10.0.1.1', { health: first ?? 'healthy' })]),
      cluster('second', [at('10.0.2.1', { health: second ?? 'healthy' })]),
      cluster('third', [at('10.0.3.1')]),
    ];
    expect(await answers(await proxy(setup('healthy', 'healthy')))).toEqual({ '10.0.1.1': 20 });
    expect(await answers(await proxy(setup('unhealthy', 'healthy')))).toEqual({ '10.0.2.1': 20 });
    expect(await answers(await proxy(setup('unhealthy', 'unhealthy')))).toEqual({ '10.0.3.1': 20 });
  });

  it('asks its clusters for the labels that a route wants', async () => {
    const stages = (name: string, host: string): Cluster =>
      cluster(
        name,
        [at(`${host}.1`, { labels: { stage: 'prod' } }), at(`${host}.2`, { labels: { stage: 'canary' } })],
        { subsets: { fallback: 'none', selectors: [{ keys: ['stage'] }] } },
      );
    const wanted = [{ name: 'all', subset: { stage: 'canary' } }];
    const test = await proxy(
      [aggregate('all', 'first', 'second'), stages('first', '10.0.1'), stages('second', '10.0.2')],
      {
        listeners: [httpListener({ port: 8080, routes: [route('/', wanted)] })],
      },
    );
    expect(await answers(test)).toEqual({ '10.0.1.2': 20 });
  });

  it('gives the next what the first cannot take, and never panics where that can take it', async () => {
    const test = await proxy([
      aggregate('all', 'first', 'second'),
      cluster('first', [
        at('10.0.1.1'),
        at('10.0.1.2', { health: 'unhealthy' }),
        at('10.0.1.3', { health: 'unhealthy' }),
      ]),
      cluster('second', [at('10.0.2.1')]),
    ]);
    // A third of the first is well: 1.4 / 3 = 46 % stay with it.
    const found = await answers(test, 200);
    expect(Object.keys(found).sort()).toEqual(['10.0.1.1', '10.0.2.1']);
    expect(found['10.0.1.1']).toBeGreaterThan(60);
    expect(found['10.0.1.1']).toBeLessThan(125);
  });

  it('follows its parts: their endpoints, and what stands behind their names', async () => {
    const parts = (health: Endpoint['health'], host: string): Cluster[] => [
      aggregate('all', 'first', 'second'),
      cluster('first', [at('10.0.1.1', { health: health ?? 'healthy' })]),
      cluster('second', [at(host)], { connectTimeoutMs: host === '10.0.2.1' ? 1_000 : 2_000 }),
    ];
    const test = await proxy(parts('healthy', '10.0.2.1'));
    const { config } = test.proxy;
    expect(await answers(test, 3)).toEqual({ '10.0.1.1': 3 });
    await test.proxy.update({ ...config, clusters: parts('unhealthy', '10.0.2.1') });
    expect(await answers(test, 3)).toEqual({ '10.0.2.1': 3 });
    await test.proxy.update({ ...config, clusters: parts('unhealthy', '10.0.3.1') });
    expect(await answers(test, 3)).toEqual({ '10.0.3.1': 3 });
  });

  it('counts requests itself, and connections where the endpoint is', async () => {
    const test = await proxy([
      { ...aggregate('all', 'first'), limits: { maxRequests: 0 } },
      cluster('first', [at('10.0.1.1')]),
    ]);
    expect(await answers(test, 1)).toEqual({ '503': 1 });
    const open = await proxy([aggregate('all', 'first'), cluster('first', [at('10.0.1.1')])]);
    await answers(open, 1);
    const metrics = open.meter;
    expect(metrics.value('tulle_cluster_upstream_cx_total', { cluster: 'first' })).toBe(1);
    expect(metrics.value('tulle_cluster_upstream_cx_total', { cluster: 'all' })).toBe(0);
    expect(metrics.value('tulle_cluster_upstream_rq_total', { cluster: 'all' })).toBe(1);
  });

  it('is refused where it goes round in a circle, or names what is not there', async () => {
    await expect(
      proxy([aggregate('all', 'others'), aggregate('others', 'more'), aggregate('more', 'others')]),
    ).rejects.toThrow(
      /\/clusters\/1\/discovery\/clusters goes round in a circle: "others" → "more" → "others"/,
    );
    await expect(proxy([aggregate('all', 'nobody')])).rejects.toThrow(/no cluster is named "nobody"/);
  });
});
