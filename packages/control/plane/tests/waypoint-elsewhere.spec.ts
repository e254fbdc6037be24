import { afterEach, describe, expect, it } from 'vitest';
import type { ControlPlane, GatewayStatus } from '../src/index.ts';
import { closeAll, make, put } from './gateway-mesh.ts';
import { nodeOf } from './nodes.ts';
import {
  authzOf,
  behindNodeProxy,
  chainsOf,
  denies,
  id,
  join,
  letIn,
  process,
  service,
  WAYPOINT,
} from './waypoint-mesh.ts';

afterEach(closeAll);

/** Of namespace `edge`. */
const gate = (allowed: string): string =>
  WAYPOINT.replace('name: gate', 'name: gate, namespace: edge').replace(
    'protocol: HBONE',
    `protocol: HBONE, allowedRoutes: { namespaces: ${allowed} }`,
  );
const ALL = '{ from: All }';
const ASKING = '{ tulle.dev/use-waypoint: gate, tulle.dev/use-waypoint-namespace: edge }';
const NAME = 'outbound|80||orders.default.svc.mesh.local';
const NOBODY = [[{ name: 'waypoint', action: 'ALLOW', expression: { not: { any: true } } }]];

function ready(cp: ControlPlane): unknown {
  return cp.conditions('Service/default/orders')?.find(({ type }) => type === 'WaypointReady');
}

