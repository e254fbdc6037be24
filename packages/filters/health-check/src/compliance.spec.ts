import { readFileSync } from 'node:fs';
import { filterCompliance, withOptionTable } from '@tulle/filter-compliance';
import { healthCheckFilterSchema } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import { healthCheck } from './index.ts';

const match = [{ name: ':path', match: { kind: 'exact', value: '/healthz' } as const }];

describe('compliance', () => {
  for (const { name, run } of filterCompliance({
    filter: healthCheck,
    validConfigs: [
      { match },
      { match, answerBy: 'service', cacheMs: 1_000 },
      { match, minHealthyPercent: { a: 50 } },
    ],
    invalidConfigs: [
      { config: {}, pointers: [''] },
      {
        config: { match: [], answerBy: 'nobody', minHealthyPercent: { a: 101 } },
        pointers: ['/match', '/answerBy', '/minHealthyPercent/a'],
      },
    ],
    requests: [{}, { path: '/healthz' }, { method: 'POST', body: 'x' }],
  }))
    it(`complies: ${name}`, async () => run());
});

it('the README shows the options that the schema has', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  await expect(withOptionTable(readme, healthCheckFilterSchema)).toMatchFileSnapshot('../README.md');
});
