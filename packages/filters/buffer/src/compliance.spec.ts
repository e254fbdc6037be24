import { readFileSync } from 'node:fs';
import { filterCompliance, withOptionTable } from '@tulle/filter-compliance';
import { bufferFilterSchema } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import { buffer } from './index.ts';

describe('compliance', () => {
  for (const { name, run } of filterCompliance({
    filter: buffer,
    validConfigs: [{ maxRequestBytes: 1_024 }],
    invalidConfigs: [
      { config: {}, pointers: [''] },
      { config: { maxRequestBytes: 0 }, pointers: ['/maxRequestBytes'] },
    ],
    routeConfigs: [{ maxRequestBytes: 10 }],
    requests: [{}, { method: 'POST', body: 'x' }, { method: 'POST', chunks: ['a', 'b'] }],
  }))
    it(`complies: ${name}`, async () => run());
});

it('the README shows the options that the schema has', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  await expect(withOptionTable(readme, bufferFilterSchema)).toMatchFileSnapshot('../README.md');
});
