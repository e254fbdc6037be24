import type { ProxyConfig } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import { configDifferences, describeDifference, stateOf } from './config-differences.ts';

const config = (clusters: readonly object[], routes: readonly object[] = []): ProxyConfig =>
  ({ version: '1', listeners: [], routes, clusters, endpoints: [] }) as unknown as ProxyConfig;
const lines = (should: ProxyConfig, has: ProxyConfig): string[] =>
  configDifferences(should, has).map(describeDifference);

describe('what a proxy has beside what it should have', () => {
  it('is the same whatever the order of names and of fields, and where the dump hides a secret', () => {
    expect(
      lines(
        config([{ name: 'a', x: 1, y: { z: 2, secret: 's' } }, { name: 'b' }]),
        config([{ name: 'b' }, { y: { secret: '[redacted]', z: 2 }, x: 1, name: 'a' }]),
      ),
    ).toEqual([]);
  });

  it('is told by kind, name and place', () => {
    const should = config(
      [{ name: 'a', outlier: { consecutiveFailures: 5 }, 'a/b': 1 }, { name: 'new' }],
      [{ name: 'r', hosts: ['x'] }],
    );
    const has = config(
      [{ name: 'a', outlier: { consecutiveFailures: 3, interval: 1 } }, { name: 'old' }],
      [{ name: 'r', hosts: ['x', 'y'] }],
    );
    expect(lines(should, has)).toEqual([
      'route r /hosts/1: is "y", should be absent',
      'cluster a /outlier/consecutiveFailures: is 3, should be 5',
      'cluster a /outlier/interval: is 1, should be absent',
      'cluster a /a~1b: absent, should be 1',
      'cluster new: the proxy does not have it',
      'cluster old: the proxy has it and should not',
    ]);
    const differences = configDifferences(should, has);
    expect(['a', 'new', 'old', 'other'].map((name) => stateOf(differences, 'cluster', name))).toEqual([
      'differs',
      'missing',
      'not wanted',
      'in force',
    ]);
  });
});
