import { readFileSync } from 'node:fs';
import { connFilterCompliance, filterCompliance, withOptionTable } from '@tulle/filter-compliance';
import { setFilterStateFilterSchema } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import { connSetFilterState, setFilterState } from './index.ts';

describe('compliance', () => {
  for (const { name, run } of filterCompliance({
    filter: setFilterState,
    validConfigs: [{ values: [{ key: 'a', format: '%REQ(x-a)%', readOnly: true }] }],
    invalidConfigs: [
      { config: {}, pointers: [''] },
      { config: { values: [] }, pointers: ['/values'] },
      { config: { values: [{ key: '', format: '' }] }, pointers: ['/values/0/key'] },
    ],
    requests: [{}, { method: 'POST', body: 'x' }],
  }))
    it(`complies: ${name}`, async () => run());
});

describe('compliance of that of connections', () => {
  for (const { name, run } of connFilterCompliance({
    filter: connSetFilterState,
    validConfigs: [{ values: [{ key: 'a', format: '%DOWNSTREAM_REMOTE_ADDRESS%', shared: 'once' }] }],
    invalidConfigs: [
      { config: { values: [] }, pointers: ['/values'] },
      { config: { values: [{ key: 'a', format: '', kind: 'x' }] }, pointers: ['/values/0/kind'] },
    ],
  }))
    it(`complies: ${name}`, async () => run());
});

it('the README shows the options that the schema has', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  await expect(withOptionTable(readme, setFilterStateFilterSchema)).toMatchFileSnapshot('../README.md');
});
