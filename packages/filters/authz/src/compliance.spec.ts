import { readFileSync } from 'node:fs';
import { filterCompliance, withOptionTable } from '@tulle/filter-compliance';
import { authzFilterSchema } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import { authz } from './index.ts';

describe('compliance', () => {
  for (const { name, run } of filterCompliance({
    filter: authz,
    validConfigs: [
      {
        policies: [
          { name: 'default/deny', action: 'DENY', rules: [{ to: { paths: ['/admin*'], methods: ['GET'] } }] },
        ],
      },
      {
        policies: [
          {
            name: 'default/allow',
            action: 'ALLOW',
            rules: [{ from: { identities: ['spiffe://mesh.local/*'], cidrs: ['192.0.2.0/24'] } }],
          },
          { name: 'default/watch', action: 'DENY', shadow: true, rules: [{}] },
        ],
      },
      {
        policies: [
          {
            name: 'default/header',
            action: 'ALLOW',
            rules: [
              { to: { headers: [{ name: 'x', match: { kind: 'regex', value: 'a+' }, invert: true }] } },
            ],
          },
        ],
      },
      { policies: [], defaultAction: 'deny' },
    ],
    invalidConfigs: [
      { config: {}, pointers: [''] },
      {
        config: { policies: [{ name: '', action: 'allow', rules: [{ form: {} }] }] },
        pointers: ['/policies/0/name', '/policies/0/action', '/policies/0/rules/0/form'],
      },
    ],
    routeConfigs: [{ policies: [{ name: 'default/route', action: 'ALLOW', rules: [{}] }] }],
    requests: [{}, { path: '/admin' }, { path: '/x', headers: { x: 'aaa' } }],
    caller: { tls: { identity: 'spiffe://mesh.local/ns/default/sa/web' } },
  }))
    it(`complies: ${name}`, async () => run());
});

it('the README shows the options that the schema has', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  await expect(withOptionTable(readme, authzFilterSchema)).toMatchFileSnapshot('../README.md');
});