describe('a waypoint of another namespace', () => {
  it('serves a Service that asks for it where its listener takes Services of that namespace, and nobody where not', async () => {
    const cp = make();
    await put(cp, service(ASKING), gate(ALL));
    const web = join(cp, behindNodeProxy('web', '10.0.1.1'));
    const orders = join(cp, behindNodeProxy('orders', '10.0.2.1'));
    const at = join(cp, process('g', '10.0.9.1', 'edge'));
    const found = (): unknown => web.config().endpoints.find(({ name }) => name === NAME)?.endpoints;
    const guard = (): unknown => letIn(chainsOf(orders.config().listeners, 'inbound_hbone')[0]);
    const chains = (): string[] =>
      chainsOf(at.config().listeners, 'gateway_10.0.9.1_15008').map(({ name }) => name);
    const open = (): void => {
      expect(found()).toMatchObject([
        {
          identity: id('gate', 'edge'),
          tunnel: { address: { host: '10.0.9.1' }, authority: 'orders.default.svc.mesh.local:80' },
          labels: { namespace: 'edge' },
        },
      ]);
      expect(JSON.stringify(guard())).toContain(id('gate', 'edge'));
      expect(JSON.stringify(guard())).not.toContain(id('gate'));
      expect(chains()).toEqual([NAME]);
      expect(at.config().endpoints).toMatchObject([
        { name: NAME, endpoints: [{ address: { host: '10.0.2.1' } }] },
      ]);
    };
    const closed = (): void => {
      expect([found(), guard(), chains()]).toEqual([[], NOBODY, []]);
    };
    open();
    expect(ready(cp)).toMatchObject({ status: 'True', message: 'it is called through edge/gate' });
    expect((cp.resourceStatus('Gateway/edge/gate') as GatewayStatus).conditions[0]?.message).toBe(
      'it is the waypoint of default/orders',
    );
    for (const [allowed, isOpen] of [
      ['{ from: Same }', false],
      ['{ from: Selector, selector: { matchLabels: { kubernetes.io/metadata.name: default } } }', true],
      ['{ from: Selector, selector: { matchLabels: { kubernetes.io/metadata.name: other } } }', false],
      [ALL, true],
      ['{ from: None }', false],
    ] as const) {
      await put(cp, gate(allowed));
      (isOpen ? open : closed)();
    }
    expect(ready(cp)).toMatchObject({
      status: 'False',
      reason: 'NotAllowedByListeners',
      message: expect.stringContaining('takes no Services of namespace default') as string,
    });
  });

  it('reaches nothing of a Service that it does not take, by routes of one that it takes either', async () => {
    const cp = make();
    const of = (namespace: string): string =>
      gate(
        `{ from: Selector, selector: { matchExpressions: [{ key: kubernetes.io/metadata.name, operator: In, values: [${namespace}] }] } }`,
      );
    await put(
      cp,
      of('default'),
      service(ASKING),
      service(ASKING).replace('name: orders,', 'name: stock, namespace: other,'),
      `
apiVersion: tulle.dev/v1alpha1
kind: Workload
metadata: { name: stock, namespace: other, labels: { app: orders } }
spec: { address: 10.0.3.1, ports: [{ port: 8080 }], inbound: { mode: none } }
`,
      `
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: { name: g, namespace: other }
spec: { from: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: default }], to: [{ group: '', kind: Service }] }
`,
      `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: r }
spec:
  parentRefs: [{ group: '', kind: Service, name: orders }]
  rules: [{ backendRefs: [{ name: stock, namespace: other, port: 80 }] }]
`,
    );
    const at = join(cp, process('g', '10.0.9.1', 'edge'));
    const found = (): unknown =>
      at.config().endpoints.find(({ name }) => name.includes('stock.other'))?.endpoints;
    expect(found()).toEqual([]);
    await put(cp, of('default, other'));
    expect(found()).toMatchObject([{ address: { host: '10.0.3.1', port: 8080 }, mode: 'none' }]);
    await put(cp, of('default'));
    expect(found()).toEqual([]);
  });

  it('is not the one of that name in the namespace of the Service', async () => {
    const cp = make();
    await put(cp, service(ASKING), gate(ALL), WAYPOINT);
    const orders = join(cp, behindNodeProxy('orders', '10.0.2.1'));
    const own = join(cp, process('own', '10.0.9.2'));
    expect(letIn(chainsOf(orders.config().listeners, 'inbound_hbone')[0])).toEqual(NOBODY);
    expect(chainsOf(own.config().listeners, 'gateway_10.0.9.2_15008')).toEqual([]);
    expect(ready(cp)).toMatchObject({
      status: 'False',
      message: expect.stringContaining('--namespace edge') as string,
    });
  });

  it('asks what policies of the namespace of the Service say, and has its routes, not those of its own', async () => {
    const cp = make();
    const route = (namespace: string, header: string): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: r, namespace: ${namespace} }
spec:
  parentRefs: [{ group: '', kind: Service, name: orders, namespace: default }]
  rules: [{ matches: [{ headers: [{ name: ${header}, value: 'yes' }] }], backendRefs: [{ name: orders, namespace: default, port: 80 }] }]
`;
    await put(
      cp,
      service(ASKING),
      gate(ALL),
      "\napiVersion: gateway.networking.k8s.io/v1\nkind: ReferenceGrant\nmetadata: { name: g }\nspec: { from: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: edge }], to: [{ group: '', kind: Service }] }\n",
      route('default', 'x-own'),
      route('edge', 'x-edge'),
    );
    join(cp, behindNodeProxy('orders', '10.0.2.1'));
    const at = join(cp, process('g', '10.0.9.1', 'edge'));
    const [chain] = chainsOf(at.config().listeners, 'gateway_10.0.9.1_15008');
    expect(authzOf(chain)).toEqual([]);
    const routes = (): string => JSON.stringify(at.config().routes);
    expect(routes()).toContain('x-own');
    expect(routes()).not.toContain('x-edge');
    await put(cp, denies('{ to: { methods: [POST] } }'));
    expect(authzOf(chainsOf(at.config().listeners, 'gateway_10.0.9.1_15008')[0])).toMatchObject([
      { policies: [{ name: 'default/p', action: 'DENY' }] },
    ]);
    // Callers in its namespace have their own routes still.
    const caller = join(
      cp,
      nodeOf({
        workload: 'web',
        namespace: 'edge',
        upstreams: [{ service: 'orders.default', localPort: 9001 }],
      }),
    );
    expect(JSON.stringify(caller.config().routes)).toContain('x-edge');
  });
});
