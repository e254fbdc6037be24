import { expect, it } from 'vitest';
import type { NodeProxySample } from '../proxies/node-proxy-sample.ts';
import { nodeOverheadOf } from './overhead.ts';

const sample = (atMs: number, cpuSeconds: number, names: readonly string[]): NodeProxySample => ({
  pid: 7,
  startedMs: Date.now() - 10_000,
  atMs,
  workloads: names.map((name) => ({ namespace: 'shop', name })),
  engines: new Map([
    [8, { cpuSeconds, residentBytes: 300 }],
    [9, { cpuSeconds, residentBytes: 100 }],
  ]),
  supervisor: { cpuSeconds: cpuSeconds / 2, residentBytes: 200 },
});

it('a node proxy costs each of its workloads an even share, of all its processes', () => {
  const interval = { before: sample(0, 1, ['a']), after: sample(2_000, 1.2, ['a', 'b', 'c', 'd']) };
  const shares = nodeOverheadOf(interval);
  expect(shares.map(({ namespace, workload }) => `${namespace}/${workload}`)).toEqual(
    ['a', 'b', 'c', 'd'].map((name) => `shop/${name}`),
  );
  expect(shares[0]).toEqual({
    namespace: 'shop',
    workload: 'a',
    mode: 'node-proxy',
    sharedBy: 4,
    instances: 1,
    rps: undefined,
    cpuCores: expect.closeTo((0.2 + 0.2 + 0.1) / 2 / 4) as number,
    cpuMicrosPerRequest: undefined,
    memoryBytes: 150,
    supervisorMemoryBytes: 50,
    addedMsP50: undefined,
    addedMsP99: undefined,
  });
  // All since its start.
  const [whole] = nodeOverheadOf({ before: undefined, after: interval.after });
  expect(whole?.cpuCores).toBeCloseTo((1.2 + 1.2 + 0.6) / 10 / 4, 3);
  expect(nodeOverheadOf({ before: undefined, after: sample(0, 1, []) })).toEqual([]);
});
