import { readFileSync } from 'node:fs';
import { filterCompliance, withOptionTable } from '@tulle/filter-compliance';
import { faultFilterSchema } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import { fault } from './index.ts';

describe('compliance', () => {
  for (const { name, run } of filterCompliance({
    filter: fault,
    validConfigs: [
      { abort: { status: 503, percent: 50 } },
      { abort: { status: 200 }, headers: { 'x-fault': 'yes' } },
      {
        abort: { status: 503, body: 'on purpose' },
        byHeader: { abort: { body: 'asked' } },
        metadata: { a: 1 },
      },
    ],
    waitingConfigs: [{ delay: { durationMs: 100, percent: 50 }, abort: { status: 504, percent: 50 } }],
    invalidConfigs: [
      {
        config: { delay: {}, abort: { status: 99, percent: 101 }, maxActiveDelays: -1 },
        pointers: ['/delay', '/abort/status', '/abort/percent', '/maxActiveDelays'],
      },
    ],
    routeConfigs: [{ abort: { status: 429 } }],
    requests: [{}, { headers: { 'x-fault': 'yes' } }],
  }))
    it(`complies: ${name}`, async () => run());
});

it('the README shows the options that the schema has', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  await expect(withOptionTable(readme, faultFilterSchema)).toMatchFileSnapshot('../README.md');
});
