import { readFileSync } from 'node:fs';
import { filterCompliance, withOptionTable } from '@tulle/filter-compliance';
import { admissionControlFilterSchema } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import { admissionControl } from './index.ts';

describe('compliance', () => {
  for (const { name, run } of filterCompliance({
    filter: admissionControl,
    validConfigs: [
      {},
      {
        windowMs: 1_000,
        successThresholdPercent: 80,
        aggression: 2,
        minRequestsPerSecond: 1,
        maxRejectionPercent: 100,
        success: { httpStatuses: [{ from: 200, to: 299 }], grpcStatuses: [0] },
      },
    ],
    invalidConfigs: [
      {
        config: {
          windowMs: 1_500,
          successThresholdPercent: 0,
          aggression: 0.5,
          success: { httpStatuses: [{ from: 99, to: 700 }], grpcStatuses: [17] },
        },
        pointers: [
          '/windowMs',
          '/successThresholdPercent',
          '/aggression',
          '/success/httpStatuses/0/from',
          '/success/httpStatuses/0/to',
          '/success/grpcStatuses/0',
        ],
      },
    ],
    routeConfigs: [{ maxRejectionPercent: 50 }],
    requests: [{}, {}, { method: 'POST', body: 'x' }],
  }))
    it(`complies: ${name}`, async () => run());
});

it('the README shows the options that the schema has', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  await expect(withOptionTable(readme, admissionControlFilterSchema)).toMatchFileSnapshot('../README.md');
});
