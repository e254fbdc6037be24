import { readFileSync } from 'node:fs';
import { filterCompliance, withOptionTable } from '@tulle/filter-compliance';
import { retryFilterSchema } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import { retry } from './index.ts';

describe('compliance', () => {
  for (const { name, run } of filterCompliance({
    filter: retry,
    validConfigs: [
      { retries: 1, on: ['gateway-error'] },
      { on: ['status-codes', 'reset'], statusCodes: [503], backoffBaseMs: 1 },
    ],
    invalidConfigs: [
      {
        config: { retries: 11, on: ['gateway_error'], statusCodes: [200] },
        pointers: ['/retries', '/on/0', '/statusCodes/0'],
      },
    ],
    routeConfigs: [{ retries: 3 }, { retries: 0 }],
    requests: [{}, { method: 'POST', body: 'x' }],
    upstream: () => ({ status: 503, body: 'busy' }),
  }))
    it(`complies: ${name}`, async () => run());
});

it('the README shows the options that the schema has', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  await expect(withOptionTable(readme, retryFilterSchema)).toMatchFileSnapshot('../README.md');
});
