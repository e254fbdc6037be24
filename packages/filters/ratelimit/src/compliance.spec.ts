import { readFileSync } from 'node:fs';
import { connFilterCompliance, filterCompliance, withOptionTable } from '@tulle/filter-compliance';
import { rateLimitFilterSchema } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import { connLimit, connRateLimit, globalRateLimit, rateLimit } from './index.ts';

describe('compliance', () => {
  for (const { name, run } of filterCompliance({
    filter: rateLimit,
    validConfigs: [
      { limits: [{ name: 'all', requests: 2, intervalMs: 10_000 }] },
      {
        limits: [
          { name: 'each', requests: 1, by: ['identity', 'address', { header: 'x-user' }], maxKeys: 2 },
        ],
      },
      {
        limits: [],
        descriptors: {
          name: 'd',
          bucket: { capacity: 1, tokens: 1, intervalMs: 60_000 },
          buckets: [
            { entries: [{ key: 'a', value: 'b' }], bucket: { capacity: 1, tokens: 1, intervalMs: 60_000 } },
          ],
          rateHeaders: true,
        },
      },
    ],
    invalidConfigs: [
      {
        config: { limits: [], descriptors: { name: 'a', bucket: { capacity: 0, tokens: 1, intervalMs: 1 } } },
        pointers: ['/descriptors/bucket/capacity', '/descriptors/bucket/intervalMs'],
      },
      { config: {}, pointers: [''] },
      {
        config: { limits: [{ name: 'a', requests: 0, by: ['user'] }, { requests: 1 }] },
        pointers: ['/limits/0/requests', '/limits/0/by/0', '/limits/1'],
      },
    ],
    routeConfigs: [{ limits: [{ name: 'route', requests: 5 }] }, { limits: [] }],
    requests: [{}, {}, {}, { headers: { 'x-user': 'ann' } }],
  }))
    it(`complies: ${name}`, async () => run());
});

describe('compliance of global limits', () => {
  for (const { name, run } of filterCompliance({
    filter: globalRateLimit,
    validConfigs: [
      { domain: 'shop', cluster: 'limits' },
      { domain: 'shop', cluster: 'limits', failureMode: 'deny', rateHeaders: true, timeoutMs: 50 },
    ],
    invalidConfigs: [
      { config: {}, pointers: ['', ''] },
      { config: { domain: 'a', cluster: 'b', stage: 11, status: 200 }, pointers: ['/stage', '/status'] },
    ],
    routeConfigs: [{ domain: 'other', host: 'include' }, { rateLimits: [] }],
    requests: [{}, { method: 'POST', body: 'x' }],
  }))
    it(`complies: ${name}`, async () => run());
});

describe('compliance of limits of connections', () => {
  const cases = [
    ...connFilterCompliance({
      filter: connRateLimit,
      validConfigs: [
        { name: 'in', bucket: { capacity: 2, tokens: 1, intervalMs: 60_000 } },
        { name: 'in', bucket: { capacity: 1_000, tokens: 1_000, intervalMs: 50 } },
      ],
      invalidConfigs: [
        { config: {}, pointers: ['', ''] },
        {
          config: { name: '', bucket: { capacity: 0, tokens: 1, intervalMs: 1 } },
          pointers: ['/name', '/bucket/capacity', '/bucket/intervalMs'],
        },
      ],
    }),
    ...connFilterCompliance({
      filter: connLimit,
      validConfigs: [
        { name: 'at-once', maxConnections: 1 },
        { name: 'at-once', maxConnections: 100, delayMs: 500 },
      ],
      invalidConfigs: [
        { config: {}, pointers: ['', ''] },
        {
          config: { name: 'a', maxConnections: 0, delayMs: -1 },
          pointers: ['/maxConnections', '/delayMs'],
        },
      ],
    }),
  ];
  for (const { name, run } of cases) it(`complies: ${name}`, async () => run());
});

it('the README shows the options that the schema has', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  await expect(withOptionTable(readme, rateLimitFilterSchema)).toMatchFileSnapshot('../README.md');
});
