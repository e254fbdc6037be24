import { readFileSync } from 'node:fs';
import { filterCompliance, withOptionTable } from '@tulle/filter-compliance';
import { extAuthzFilterSchema } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import { extAuthz } from './index.ts';

const url = 'http://127.0.0.1:9001/check';

describe('compliance', () => {
  for (const { name, run } of filterCompliance({
    filter: extAuthz,
    validConfigs: [],
    waitingConfigs: [
      { service: { http: { url, requestHeaders: ['x-*'], upstreamHeaders: ['x-user'] } } },
      {
        service: { http: { url, path: 'fixed', clientHeadersOnSuccess: ['x-user'] } },
        body: { maxBytes: 1_000 },
        failureMode: 'allow',
      },
      // Nobody is there.
      { service: { http: { url: 'http://127.0.0.1:1/' } }, timeoutMs: 50, statusOnError: 503 },
    ],
    invalidConfigs: [
      { config: {}, pointers: [''] },
      {
        config: {
          service: { http: { url: 'ftp://a', path: 'other', cluter: 'a' } },
          timeoutMs: 0,
          failureMode: 'open',
          statusOnError: 200,
        },
        pointers: [
          '/service/http/url',
          '/service/http/path',
          '/service/http/cluter',
          '/timeoutMs',
          '/failureMode',
          '/statusOnError',
        ],
      },
    ],
    routeConfigs: [{ contextExtensions: { a: '1' } }, { body: { maxBytes: 10 } }],
    requests: [{}, { path: '/denied' }, { method: 'POST', body: 'x' }],
    services: {
      '127.0.0.1:9001': ({ target }) =>
        target.endsWith('/denied')
          ? { status: 403, body: 'no' }
          : { status: 200, headers: { 'x-user': 'a' } },
    },
  }))
    it(`complies: ${name}`, async () => run());
});

it('the README shows the options that the schema has', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  await expect(withOptionTable(readme, extAuthzFilterSchema)).toMatchFileSnapshot('../README.md');
});
