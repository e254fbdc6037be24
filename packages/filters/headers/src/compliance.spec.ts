import { readFileSync } from 'node:fs';
import { filterCompliance, withOptionTable } from '@tulle/filter-compliance';
import { headersFilterSchema } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import { headers } from './index.ts';

describe('compliance', () => {
  for (const { name, run } of filterCompliance({
    filter: headers,
    validConfigs: [
      {
        request: { set: [{ name: 'X-A', value: '1' }], remove: ['x-b'] },
        response: { add: [{ name: 'x-c', value: '2' }] },
      },
      { response: { remove: ['x-d'] } },
    ],
    invalidConfigs: [
      {
        config: {
          request: {
            set: [
              { name: 'a b', value: 'x' },
              { name: 'a', value: 'x\r\ny' },
            ],
            remov: [],
          },
        },
        pointers: ['/request/set/0/name', '/request/set/1/value', '/request/remov'],
      },
    ],
    routeConfigs: [{ request: { remove: ['x-a'] } }],
    requests: [
      {
        headers: [
          ['x-b', '1'],
          ['X-B', '2'],
        ],
      },
    ],
  }))
    it(`complies: ${name}`, async () => run());
});

it('the README shows the options that the schema has', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  await expect(withOptionTable(readme, headersFilterSchema)).toMatchFileSnapshot('../README.md');
});
