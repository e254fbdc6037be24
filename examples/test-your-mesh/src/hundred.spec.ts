import { standardFilters } from '@tulle/standard';
import { createTestMesh } from '@tulle/testkit/mesh';
import { beforeAll, describe, expect, it } from 'vitest';

/** A hundred meshes: every tenth share of a canary, with every mix of healthy, failing, resetting and slow instances, with and without retries. */
const FAULTS = {
  none: () => ({ body: 'v2' }),
  '503': () => ({ status: 503 }),
  reset: () => 'reset',
  silence: () => 'silence',
  '404': () => ({ status: 404 }),
} as const;
const scenarios = Array.from({ length: 100 }, (_, i) => ({
  weight: (i % 10) * 10 + 5,
  fault: Object.keys(FAULTS)[Math.floor(i / 10) % 5] as keyof typeof FAULTS,
  retries: i >= 50,
  seed: i + 1,
}));

const resources = (weight: number, retries: boolean): string => `
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
    - backendRefs: [{ name: orders-v1, port: 80, weight: ${100 - weight} }, { name: orders-v2, port: 80, weight: ${weight} }]
---
apiVersion: tulle.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: orders }
spec:
  targetRefs: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, name: orders }]
  timeouts: { request: 1s }
  retries: ${retries ? '{ attempts: 1, on: [5xx, reset] }' : '{ attempts: 0 }'}
`;

describe('a hundred meshes', () => {
  const began = { ms: 0, cpu: process.threadCpuUsage() };
  beforeAll(() => {
    began.ms = performance.now();
    began.cpu = process.threadCpuUsage();
  });

  it.each(scenarios)(
    '$weight % to a canary with $fault, retries $retries',
    async ({ weight, fault, retries, seed }) => {
      await using mesh = await createTestMesh({
        filters: standardFilters,
        services: {
          web: {},
          orders: [
            { version: 'v1', instances: 2, handle: () => ({ body: 'v1' }) },
            { version: 'v2', instances: 2, handle: FAULTS[fault] },
          ],
        },
        resources: resources(weight, retries),
        seed,
      });
      const expected = { none: 200, '503': 503, reset: 503, silence: 504, '404': 404 }[fault];
      let first = 0;
      for (let i = 0; i < 20; i++) {
        const { status, body, tookMs } = await mesh.request({ from: 'web', to: 'orders' });
        if (body === 'v1') first++;
        expect(status).toBe(body === 'v1' ? 200 : expected);
        expect(tookMs).toBeLessThanOrEqual(1000);
      }
      const { v1, v2 = 0 } = mesh.calls('orders');
      expect(v1).toBe(first);
      // What fails is tried twice where the policy says so, as far as the retry budget goes.
      const others = 20 - first;
      const most = retries && (fault === '503' || fault === 'reset') ? 2 * others : others;
      expect(v2).toBeGreaterThanOrEqual(others);
      expect(v2).toBeLessThanOrEqual(most);
      if (most > others) expect(v2).toBeGreaterThan(others);
    },
  );

  it('take less than 20 s, all of them', () => {
    const cpu = process.threadCpuUsage(began.cpu);
    const cpuMs = (cpu.user + cpu.system) / 1000;
    process.stdout.write(
      `a hundred meshes, ${scenarios.length * 20} calls: ${((performance.now() - began.ms) / 1000).toFixed(1)} s, of them ${(cpuMs / 1000).toFixed(1)} s of CPU\n`,
    );
    // CPU of this thread rather than time: other tests share the machine, and other threads of this process are no mesh's.
    expect(cpuMs).toBeLessThan(20_000);
  });
});
