import { expect, it } from 'vitest';
import { processUsage } from './process-usage.ts';

it.runIf(process.platform === 'linux')('tells what a process used, as it knows itself', async () => {
  const own = await processUsage(process.pid);
  const { user, system } = process.cpuUsage();
  expect(Math.abs((own?.cpuSeconds ?? 0) - (user + system) / 1e6)).toBeLessThan(0.5);
  expect((own?.residentBytes ?? 0) / process.memoryUsage.rss()).toBeCloseTo(1, 0);
});

it('tells nothing of one that is not there', async () => {
  expect(await processUsage(2 ** 30)).toBeUndefined();
});
