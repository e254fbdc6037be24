import { readFileSync } from 'node:fs';
import { filterCompliance, withOptionTable } from '@tulle/filter-compliance';
import { jwtFilterSchema } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import { provider, testIssuer } from '../tests/issuer.ts';
import { jwt } from './index.ts';

const issuer = await testIssuer();
const good = await issuer.token({ groups: ['a'] });
const url = 'http://127.0.0.1:9000/jwks';

describe('compliance', () => {
  for (const { name, run } of filterCompliance({
    filter: jwt,
    validConfigs: [
      { providers: [provider(issuer)] },
      {
        providers: [
          provider(issuer, {
            from: [{ header: 'authorization' }, { cookie: 'a' }, { query: 'x' }],
            claimsToHeaders: [{ claim: 'groups', header: 'x-group' }],
            payloadHeader: 'x-payload',
            forward: true,
          }),
        ],
        requires: { any: [{ provider: 'main', audiences: ['shop'] }, { allowMissing: true }] },
        rules: [
          { match: { path: { kind: 'regex', value: '/a.*' } }, requires: { all: [{ provider: 'main' }] } },
        ],
      },
    ],
    waitingConfigs: [{ providers: [provider(issuer, { jwks: { url } })] }],
    invalidConfigs: [
      { config: {}, pointers: [''] },
      { config: { providers: [] }, pointers: ['/providers'] },
      {
        config: {
          providers: [{ name: 'a b', issuer: '', jwks: { url: 'ftp://x' }, algorithms: ['none'], skew: 1 }],
          requires: { any: [{ provder: 'a' }] },
        },
        pointers: [
          '/providers/0/name',
          '/providers/0/issuer',
          '/providers/0/jwks/url',
          '/providers/0/algorithms/0',
          '/providers/0/skew',
          '/requires/any/0',
          '/requires/any/0/provder',
        ],
      },
    ],
    routeConfigs: [{ requires: { allowMissing: true } }, { requires: { provider: 'main' } }],
    requests: [
      {},
      { headers: { authorization: `Bearer ${good}` } },
      { headers: { authorization: 'Bearer x' } },
      { path: `/?x=${good}` },
    ],
    services: { '127.0.0.1:9000': () => ({ body: JSON.stringify({ keys: [issuer.jwk] }) }) },
  }))
    it(`complies: ${name}`, async () => run());
});

it('the README shows the options that the schema has', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  await expect(withOptionTable(readme, jwtFilterSchema)).toMatchFileSnapshot('../README.md');
});
