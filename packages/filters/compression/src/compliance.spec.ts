import { readFileSync } from 'node:fs';
import { filterCompliance, withOptionTable } from '@tulle/filter-compliance';
import { compressionFilterSchema } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import { compression } from './index.ts';

describe('compliance', () => {
  for (const { name, run } of filterCompliance({
    filter: compression,
    // Nothing here is long enough.
    validConfigs: [{ minBytes: 1_048_576 }],
    waitingConfigs: [
      {},
      { codings: ['gzip'], minBytes: 0, contentTypes: ['text/*'], levels: { gzip: 1 }, maxActive: 1 },
      { codings: ['br', 'zstd'], levels: { br: 9, zstd: 12 } },
      { removeEtag: true, skipStatuses: [404], tellStatus: true },
    ],
    invalidConfigs: [
      {
        config: { codings: ['deflate'], minBytes: -1, contentTypes: ['html'], levels: { br: 11, lz4: 1 } },
        pointers: ['/codings/0', '/minBytes', '/contentTypes/0', '/levels/br', '/levels/lz4'],
      },
      { config: { skipStatuses: [200, 199] }, pointers: ['/skipStatuses/1'] },
    ],
    routeConfigs: [{ codings: ['gzip'] }],
    requests: ['gzip', 'br', '*', 'identity'].map((coding) => ({ headers: { 'accept-encoding': coding } })),
    upstream: () => ({ headers: { 'content-type': 'text/html' }, body: 'hello '.repeat(1_000) }),
    offThreadMs: 2_000,
  }))
    it(`complies: ${name}`, async () => run());
});

it('the README shows the options that the schema has', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  await expect(withOptionTable(readme, compressionFilterSchema)).toMatchFileSnapshot('../README.md');
});
