import { standardFilters } from '@tulle/standard';
import { createTestMesh } from '@tulle/testkit/mesh';
import { expect, it } from 'vitest';

const canary = `
apiVersion: v1
kind: Service
metadata: { name: orders-v1 }
spec: { selector: { app: orders, version: v1 }, ports: [{ port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: orders-v2 }
spec: { selector: { app: orders, version: v2 }, ports: [{ port: 80 }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: orders }
spec:
  parentRefs: [{ group: '', kind: Service, name: orders }]
  rules:
    - backendRefs: [{ name: orders-v1, port: 80, weight: 90 }, { name: orders-v2, port: 80, weight: 10 }]
`;
const retries = `
apiVersion: tulle.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: orders }
spec:
  targetRefs: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, name: orders }]
  retries: { attempts: 2, on: [5xx] }
`;

it('a canary that fails now and then is not seen by callers, once what fails is tried again', async () => {
  await using mesh = await createTestMesh({
    filters: standardFilters,
    services: {
      web: {},
      orders: [
        { version: 'v1', instances: 2, handle: () => ({ body: 'v1' }) },
        // Every other request of an instance fails.
        {
          version: 'v2',
          instances: 2,
          handle: ({ index }) => (index % 2 === 0 ? { status: 503 } : { body: 'v2' }),
        },
      ],
    },
    resources: canary,
  });
  const askOften = async (): Promise<number> => {
    let failed = 0;
    for (let i = 0; i < 200; i++) {
      if ((await mesh.request({ from: 'web', to: 'orders' })).status !== 200) failed++;
      await mesh.advance(50);
    }
    return failed;
  };

  expect(await askOften()).toBeGreaterThan(3);
  const { v1 = 0, v2 = 0 } = mesh.calls('orders');
  expect(v1 + v2).toBe(200);
  expect(v2).toBeGreaterThan(8);
  expect(v2).toBeLessThan(40);

  await mesh.apply(retries);
  mesh.forget();
  expect(await askOften()).toBe(0);
  expect(mesh.records('web').some(({ attempts }) => attempts.length > 1)).toBe(true);
});
