import { describe, expect, it } from 'vitest';
import type { Cluster, Endpoint, ProxyConfig } from '@tulle/model';
import { createExpectedIds } from './expected-ids.ts';

const mesh: NonNullable<Cluster['tls']> = { trust: { kind: 'mesh' } };
const cluster = (name: string, fields: Partial<Cluster> = {}): Cluster => ({
  name,
  discovery: { kind: 'eds' },
  tls: mesh,
  ...fields,
});
const at = (port: number, fields: Partial<Endpoint> = {}): Endpoint => ({
  address: { host: '10.0.0.1', port },
  ...fields,
});
const config = (fields: Partial<ProxyConfig>): ProxyConfig => ({
  version: '',
  listeners: [],
  routes: [],
  clusters: [],
  endpoints: [],
  ...fields,
});
const idsOf = (given: ProxyConfig): (readonly string[] | undefined)[] =>
  createExpectedIds()({ changeId: 'c', config: given }).config.clusters.map(({ tls }) => tls?.allowedIds);

describe('clusters for clients that do not check endpoints one by one', () => {
  it('expect the ids of their endpoints, each once, and of no others', () => {
    const ids = idsOf(
      config({
        clusters: [cluster('a'), cluster('b', { discovery: { kind: 'eds', serviceName: 'set' } })],
        endpoints: [
          {
            name: 'a',
            endpoints: [
              at(1, { identity: 'spiffe://m/ns/d/sa/two', mode: 'sidecar' }),
              at(2, { identity: 'spiffe://m/ns/d/sa/one', mode: 'captured' }),
              at(3, { identity: 'spiffe://m/ns/d/sa/two', mode: 'sidecar' }),
              at(4, { identity: 'spiffe://m/ns/d/sa/plain', mode: 'none' }),
            ],
          },
          { name: 'set', endpoints: [at(5, { identity: 'spiffe://m/ns/d/sa/three' })] },
        ],
      }),
    );
    expect(ids).toEqual([['spiffe://m/ns/d/sa/one', 'spiffe://m/ns/d/sa/two'], ['spiffe://m/ns/d/sa/three']]);
  });

  it('whose endpoints have no id, or are not there, expect nobody rather than anybody', () => {
    const given = config({
      clusters: [
        cluster('a'),
        cluster('b'),
        cluster('c', { discovery: { kind: 'static', endpoints: [at(1)] } }),
      ],
      endpoints: [{ name: 'a', endpoints: [at(1)] }],
    });
    expect(idsOf(given)).toEqual([[], [], []]);
  });

  it('that say themselves whom to expect, or trust others than the mesh, are left alone', () => {
    const given = config({
      clusters: [
        cluster('a', { tls: { ...mesh, allowedIds: ['spiffe://m/*'] } }),
        cluster('b', { tls: { trust: { kind: 'system' } } }),
        { name: 'c', discovery: { kind: 'eds' } },
      ],
      endpoints: [{ name: 'a', endpoints: [at(1, { identity: 'spiffe://m/ns/d/sa/one' })] }],
    });
    const seen = createExpectedIds()({ changeId: 'c', config: given }).config.clusters;
    for (const [index, one] of seen.entries()) expect(one).toBe(given.clusters[index]);
  });

  it('stay the same objects while the ids stay the same, whatever else changes', () => {
    const expectedIds = createExpectedIds();
    const clusters = [cluster('a')];
    const one = at(1, { identity: 'spiffe://m/ns/d/sa/one' });
    const step = (changeId: string, endpoints: Endpoint[]): Cluster | undefined =>
      expectedIds({ changeId, config: config({ clusters, endpoints: [{ name: 'a', endpoints }] }) }).config
        .clusters[0];
    const first = step('1', [one]);
    expect(step('2', [one, at(2, { identity: one.identity as string })])).toBe(first);
    expect(step('3', [one, at(2, { identity: 'spiffe://m/ns/d/sa/two' })])).not.toBe(first);
  });

  it('with overlap keep those of before until the next change, but where nobody is left', () => {
    const ids = createExpectedIds({ overlap: true });
    const one = cluster('a');
    const of = (...accounts: string[]): readonly string[] | undefined =>
      ids({
        changeId: 'c',
        config: config({
          clusters: [one],
          endpoints: [
            {
              name: 'a',
              endpoints: accounts.map((name, i) => at(i, { identity: `spiffe://m/ns/d/sa/${name}` })),
            },
          ],
        }),
      }).config.clusters[0]?.tls?.allowedIds?.map((id) => id.slice(-1));
    expect(of('x')).toEqual(['x']);
    expect(of('y')).toEqual(['x', 'y']);
    expect(of('y')).toEqual(['x', 'y']); // the same ids again
    expect(of('z')).toEqual(['y', 'z']);
    expect(of()).toEqual([]);
  });
});
