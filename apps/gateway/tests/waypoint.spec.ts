import { standardFilters } from '@tulle/standard';
import { createTestMesh, type MeshCall, type TestMesh, type TestMeshOptions } from '@tulle/testkit/mesh';
import { afterEach, describe, expect, it } from 'vitest';

const WAYPOINT = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: gate }
spec:
  gatewayClassName: tulle-waypoint
  listeners: [{ name: mesh, port: 15008, protocol: HBONE }]
---
`;
const service = (name: string, waypoint = true, selector = `app: ${name}`): string => `
apiVersion: v1
kind: Service
metadata: { name: ${name}, labels: { ${waypoint ? 'tulle.dev/use-waypoint: gate' : ''} } }
spec: { selector: { ${selector} }, ports: [{ port: 80, targetPort: 8080, appProtocol: http }] }
---
`;
const policy = (name: string, spec: string): string => `
apiVersion: tulle.dev/v1alpha1
kind: AuthorizationPolicy
metadata: { name: ${name} }
spec: ${spec}
---
`;
const route = (name: string, rules: string, namespace = 'default'): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: ${name}, namespace: ${namespace} }
spec:
  parentRefs: [{ group: '', kind: Service, name: ${name.split('-')[0]}, namespace: default }]
  rules: ${rules}
---
`;

const open: TestMesh[] = [];
afterEach(async () => {
  for (const mesh of open.splice(0)) await mesh.stop();
});
async function start(options: Omit<TestMeshOptions, 'filters'>): Promise<TestMesh> {
  const mesh = await createTestMesh({ filters: standardFilters, gateways: { gate: {} }, ...options });
  open.push(mesh);
  return mesh;
}
const ask = async (
  mesh: TestMesh,
  from: string,
  to: string,
  more: Partial<MeshCall> = {},
): Promise<string> => {
  const { status, body } = await mesh.request({ from, to, path: '/', ...more });
  return `${status} ${body}`.trim();
};
const statusOf = async (...args: Parameters<typeof ask>): Promise<number> =>
  Number((await ask(...args)).slice(0, 3));

