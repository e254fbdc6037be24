import { readFileSync } from 'node:fs';
import { filterCompliance, withOptionTable } from '@tulle/filter-compliance';
import { corsFilterSchema } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import { cors } from './index.ts';

describe('compliance', () => {
  for (const { name, run } of filterCompliance({
    filter: cors,
    validConfigs: [
      { allowOrigins: ['https://shop.example', 'https://*.shop.example:8443'], allowCredentials: true },
      {
        allowOrigins: ['*'],
        allowMethods: ['*'],
        allowHeaders: ['*'],
        exposeHeaders: ['*'],
        maxAgeSeconds: 0,
      },
    ],
    invalidConfigs: [
      { config: {}, pointers: [''] },
      {
        config: { allowOrigins: ['shop'], allowMethods: ['GE T'], maxAgeSeconds: -1, maxAge: 1 },
        pointers: ['/allowOrigins/0', '/allowMethods/0', '/maxAgeSeconds', '/maxAge'],
      },
    ],
    routeConfigs: [{ allowOrigins: [] }, { allowOrigins: ['https://other.example'] }],
    requests: [
      { headers: { origin: 'https://shop.example' } },
      {
        method: 'OPTIONS',
        headers: { origin: 'https://shop.example', 'access-control-request-method': 'PUT' },
      },
    ],
  }))
    it(`complies: ${name}`, async () => run());
});

it('the README shows the options that the schema has', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  await expect(withOptionTable(readme, corsFilterSchema)).toMatchFileSnapshot('../README.md');
});
