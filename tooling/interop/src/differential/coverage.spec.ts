import { expect, it } from 'vitest';
import type { Area } from './configuration.ts';
import { coverageOf, coverageText } from './coverage.ts';
import { typed } from './resources.ts';

const RBAC = 'envoy.extensions.filters.http.rbac.v3.RBAC';
/** A filter that is said in full, within what is in no message of its own. */
const area: Area = {
  name: 'one',
  short: 1,
  make: () => ({
    httpFilters: [
      {
        name: 'rbac',
        typed_config: typed(RBAC, {
          rules: { action: 'DENY', policies: { p: { principals: [{ any: true }] } } },
        }),
      },
    ],
    routes: { virtual_hosts: [{ name: 'all', domains: ['*'] }] },
    exchanges: [],
  }),
};

it('finds fields in messages, lists, maps and what is packed', () => {
  const { honoured, missing } = coverageOf([area], [1], 1);
  expect(honoured - missing.length).toBeGreaterThan(20);
  for (const made of [
    `${RBAC}.rules`,
    'envoy.config.rbac.v3.RBAC.policies',
    'envoy.config.rbac.v3.Policy.principals',
    'envoy.config.rbac.v3.Principal.any',
    'envoy.config.route.v3.VirtualHost.domains',
  ])
    expect(missing).not.toContain(made);
  expect(missing).toContain(`${RBAC}.matcher`);
  expect(missing).toContain('envoy.config.rbac.v3.Policy.permissions');
  expect(coverageText({ honoured: 3, missing: ['a.B.c', 'a.B.d'] })).toBe(
    '1 of 3 fields that are honoured are in some configuration; not:\na.B: c d',
  );
});
