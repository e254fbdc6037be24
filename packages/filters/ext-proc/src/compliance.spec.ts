import { readFileSync } from 'node:fs';
import { filterCompliance, withOptionTable } from '@tulle/filter-compliance';
import { extProcFilterSchema } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import { extProc } from './index.ts';

/** Nobody is there: what passes, passes without. */
const service = { cluster: 'nobody' };

describe('compliance', () => {
  for (const { name, run } of filterCompliance({
    filter: extProc,
    validConfigs: [{ service, mode: { requestHeaders: 'skip', responseHeaders: 'skip' } }],
    waitingConfigs: [
      { service },
      { service, failureMode: 'allow', mode: { requestBody: 'buffered', responseBody: 'streamed' } },
      {
        service: { cluster: 'nobody', authority: 'a', metadata: [{ name: 'x-a', value: '1' }] },
        mutationRules: { allowPattern: 'x-.*', disallowedIsError: true },
        allowModeOverride: true,
        messageTimeoutMs: 50,
      },
    ],
    invalidConfigs: [
      { config: {}, pointers: [''] },
      {
        config: {
          service: { cluser: 'a' },
          mode: { requestBody: 'some', heads: 'send' },
          messageTimeoutMs: 0,
          failureMode: 'open',
          requestAttributes: ['request.nothing'],
        },
        pointers: [
          '/service',
          '/service/cluser',
          '/mode/requestBody',
          '/mode/heads',
          '/messageTimeoutMs',
          '/failureMode',
          '/requestAttributes/0',
        ],
      },
    ],
    routeConfigs: [
      { mode: { requestHeaders: 'skip', responseHeaders: 'skip' } },
      { service: { cluster: 'other' } },
    ],
    requests: [{}, { method: 'POST', body: 'x' }],
  }))
    it(`complies: ${name}`, async () => run());
});

it('the README shows the options that the schema has', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  await expect(withOptionTable(readme, extProcFilterSchema)).toMatchFileSnapshot('../README.md');
});
