import type { Cluster } from '@tulle/model';
import { httpListener, route } from '@tulle/proxy';
import { describe, expect, it } from 'vitest';
import type { Answer, TestProxy, TestProxyOptions } from '../src/index.ts';
import { once } from './once.ts';
import { started } from './support.ts';

/** `api` at 10.0.0.1, with policies; `copies` and `others` get copies. */
function withPolicies(
  policies: Partial<Cluster>,
  answer: () => Answer,
  forward: Parameters<typeof route>[2] = {},
): Promise<TestProxy> {
  const at = (name: string, host: string): Cluster => ({
    name,
    discovery: {
      kind: 'static',
      endpoints: [
        { address: { host, port: 80 } },
        // It is asked where the other one is ejected.
        ...(name === 'api' ? [{ address: { host: '10.0.0.4', port: 80 }, priority: 1 }] : []),
      ],
    },
  });
  const upstreams: TestProxyOptions['upstreams'] = {
    '10.0.0.1:80': answer,
    '10.0.0.4:80': () => ({ body: 'instead' }),
    '10.0.0.2:80': () => ({}),
    '10.0.0.3:80': () => ({}),
  };
  return started({
    listeners: [httpListener({ port: 8080, routes: [route('/', 'api', forward)] })],
    clusters: [{ ...at('api', '10.0.0.1'), ...policies }, at('copies', '10.0.0.2'), at('others', '10.0.0.3')],
    upstreams,
  });
}

describe('a cluster that says where its requests are copied', () => {
  it('is obeyed in the place of its routes', async () => {
    const test = await withPolicies({ mirrors: [{ cluster: 'copies' }] }, () => ({ body: 'ok' }), {
      mirrors: [{ cluster: 'others' }],
    });
    expect((await test.client().request({ path: '/a' })).body).toBe('ok');
    await test.clock.settle();
    expect(test.upstream('10.0.0.2:80').requests.map(({ target }) => target)).toEqual(['/a']);
    expect(test.upstream('10.0.0.3:80').requests).toEqual([]);
  });

  it('gives its copies fields of expressions, also where nobody else has any', async () => {
    const set = [{ name: 'x-made', value: '%CEL(request.method)%', format: true }];
    const test = await withPolicies({ mirrors: [{ cluster: 'copies', edits: [{ set }] }] }, () => ({
      body: 'ok',
    }));
    await test.client().request();
    await test.clock.settle();
    expect(test.upstream('10.0.0.2:80').requests.map((request) => request.header('x-made'))).toEqual(['GET']);
  });

  it('copies nothing of copies, and lets routes speak where it says nothing', async () => {
    const test = await withPolicies(
      { mirrors: [], failedAnswers: { kind: 'any', of: [] } },
      () => ({ body: 'ok' }),
      { mirrors: [{ cluster: 'api' }] },
    );
    await test.client().request();
    await test.clock.settle();
    expect(test.upstream('10.0.0.1:80').requests).toHaveLength(2);
    const looped = await withPolicies({ mirrors: [{ cluster: 'api' }] }, () => ({ body: 'ok' }));
    await looped.client().request();
    await looped.clock.settle();
    expect(looped.upstream('10.0.0.1:80').requests).toHaveLength(2);
  });
});

describe('a cluster that says which answers are failures', () => {
  const outlier = { consecutiveFailures: 1, maxEjectionPercent: 100 };
  const sick = { kind: 'header', header: { name: 'x-sick', match: { kind: 'present' } } } as const;
  const statusIs = (value: string) =>
    ({ kind: 'header', header: { name: ':status', match: { kind: 'exact', value } } }) as const;

  it.each([
    ['by a field, whatever the status', sick, { headers: { 'x-sick': '1' } }, 1],
    ['by nothing else', sick, { status: 503 }, 0],
    ['by the status', statusIs('404'), { status: 404 }, 1],
    ['by all of several', { kind: 'all', of: [sick, statusIs('404')] }, { status: 404 }, 0],
    ['by one of several', { kind: 'any', of: [sick, statusIs('404')] }, { status: 404 }, 1],
    ['by what it is not', { kind: 'not', of: statusIs('200') }, { status: 302 }, 1],
  ] as const)('is believed: %s', async (_, failedAnswers, answer, ejections) => {
    const test = await withPolicies({ outlier, failedAnswers, panicThresholdPercent: 0 }, () => answer);
    await test.client().request();
    await test.clock.settle();
    expect(test.meter.value('tulle_cluster_outlier_detection_ejections_enforced_total') ?? 0).toBe(ejections);
    expect((await test.client().request()).body === 'instead').toBe(ejections === 1);
  });

  it('is refused where it asks for what answers do not have', async () => {
    await expect(
      withPolicies(
        { failedAnswers: { kind: 'header', header: { name: ':path', match: { kind: 'present' } } } },
        () => ({}),
      ),
    ).rejects.toThrow(/failedAnswers\/header\/name.*nothing that answers have/s);
  });
});

describe('retries as a share of what was sent lately', () => {
  it('count those that are over, and retries themselves, until the time has passed', async () => {
    const test = await started({
      listeners: [httpListener({ port: 8080, routes: [route('/', 'api')], filters: [once] })],
      clusters: [
        {
          name: 'api',
          discovery: { kind: 'static', endpoints: [{ address: { host: '10.0.0.1', port: 80 } }] },
          limits: { retryConcurrency: { percent: 40, least: 0, intervalMs: 10_000 } },
        },
      ],
      upstreams: { '10.0.0.1:80': ({ target }) => ({ status: target === '/bad' ? 503 : 200 }) },
    });
    const retried = () => test.meter.value('tulle_cluster_upstream_rq_retry_total') ?? 0;
    for (let i = 0; i < 2; i++) await test.client().request({ path: '/' });
    // 40 % of the 6 that were sent are 2; with those it is 8, of which a third one is.
    const bad = [1, 2, 3, 4].map(() => test.client().request({ path: '/bad' }));
    await test.clock.settle();
    expect(retried()).toBe(3);
    await test.clock.advance(11_000);
    await Promise.all(bad);
    const late = test.client().request({ path: '/bad' });
    await test.clock.settle();
    expect((await late).status).toBe(503);
    expect(retried()).toBe(3);
  });
});
