import { readFileSync } from 'node:fs';
import { filterCompliance, withOptionTable } from '@tulle/filter-compliance';
import { wasmFilterSchema } from '@tulle/model';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildModule } from '../tests/build-module.ts';
import { wasm } from './index.ts';

const module: { base64: string } = { base64: '' };
beforeAll(() => {
  module.base64 = buildModule('by-header').toString('base64');
}, 60_000);

describe('compliance', () => {
  for (const { name, run } of filterCompliance({
    filter: wasm,
    validConfigs: [{ module, rootId: 'by-header' }],
    invalidConfigs: [
      { config: {}, pointers: [''] },
      {
        config: {
          module: { path: '/a' },
          configuration: 1,
          failureMode: 'open',
          bodies: 'all',
          maxBodyBytes: 0,
          maxMemoryBytes: 1,
        },
        pointers: [
          '/module/path',
          '/configuration',
          '/failureMode',
          '/bodies',
          '/maxBodyBytes',
          '/maxMemoryBytes',
        ],
      },
    ],
    requests: [{}, { method: 'POST', body: 'x' }, { method: 'POST', chunks: ['a', 'b'] }],
  }))
    it(`complies: ${name}`, async () => run());
});

it('the README shows the options that the schema has', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  await expect(withOptionTable(readme, wasmFilterSchema)).toMatchFileSnapshot('../README.md');
});
