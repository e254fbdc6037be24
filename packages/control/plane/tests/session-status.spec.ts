import { afterEach, expect, it } from 'vitest';
import type { ControlPlane, RouteStatus } from '../src/index.ts';
import { closeAll, join, make, put, SHOP } from './gateway-mesh.ts';
import { nodeOf } from './nodes.ts';

afterEach(closeAll);

const ROUTE = (sessions: string): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: shop }
spec: { parentRefs: [{ group: '', kind: Service, name: shop }], rules: [{ ${sessions} backendRefs: [{ name: shop, port: 80 }] }] }
`;
const said = (cp: ControlPlane): string[] =>
  (cp.resourceStatus('HTTPRoute/default/shop') as RouteStatus).parents.flatMap(({ conditions }) =>
    conditions.map((c) => `${c.type}=${c.status}/${c.reason}`),
  );
const FINE = ['Accepted=True/Accepted', 'ResolvedRefs=True/ResolvedRefs'];
const caller = (workload: string, userAgent: string): ReturnType<typeof nodeOf> =>
  nodeOf({ workload, upstreams: [{ service: 'shop', localPort: 9001 }] }, '1', { userAgent });

it('a route with sessions says which of its proxies keep none', async () => {
  const cp = make();
  await put(cp, SHOP, ROUTE('sessionPersistence: {},'));
  join(cp, caller('web', 'tulle'));
  expect(said(cp)).toEqual(FINE);
  join(cp, caller('old', 'envoy'));
  expect(said(cp)).toEqual([...FINE, 'tulle.dev/SessionsKept=False/NotByForeignProxies']);
  const status = cp.resourceStatus('HTTPRoute/default/shop') as RouteStatus;
  expect(status.parents[0]?.conditions.at(-1)?.message).toContain('sa/old~1');
  expect(status.parents[0]?.conditions.at(-1)?.message).not.toContain('sa/web');
  await put(cp, ROUTE(''));
  expect(said(cp)).toEqual(FINE);
});

it('the secret of tokens outlives a restart', async () => {
  const { createControlPlane, memoryState } = await import('../src/index.ts');
  const state = memoryState();
  const secretOf = async (): Promise<string> => {
    const cp = createControlPlane({ trustDomain: 'mesh.local', state });
    await put(cp, SHOP, ROUTE('sessionPersistence: { sessionName: sid },'));
    const node = caller('web', 'tulle');
    join(cp, node);
    const text = JSON.stringify(cp.proxyConfig(node.id)?.routes);
    await cp.close();
    return /"secret":"([0-9a-f]{32})"/.exec(text)?.[1] ?? '';
  };
  const first = await secretOf();
  expect(first).toMatch(/^[0-9a-f]{32}$/);
  expect(await secretOf()).toBe(first);
});
