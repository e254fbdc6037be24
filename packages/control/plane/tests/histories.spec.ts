import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readResourceValues, refOf, resourceKey, type Resource } from '@tulle/resources';
import { anyProxy } from './arbitrary-proxies.ts';
import { anyResource } from './arbitrary-resources.ts';
import { CheckedMesh, type Step } from './checked-mesh.ts';

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('apply' as const),
      put: fc.uniqueArray(anyResource, {
        minLength: 1,
        maxLength: 3,
        selector: (r) => resourceKey(refOf(r)),
      }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), of: fc.nat() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('file' as const),
      owner: fc.constantFrom('file:one', 'file:two'),
      resources: fc.uniqueArray(anyResource, { maxLength: 2, selector: (r) => resourceKey(refOf(r)) }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('join' as const), proxy: anyProxy }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('leave' as const),
      of: fc.nat(),
      how: fc.constantFrom('clean' as const, 'lost' as const),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('deliver' as const), of: fc.nat() }) },
  { weight: 6, arbitrary: fc.constant({ do: 'flush' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'source-fails' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'all-lost' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'restart' as const }) },
);

const ofService = (name: string, namespace: string): Resource => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace },
  spec: { selector: { app: name }, ports: [{ port: 80, name: 'p1' }] },
});
/** A route that leads to another namespace, which a ReferenceGrant may allow. */
const acrossNamespaces: readonly Resource[] = [
  ofService('a', 'default'),
  ofService('b', 'shop'),
  {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name: 'r1', namespace: 'default' },
    spec: {
      parentRefs: [{ group: '', kind: 'Service', name: 'a' }],
      rules: [{ name: 'one', backendRefs: [{ name: 'b', namespace: 'shop', port: 80 }] }],
    },
  },
];

/** One of them asks for a waypoint of a namespace, which a process serves, and has workloads with and without a sidecar. */
const withWaypoint = (of: 'default' | 'shop'): readonly Step[] => [
  {
    do: 'apply',
    put: [
      {
        ...ofService('a', 'default'),
        metadata: {
          name: 'a',
          namespace: 'default',
          labels: { 'tulle.dev/use-waypoint': 'edge', 'tulle.dev/use-waypoint-namespace': of },
        },
      },
      {
        apiVersion: 'gateway.networking.k8s.io/v1',
        kind: 'Gateway',
        metadata: { name: 'edge', namespace: of },
        spec: {
          gatewayClassName: 'tulle-waypoint',
          listeners: [
            {
              name: 'l1',
              port: 15_008,
              protocol: 'HBONE',
              allowedRoutes: { namespaces: { from: 'All' } },
            },
          ],
        },
      },
    ],
  },
  { do: 'join', proxy: { instance: '1', metadata: { workload: 'edge', namespace: of, gateway: {} } } },
  {
    do: 'join',
    proxy: {
      instance: '7',
      metadata: {
        workload: 'a',
        labels: { app: 'a' },
        ports: [80],
        inbound: { address: '10.0.0.7', port: 1 },
        hbone: { outboundPort: 15_001, inboundPort: 15_006 },
      },
    },
  },
];

/** Some Services, and callers of them, so that what follows meets something. */
const beginning: fc.Arbitrary<Step[]> = fc
  .tuple(
    fc.constantFrom(undefined, 'default' as const, 'shop' as const),
    fc.uniqueArray(anyResource, { minLength: 8, maxLength: 16, selector: (r) => resourceKey(refOf(r)) }),
    fc.array(anyProxy, { minLength: 1, maxLength: 4 }),
  )
  .map(([waypoint, put, proxies]): Step[] => [
    { do: 'apply', put: acrossNamespaces },
    { do: 'apply', put },
    ...(waypoint === undefined ? [] : withWaypoint(waypoint)),
    ...proxies.map((proxy): Step => ({ do: 'join', proxy })),
    { do: 'flush' },
  ]);

describe('whatever is applied, joins and leaves, in whatever order', () => {
  it('each proxy gets what a fresh control plane would give it, whole, in order, and nothing that did not change', async () => {
    await fc.assert(
      fc.asyncProperty(beginning, fc.array(step, { maxLength: 40 }), async (first, steps) => {
        const run = new CheckedMesh();
        await run.start();
        for (const one of [...first, ...steps]) await run.take(one);
        run.settle();
        await run.plane.close();
      }),
      { numRuns: 400 },
    );
    // Four hundred histories, each of a control plane beside a fresh one at every step: 12 to 21 s on two cores.
  }, 120_000);

  it('from resources that keep their schema', async () => {
    await fc.assert(
      fc.asyncProperty(anyResource, async (resource) => {
        const { diagnostics } = await readResourceValues(resource);
        expect(diagnostics.filter((d) => d.class === 'invalid')).toEqual([]);
      }),
      { numRuns: 400 },
    );
  });
});
