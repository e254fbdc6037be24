import { readResources, refOf, resourceKey } from '@tulle/resources';
import { afterEach, describe, expect, it } from 'vitest';
import type { ControlPlane, PolicyStatus } from '../src/index.ts';
import { closeAll, GATEWAY, join, make, put, SHOP, SHOP_ROUTE } from './gateway-mesh.ts';
import { nodeOf } from './nodes.ts';

afterEach(closeAll);

const policy = (
  name: string,
  says: string,
  targets = "{ group: '', kind: Service, name: shop }",
  created = '2026-01-01',
): string => `
apiVersion: gateway.networking.x-k8s.io/v1alpha1
kind: XBackendTrafficPolicy
metadata: { name: ${name}, creationTimestamp: '${created}T00:00:00Z' }
spec: { targetRefs: [${targets}]${says === '' ? '' : `, ${says}`} }
`;
const BUDGET = 'retryConstraint: {}';
const SESSIONS = 'sessionPersistence: {}';

const ancestorsOf = (cp: ControlPlane, name: string): PolicyStatus['ancestors'] =>
  (cp.resourceStatus(`XBackendTrafficPolicy/default/${name}`) as PolicyStatus).ancestors;
/** By ancestor, `Type=Status/Reason`. */
const said = (cp: ControlPlane, name: string): Record<string, string[]> =>
  Object.fromEntries(
    ancestorsOf(cp, name).map(({ ancestorRef, conditions }) => [
      `${ancestorRef.kind} ${ancestorRef.name}`,
      conditions.map((c) => `${c.type}=${c.status}/${c.reason}`),
    ]),
  );
const ACCEPTED = ['Accepted=True/Accepted'];

describe('what is said of an XBackendTrafficPolicy', () => {
  it('is said at its Service, and at each Gateway that leads there', async () => {
    const cp = make();
    await put(cp, SHOP, GATEWAY, policy('p', BUDGET));
    expect(said(cp, 'p')).toEqual({ 'Service shop': ACCEPTED });
    await put(cp, SHOP_ROUTE);
    expect(said(cp, 'p')).toEqual({ 'Service shop': ACCEPTED, 'Gateway edge': ACCEPTED });
    expect(ancestorsOf(cp, 'p')[1]).toMatchObject({
      ancestorRef: {
        group: 'gateway.networking.k8s.io',
        kind: 'Gateway',
        namespace: 'default',
        name: 'edge',
      },
      controllerName: 'tulle.dev/gateway-controller',
      conditions: [{ observedGeneration: 1 }],
    });
  });

  it('names targets that are not there, and those that are no Services, for which it does nothing', async () => {
    const cp = make();
    await put(
      cp,
      SHOP,
      policy(
        'p',
        BUDGET,
        "{ group: '', kind: Service, name: shop }, { group: '', kind: Service, name: gone }, { group: multicluster.x-k8s.io, kind: ServiceImport, name: shop }",
      ),
    );
    const NOT_FOUND = ['Accepted=False/TargetNotFound'];
    expect(said(cp, 'p')).toEqual({
      'Service shop': ACCEPTED,
      'Service gone': NOT_FOUND,
      'ServiceImport shop': NOT_FOUND,
    });
    expect(ancestorsOf(cp, 'p')[2]).toMatchObject({
      ancestorRef: { group: 'multicluster.x-k8s.io', kind: 'ServiceImport' },
      conditions: [
        { message: expect.stringContaining('of kind ServiceImport.multicluster.x-k8s.io') as string },
      ],
    });
  });

  it.each([
    ['of another kind', '{ group: a.example, kind: Service, name: shop }', false],
    ['the Service', "{ group: '', kind: Service, name: shop }", true],
  ])('binds callers of a Service by no target but that: %s', async (_, target, binds) => {
    const cp = make();
    await put(cp, SHOP, policy('p', `${BUDGET}, ${SESSIONS}`, target));
    const node = nodeOf({ workload: 'web', upstreams: [{ service: 'shop', localPort: 9001 }] });
    join(cp, node);
    const { routes, clusters } = cp.proxyConfig(node.id) ?? {};
    expect(JSON.stringify([routes, clusters]).includes('"persistence"')).toBe(binds);
    expect(JSON.stringify([routes, clusters]).includes('"retryBudget"')).toBe(binds);
  });

  it('gives way to the older one, part by part, and budgets to a TrafficPolicy, which it says', async () => {
    const cp = make();
    await put(cp, SHOP, policy('older', BUDGET), policy('newer', BUDGET, undefined, '2026-02-01'));
    const CONFLICTED = { 'Service shop': ['Accepted=False/Conflicted'] };
    expect(said(cp, 'older')).toEqual({ 'Service shop': ACCEPTED });
    expect(said(cp, 'newer')).toEqual(CONFLICTED);
    const message = (name: string): string | undefined => ancestorsOf(cp, name)[0]?.conditions[0]?.message;
    expect(message('newer')).toContain('XBackendTrafficPolicy default/older');
    // What the other one does not say holds.
    await put(cp, policy('newer', `${BUDGET}, ${SESSIONS}`, undefined, '2026-02-01'));
    expect(said(cp, 'newer')).toEqual({ 'Service shop': ACCEPTED });
    expect(message('newer')).toMatch(
      /but retryConstraint .* is that of XBackendTrafficPolicy default\/older/,
    );
    const traffic = `
apiVersion: tulle.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: own }
spec: { targetRefs: [{ group: '', kind: Service, name: shop }], retryBudget: {} }
`;
    await put(cp, traffic);
    expect(said(cp, 'older')).toEqual(CONFLICTED);
    expect(message('older')).toContain('TrafficPolicy default/own');
    const { resources } = await readResources([{ text: traffic, file: 'f' }]);
    cp.apply(
      [],
      resources.map(({ resource }) => resourceKey(refOf(resource))),
    );
    cp.flush();
    expect(said(cp, 'older')).toEqual({ 'Service shop': ACCEPTED });
  });

  it('says which callers keep no sessions', async () => {
    const cp = make();
    await put(cp, SHOP, policy('p', SESSIONS));
    const caller = (workload: string, userAgent: string): ReturnType<typeof nodeOf> =>
      nodeOf({ workload, upstreams: [{ service: 'shop', localPort: 9001 }] }, '1', { userAgent });
    join(cp, caller('web', 'tulle'));
    expect(said(cp, 'p')).toEqual({ 'Service shop': ACCEPTED });
    join(cp, caller('old', 'envoy'));
    expect(said(cp, 'p')).toEqual({
      'Service shop': [...ACCEPTED, 'tulle.dev/SessionsKept=False/NotByForeignProxies'],
    });
  });
});
