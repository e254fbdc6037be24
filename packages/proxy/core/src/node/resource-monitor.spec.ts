import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, expect, it } from 'vitest';
import type { ResourceMonitor, ResourceUse } from '../ports.ts';
import { nodeResourceMonitor } from './resource-monitor.ts';

let monitor: ResourceMonitor | undefined;
afterEach(() => {
  monitor?.close();
  monitor = undefined;
});

const nothing = (): ResourceUse => ({
  heapBytes: -1,
  heapLimitBytes: -1,
  rssBytes: -1,
  memoryLimitBytes: -1,
  loopDelayMs: -1,
  busyShare: -1,
  openFilesLimit: -1,
});

const turn = (): Promise<void> => new Promise((resolve) => void setTimeout(resolve, 1));

function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

it('reads what the process has and uses', () => {
  monitor = nodeResourceMonitor();
  const use = nothing();
  monitor.read(use);
  expect(use.rssBytes).toBeGreaterThan(20_000_000);
  expect(use.heapLimitBytes).toBeGreaterThan(100_000_000);
  expect(Object.values(use).every((value) => Number.isFinite(value) && value >= 0)).toBe(true);
});

it('tells how late the loop comes to its work, and not of one long turn', async () => {
  // As if nobody else had the processor, also where somebody has.
  monitor = nodeResourceMonitor(() => performance.now());
  const use = nothing();
  // It begins to ask when it saw that the loop is busy.
  for (let sample = 0; sample < 2; sample++) {
    for (let i = 0; i < 6; i++) {
      block(80);
      await turn();
    }
    monitor.read(use);
  }
  expect(use.loopDelayMs).toBeGreaterThan(40);
  for (let i = 0; i < 40; i++) {
    if (i === 20) block(300);
    await new Promise<void>((resolve) => void setTimeout(resolve, 10));
  }
  monitor.read(use);
  expect(use.loopDelayMs).toBeLessThan(40);
});

it('does not call a loop late that waits for the processor', async () => {
  monitor = nodeResourceMonitor();
  const use = nothing();
  const asleep = new Int32Array(new SharedArrayBuffer(4));
  for (let sample = 0; sample < 3; sample++) {
    for (let i = 0; i < 6; i++) {
      Atomics.wait(asleep, 0, 0, 80); // as if others had it
      await turn();
    }
    monitor.read(use);
    expect(use.loopDelayMs).toBe(0);
  }
});

it('tells when iterations of the loop begin, until it is told not to', async () => {
  monitor = nodeResourceMonitor();
  let iterations = 0;
  monitor.watchIterations(() => iterations++);
  for (let i = 0; i < 3; i++) await turn();
  expect(iterations).toBeGreaterThanOrEqual(3);
  monitor.watchIterations(undefined);
  const before = iterations;
  for (let i = 0; i < 3; i++) await turn();
  expect(iterations).toBe(before);
});

it('knows of the heap what a full collection left', async () => {
  monitor = nodeResourceMonitor();
  const use = nothing();
  monitor.read(use);
  expect(use.heapBytes).toBe(0);
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const { used_heap_size: before } = getHeapStatistics();
  for (let i = 0; use.heapBytes === 0 && i < 200; i++) {
    collect();
    await turn();
    monitor.read(use);
  }
  expect(use.heapBytes).toBeGreaterThan(1_000_000);
  expect(use.heapBytes).toBeLessThan(before * 1.5);
});
