import { readFileSync } from 'node:fs';
import { filterCompliance, withOptionTable } from '@tulle/filter-compliance';
import { adaptiveConcurrencyFilterSchema } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import { adaptiveConcurrency } from './index.ts';

describe('compliance', () => {
  for (const { name, run } of filterCompliance({
    filter: adaptiveConcurrency,
    validConfigs: [
      {},
      { samplePercentile: 90, maxConcurrency: 1, updateIntervalMs: 1_000, status: 429 },
      {
        minRtt: { intervalMs: 1_000, jitterPercent: 0, requests: 1, minConcurrency: 1, bufferPercent: 50 },
      },
    ],
    invalidConfigs: [
      {
        config: { samplePercentile: 101, maxConcurrency: 0, minRtt: { requests: 0, rate: 1 }, status: 200 },
        pointers: ['/samplePercentile', '/maxConcurrency', '/minRtt/requests', '/minRtt/rate', '/status'],
      },
    ],
    routeConfigs: [{ maxConcurrency: 5 }],
    requests: [{}, {}, { method: 'POST', body: 'x' }],
  }))
    it(`complies: ${name}`, async () => run());
});

it('the README shows the options that the schema has', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  await expect(withOptionTable(readme, adaptiveConcurrencyFilterSchema)).toMatchFileSnapshot('../README.md');
});
