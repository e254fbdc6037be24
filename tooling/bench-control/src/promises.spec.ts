import { describe, expect, it } from 'vitest';
import { judge } from './promises.ts';
import type { ChangeFigures, MeshFigures } from './run.ts';

const change = (more: Partial<ChangeFigures> = {}): ChangeFigures => ({
  change: 'an endpoint of a seldom Service',
  rounds: 20,
  proxies: 10,
  p50Ms: 10,
  p99Ms: 20,
  maxMs: 30,
  arrivedP99Ms: 15,
  bytesPerProxy: 400,
  cpuMs: 5,
  ...more,
});
const mesh = (more: Partial<MeshFigures> = {}): MeshFigures => ({
  proxies: 100,
  services: 1_000,
  upstreams: 10,
  endpoints: 2,
  join: { tookMs: 1_000, cpuMs: 900, bytesPerProxy: 40_000 },
  rssMb: 200,
  peakRssMb: 300,
  changes: [change()],
  ...more,
});
const broken = (...meshes: MeshFigures[]): string[] =>
  judge(meshes).flatMap(({ ok, promise }) => (ok ? [] : [promise]));

describe('the promises of a control plane', () => {
  it('hold of a mesh within them', () => {
    expect(broken(mesh(), mesh({ proxies: 2_000 }))).toEqual([]);
  });

  it('bound what a hundred proxies wait, and what two thousand do', () => {
    const slow = { changes: [change({ p50Ms: 151, p99Ms: 501 })] };
    expect(broken(mesh(slow))).toEqual([
      '100 proxies, 1000 Services: an endpoint of a seldom Service, p50 ≤ 150 ms',
      '100 proxies, 1000 Services: an endpoint of a seldom Service, p99 ≤ 500 ms',
    ]);
    expect(broken(mesh({ ...slow, proxies: 2_000 }))).toEqual([]);
    expect(broken(mesh({ proxies: 2_000, changes: [change({ p99Ms: 2_001 })] }))).toHaveLength(1);
    expect(broken(mesh({ changes: [change({ p99Ms: Number.NaN })] }))).toHaveLength(1); // nobody confirmed anything
  });

  it('bound memory', () => {
    expect(broken(mesh({ proxies: 2_000, peakRssMb: 1_537 }))).toEqual([
      '2000 proxies, 1000 Services: memory at most ≤ 1536 MiB',
    ]);
  });

  it("hold an endpoint's bytes equal, however many Services there are", () => {
    const few = mesh({ proxies: 2_000, services: 100 });
    const many = (bytesPerProxy: number): MeshFigures =>
      mesh({ proxies: 2_000, changes: [change({ bytesPerProxy })] });
    expect(broken(few, many(410))).toEqual([]);
    const unequal = ['an endpoint of a seldom Service: as many bytes with 1000 Services as with 100'];
    expect(broken(few, many(420))).toEqual(unequal);
    expect(broken(few, many(Number.NaN))).toEqual(unequal); // nobody confirmed anything
  });
});
