import { expect, it } from 'vitest';
import { CHANGES } from './changes.ts';
import { runMesh } from './run.ts';

it('a small mesh joins a real control plane, and every kind of change is confirmed by whom it concerns', async () => {
  const progress: string[] = [];
  const figures = await runMesh({
    size: { proxies: 6, services: 5, upstreams: 2, endpoints: 1 },
    changes: CHANGES,
    rounds: 1,
    quietMs: 50,
    progress: (line) => progress.push(line),
  });
  const concerned = Object.fromEntries(figures.changes.map(({ change, proxies }) => [change, proxies]));
  expect(concerned).toEqual({
    'an endpoint of a seldom Service': 2,
    'an endpoint of a Service for all': 6,
    'an endpoint removed, for all': 6,
    'weights of a route for all': 6,
    'an authorization policy for all': 6,
  });
  for (const { p99Ms, bytesPerProxy, cpuMs } of figures.changes) {
    expect(p99Ms).toBeGreaterThanOrEqual(0);
    expect(bytesPerProxy).toBeGreaterThan(100);
    expect(cpuMs).toBeGreaterThan(0);
  }
  expect(figures.join.bytesPerProxy).toBeGreaterThan(1_000);
  expect(figures.peakRssMb).toBeGreaterThan(30);
  expect(progress.at(-1)).toContain('done');
}, 60_000);
