import { expect, it } from 'vitest';
import { featureMesh, ruleOf } from './feature-mesh.ts';

const policy = (spec: string): string => `
apiVersion: gateway.networking.x-k8s.io/v1alpha1
kind: XBackendTrafficPolicy
metadata: { name: one }
spec: { targetRefs: [{ group: '', kind: Service, name: one }], ${spec} }
`;

it('XBackendTrafficPolicy keeps retries to a share of the requests of a Service, and to some that are always allowed', async () => {
  await using mesh = await featureMesh(
    [ruleOf('retry: { attempts: 3, codes: [503] }, backendRefs: [{ name: one, port: 80 }]')],
    { one: () => ({ status: 503 }) },
  );
  const retriesOf = async (requests: number): Promise<number> => {
    mesh.forget();
    for (let i = 0; i < requests; i++) expect((await mesh.request({ gateway: 'edge' })).status).toBe(503);
    return (mesh.calls('one')['-'] ?? 0) - requests;
  };
  // No more than the default: 20 %, and 10 in a second.
  const byDefault = await retriesOf(40);
  expect(byDefault).toBeGreaterThan(10);
  expect(byDefault).toBeLessThan(40);
  await mesh.apply(
    policy(
      'retryConstraint: { budget: { percent: 50, interval: 60s }, minRetryRate: { count: 1, interval: 60s } }',
    ),
  );
  await mesh.advance(120_000);
  const some = await retriesOf(40);
  expect(some).toBeGreaterThan(15);
  expect(some).toBeLessThan(25);
  await mesh.apply(
    policy('retryConstraint: { budget: { percent: 0 }, minRetryRate: { count: 1, interval: 1h } }'),
  );
  await mesh.advance(120_000);
  expect(await retriesOf(20)).toBeLessThan(2);
});