describe('a Service that asks for a waypoint', () => {
  it('is called through it, and nobody gets around it', async () => {
    const mesh = await start({
      services: { web: {}, shop: {}, orders: {} },
      resources: [
        WAYPOINT,
        service('orders'),
        policy(
          'no-posts',
          "{ targetRefs: [{ group: '', kind: Service, name: orders }], action: DENY, rules: [{ from: { serviceAccounts: [web] }, to: { methods: [POST] } }] }",
        ),
      ],
    });
    expect(await ask(mesh, 'web', 'orders')).toBe('200 orders-0');
    expect(await statusOf(mesh, 'web', 'orders', { method: 'POST' })).toBe(403);
    expect(await statusOf(mesh, 'shop', 'orders', { method: 'POST' })).toBe(200);
    // What answered no was the waypoint, by who called.
    const refused = mesh.records().filter(({ status }) => status === 403);
    expect(refused.map(({ service: of, peerIdentity }) => [of, peerIdentity])).toContainEqual([
      'gate',
      'spiffe://mesh.local/ns/default/sa/web',
    ]);
    expect(refused.map(({ service: of }) => of)).not.toContain('orders');
    // Straight to the workload, as anybody of the mesh but the waypoint.
    const around = await mesh.request({
      from: { identity: 'spiffe://mesh.local/ns/default/sa/shop' },
      to: 'orders',
      path: '/',
    });
    expect(around.status).toBe(403);
    const waypoint = await mesh.request({
      from: { identity: 'spiffe://mesh.local/ns/default/sa/gate' },
      to: 'orders',
      path: '/',
    });
    expect(waypoint.status).toBe(200);
  });

  it('has its routes and its filters there, once, and not at its callers', async () => {
    const mesh = await start({
      services: {
        web: {},
        orders: (request) => ({ body: `orders ${request.headerAll('x-mark').join()}` }),
        beta: ({ target }) => ({ body: `beta ${target}` }),
      },
      resources: [
        WAYPOINT,
        service('orders'),
        service('beta', false),
        route(
          'orders',
          `
    - matches: [{ path: { value: /v2/ }, headers: [{ name: x-beta, value: 'yes' }] }]
      filters: [{ type: URLRewrite, urlRewrite: { path: { type: ReplacePrefixMatch, replacePrefixMatch: /v2/v2/ } } }]
      backendRefs: [{ name: beta, port: 80 }]
    - backendRefs: [{ name: orders, port: 80 }]`,
        ),
        `
apiVersion: tulle.dev/v1alpha1
kind: FilterPolicy
metadata: { name: twice }
spec:
  targetRefs: [{ group: '', kind: Service, name: orders }]
  phase: limit
  filter: tulle.http.ratelimit
  config: { limits: [{ name: all, requests: 3, intervalMs: 3600000 }] }
---
apiVersion: tulle.dev/v1alpha1
kind: FilterPolicy
metadata: { name: marked }
spec:
  targetRefs: [{ group: '', kind: Service, name: orders }]
  phase: transform
  filter: tulle.http.headers
  config: { request: { add: [{ name: x-mark, value: once }] } }
`,
      ],
    });
    const beta = { path: '/v2/a', headers: { 'x-beta': 'yes' } };
    expect(await ask(mesh, 'web', 'orders', beta)).toBe('200 beta /v2/v2/a');
    expect(await ask(mesh, 'web', 'orders')).toBe('200 orders once');
    expect(await statusOf(mesh, 'web', 'orders')).toBe(200);
    expect(await statusOf(mesh, 'web', 'orders')).toBe(429);
  });

  it('is asked at the waypoint what the workloads behind each route ask', async () => {
    const only = (name: string, account: string): string =>
      policy(
        `${name}-only-${account}`,
        `{ selector: { matchLabels: { app: ${name} } }, action: ALLOW, rules: [{ from: { serviceAccounts: [${account}] } }] }`,
      );
    const mesh = await start({
      services: { web: {}, ops: {}, orders: {}, admin: {} },
      resources: [
        WAYPOINT,
        service('orders'),
        service('admin'),
        route(
          'orders',
          `
    - matches: [{ path: { value: /admin } }]
      backendRefs: [{ name: admin, port: 80 }]
    - matches: [{ path: { value: /both } }]
      backendRefs: [{ name: admin, port: 80, weight: 0 }, { name: orders, port: 80 }]
    - backendRefs: [{ name: orders, port: 80 }]`,
        ),
        only('admin', 'ops'),
        only('orders', 'web'),
      ],
    });
    const seen = async (from: string): Promise<number[]> => {
      const statuses = [];
      for (const path of ['/', '/admin', '/both'])
        statuses.push(await statusOf(mesh, from, 'orders', { path }));
      return statuses;
    };
    expect({ web: await seen('web'), ops: await seen('ops') }).toEqual({
      web: [200, 403, 403],
      ops: [403, 200, 403],
    });
  });

  it('is closed to everybody while there is no waypoint, and to whoever has but its name', async () => {
    const mesh = await start({
      services: { web: {}, orders: {}, gate: {} },
      gateways: {},
      resources: [service('orders')],
    });
    const straight = async (account: string): Promise<number> =>
      (
        await mesh.request({
          from: { identity: `spiffe://mesh.local/ns/default/sa/${account}` },
          to: 'orders',
          path: '/',
        })
      ).status;
    expect(await statusOf(mesh, 'web', 'orders')).toBe(503);
    await mesh.apply(WAYPOINT);
    expect(await statusOf(mesh, 'web', 'orders')).toBe(503);
    // An application of that name is no waypoint.
    expect([await straight('web'), await straight('gate')]).toEqual([403, 403]);
    await mesh.apply(service('orders', false));
    expect([await statusOf(mesh, 'web', 'orders'), await straight('web')]).toEqual([200, 200]);
  });

  it('is called anew without it, and through it again', async () => {
    const mesh = await start({ services: { web: {}, orders: {} }, resources: [WAYPOINT, service('orders')] });
    const through = (): number => mesh.records().filter(({ service: of }) => of === 'gate').length;
    expect(await statusOf(mesh, 'web', 'orders')).toBe(200);
    expect(through()).toBe(1);
    await mesh.apply(service('orders', false));
    expect(await statusOf(mesh, 'web', 'orders')).toBe(200);
    expect(through()).toBe(1);
    await mesh.apply(service('orders'));
    expect(await statusOf(mesh, 'web', 'orders')).toBe(200);
    expect(through()).toBe(2);
    await mesh.remove('Gateway/default/gate');
    expect(await statusOf(mesh, 'web', 'orders')).toBe(503);
    await mesh.clock.advance(60_000); // connections of the listener that is gone end
    await mesh.apply(WAYPOINT);
    expect(await statusOf(mesh, 'web', 'orders')).toBe(200);
  });

  it('has the time limits and the retries that its policies say, at the waypoint alone', async () => {
    let asked = 0;
    const mesh = await start({
      services: {
        web: {},
        orders: async ({ target }, self) => {
          asked += 1;
          if (target === '/slow') await self.delay(30_000);
          return { status: target === '/fails' ? 503 : 200, body: 'done' };
        },
      },
      resources: [
        WAYPOINT,
        service('orders'),
        `
apiVersion: tulle.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: orders }
spec:
  targetRefs: [{ group: '', kind: Service, name: orders }]
  timeouts: { request: 60s }
  retries: { attempts: 2, codes: [503] }
`,
      ],
    });
    expect(await ask(mesh, 'web', 'orders', { path: '/slow' })).toBe('200 done');
    asked = 0;
    expect(await statusOf(mesh, 'web', 'orders', { path: '/fails' })).toBe(503);
    expect(asked).toBe(3);
  });

  it('hears who called from the waypoint, whatever the caller says of itself', async () => {
    const mesh = await start({
      services: {
        web: {},
        orders: (request) => ({
          body: `${request.header('x-forwarded-client-cert')} ${request.header('x-forwarded-for')}`,
        }),
      },
      resources: [WAYPOINT, service('orders')],
    });
    const headers = {
      'x-forwarded-client-cert': 'URI=spiffe://mesh.local/ns/default/sa/admin',
      'x-forwarded-for': '192.0.2.1',
    };
    const said = await ask(mesh, 'web', 'orders', { headers });
    expect(said).toContain('URI=spiffe://mesh.local/ns/default/sa/gate');
    expect(said).not.toContain('admin');
    expect(said).not.toContain('192.0.2.1');
  });

  it('is called through it by a Gateway, too, which says from where its callers came', async () => {
    const mesh = await start({
      services: { orders: { handle: ({ headers }) => ({ body: JSON.stringify(headers) }) } },
      gateways: { gate: {}, edge: {} },
      resources: [
        WAYPOINT,
        service('orders'),
        `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec: { gatewayClassName: tulle, listeners: [{ name: http, port: 80, protocol: HTTP }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: edge }
spec: { parentRefs: [{ name: edge }], rules: [{ backendRefs: [{ name: orders, port: 80 }] }] }
---
`,
        policy(
          'only-edge',
          "{ targetRefs: [{ group: '', kind: Service, name: orders }], action: ALLOW, rules: [{ from: { serviceAccounts: [edge] } }] }",
        ),
      ],
    });
    const { status, body } = await mesh.request({ gateway: 'edge', path: '/' });
    expect(status).toBe(200);
    expect(body).toContain('spiffe://mesh.local/ns/default/sa/edge');
  });
});
