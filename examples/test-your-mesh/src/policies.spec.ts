import { standardFilters } from '@tulle/standard';
import { createTestMesh, type TestMesh } from '@tulle/testkit/mesh';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const onlyWeb = `
apiVersion: tulle.dev/v1alpha1
kind: AuthorizationPolicy
metadata: { name: orders }
spec:
  targetRefs: [{ group: '', kind: Service, name: orders }]
  action: ALLOW
  rules: [{ from: { serviceAccounts: [web] }, to: { methods: [GET] } }]
`;

describe('who may call whom', () => {
  let mesh: TestMesh;
  beforeEach(async () => {
    mesh = await createTestMesh({
      filters: standardFilters,
      services: { web: {}, report: {}, orders: () => ({ body: 'order 1' }) },
      resources: onlyWeb,
    });
  });
  afterEach(async () => mesh.stop());

  it('web may read, and nothing else', async () => {
    expect(await mesh.request({ from: 'web', to: 'orders' })).toMatchObject({ status: 200, body: 'order 1' });
    expect((await mesh.request({ from: 'web', to: 'orders', method: 'POST', body: 'x' })).status).toBe(403);
  });

  it('others may not', async () => {
    expect((await mesh.request({ from: 'report', to: 'orders' })).status).toBe(403);
    expect(mesh.calls('orders')).toEqual({ '-': 0 });
  });

  it('who has no identity of this mesh gets no answer at all', async () => {
    const inPlainText = mesh.request({ from: {}, to: 'orders' });
    await expect(inPlainText).rejects.toThrow(/ended/);
    const web = mesh.instances('web')[0]?.identity ?? '';
    expect((await mesh.request({ from: { identity: web }, to: 'orders' })).status).toBe(200);
    const other = 'spiffe://other.example/ns/default/sa/web';
    expect((await mesh.request({ from: { identity: other }, to: 'orders' })).status).toBe(403);
  });
});

it('a timeout is over when it is over, and the caller is told', async () => {
  await using mesh = await createTestMesh({
    filters: standardFilters,
    services: {
      web: {},
      slow: async (_request, self) => {
        await self.delay(60_000);
        return { body: 'at last' };
      },
    },
  });
  expect(await mesh.request({ from: 'web', to: 'slow' })).toMatchObject({ status: 504, tookMs: 15_000 });
  await mesh.apply(`
apiVersion: tulle.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: slow }
spec: { targetRefs: [{ group: '', kind: Service, name: slow }], timeouts: { request: 2s } }
`);
  expect(await mesh.request({ from: 'web', to: 'slow' })).toMatchObject({ status: 504, tookMs: 2_000 });
});

it('an instance that dies is not asked again, and its successors take over', async () => {
  await using mesh = await createTestMesh({
    filters: standardFilters,
    services: { web: {}, orders: { instances: 3 } },
  });
  for (let i = 0; i < 9; i++) await mesh.request({ from: 'web', to: 'orders' });
  expect(mesh.instances('orders').every(({ requests }) => requests.length > 0)).toBe(true);
  const [first, second] = mesh.instances('orders');
  await first?.kill();
  await second?.leave();
  mesh.forget();
  for (let i = 0; i < 9; i++)
    expect(await mesh.request({ from: 'web', to: 'orders' })).toMatchObject({
      status: 200,
      body: 'orders-2',
    });
});

it('a call goes on from service to service, each under its own name', async () => {
  await using mesh = await createTestMesh({
    filters: standardFilters,
    services: {
      front: {},
      orders: async (_request, self) => self.request({ to: 'stock.back', path: '/left' }),
      'stock.back': ({ target, header }) => ({
        body: `${target} for ${header('x-forwarded-client-cert')?.match(/URI=([^;,]*)/)?.[1]}`,
      }),
    },
  });
  expect((await mesh.request({ from: 'front', to: 'orders' })).body).toBe(
    '/left for spiffe://mesh.local/ns/default/sa/orders',
  );
  expect(
    mesh
      .records('orders')
      .map(({ direction }) => direction)
      .sort(),
  ).toEqual(['inbound', 'outbound']);
});

it('what an operator may not apply is refused with its place, and changes nothing', async () => {
  await using mesh = await createTestMesh({ filters: standardFilters, services: { web: {}, orders: {} } });
  await expect(mesh.apply(onlyWeb.replace('methods', 'metods'))).rejects.toThrow(/resources:8:\d+.*"metods"/);
  expect((await mesh.request({ from: 'web', to: 'orders' })).status).toBe(200);
  const findings = await mesh.apply(onlyWeb.replace('name: orders }]', 'name: ordres }]'));
  expect(findings.map(({ message }) => message).join()).toContain('ordres');
  await mesh.remove('AuthorizationPolicy/default/orders');
  await expect(mesh.remove('AuthorizationPolicy/default/orders')).rejects.toThrow('there is no');
});
