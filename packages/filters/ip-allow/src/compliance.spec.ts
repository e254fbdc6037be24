import { readFileSync } from 'node:fs';
import { connFilterCompliance, withOptionTable } from '@tulle/filter-compliance';
import { ipAllowFilterSchema } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import { ipAllow } from './index.ts';

describe('compliance', () => {
  for (const { name, run } of connFilterCompliance({
    filter: ipAllow,
    validConfigs: [
      { deny: ['192.0.2.77', '2001:db8::/32'] },
      { allow: ['192.0.2.0/24', 'fe80::/10'], deny: ['192.0.2.5'] },
    ],
    invalidConfigs: [
      { config: {}, pointers: [''] },
      { config: { allow: [], dney: ['10.0.0.1'], deny: [''] }, pointers: ['/allow', '/dney', '/deny/0'] },
    ],
    callers: [{ host: '192.0.2.5' }],
  }))
    it(`complies: ${name}`, async () => run());
});

it('the README shows the options that the schema has', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  await expect(withOptionTable(readme, ipAllowFilterSchema)).toMatchFileSnapshot('../README.md');
});
