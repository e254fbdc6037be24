import { httpListener, route } from '@tulle/proxy';
import { describe, expect, it } from 'vitest';
import type { Answer, TestProxy } from '../src/index.ts';
import { started } from './support.ts';

async function withReports(one: Answer, two: Answer): Promise<TestProxy> {
  return started({
    listeners: [httpListener({ host: '127.0.0.1', port: 8080, routes: [route('/', 'api')] })],
    clusters: [
      {
        name: 'api',
        discovery: {
          kind: 'static',
          endpoints: ['10.0.0.1', '10.0.0.2'].map((host) => ({ address: { host, port: 80 } })),
        },
        balance: { policy: 'client-side-weighted-round-robin', blackoutMs: 0, updateMs: 100 },
      },
    ],
    upstreams: {
      '10.0.0.1:80': () => ({ body: '1', ...(one as object) }),
      '10.0.0.2:80': () => ({ body: '2', ...(two as object) }),
    },
  });
}

async function shareOfTwo(test: TestProxy, count = 100): Promise<number> {
  let found = 0;
  for (let i = 0; i < count; i++) if ((await test.client().request()).body === '2') found++;
  return found;
}

const text = (utilization: number): Answer => ({
  headers: { 'endpoint-load-metrics': `TEXT application_utilization=${utilization},rps_fractional=100` },
});

describe('endpoints that say how much load they have', () => {
  it('get as much as their reports let them', async () => {
    const test = await withReports(text(0.9), text(0.1));
    expect(await shareOfTwo(test, 10)).toBe(5);
    await test.clock.advance(200);
    expect(await shareOfTwo(test)).toBeGreaterThanOrEqual(88);
    const value = (outcome: string): number | undefined =>
      test.meter.value('tulle_cluster_load_reports_total', { cluster: 'api', outcome });
    expect([value('taken'), value('unusable')]).toEqual([110, 0]);
  });

  it('may say so in trailers', async () => {
    const trailing = (utilization: number): Answer => ({
      body: undefined as never,
      chunks: [utilization === 0.1 ? '2' : '1'],
      trailers: {
        'endpoint-load-metrics': `TEXT cpu_utilization=${utilization},rps_fractional=100`,
      },
    });
    const test = await withReports(trailing(0.9), trailing(0.1));
    await shareOfTwo(test, 10);
    await test.clock.advance(200);
    expect(await shareOfTwo(test)).toBeGreaterThanOrEqual(88);
  });

  it('share evenly as long as what they say cannot be used, which is counted', async () => {
    const test = await withReports({ headers: { 'endpoint-load-metrics': 'TEXT cpu=' } }, {});
    await shareOfTwo(test, 10);
    await test.clock.advance(200);
    expect(await shareOfTwo(test, 10)).toBe(5);
    const labels = { cluster: 'api', outcome: 'unusable' };
    expect(test.meter.value('tulle_cluster_load_reports_total', labels)).toBe(10);
  });
});
