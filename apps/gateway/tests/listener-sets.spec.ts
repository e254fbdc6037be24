import { expect, it } from 'vitest';
import { featureMesh } from './feature-mesh.ts';

const GATEWAY = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  gatewayClassName: tulle
  allowedListeners: { namespaces: { from: Same } }
  listeners: [{ name: http, port: 80, protocol: HTTP, hostname: own.example }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: ListenerSet
metadata: { name: more }
spec:
  parentRef: { name: edge }
  listeners:
    - { name: http, port: 80, protocol: HTTP, hostname: a.example }
    - { name: other, port: 8080, protocol: HTTP }
`;
const ROUTES = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: r }
spec:
  parentRefs: [{ name: edge }, { kind: ListenerSet, name: more }]
  rules: [{ backendRefs: [{ name: one, port: 80 }] }]
`;
const fault = (target: string, status: number): string => `
apiVersion: tulle.dev/v1alpha1
kind: FilterPolicy
metadata: { name: f }
spec:
  targetRefs: [{ group: gateway.networking.k8s.io, ${target} }]
  filter: tulle.http.fault
  config: { abort: { percent: 100, status: ${status} } }
`;

it('filters of a ListenerSet are for its listeners, those of a Gateway for all, and those of a listener for that one', async () => {
  await using mesh = await featureMesh([ROUTES], { gateway: GATEWAY });
  const statuses = async (): Promise<number[]> => [
    (await mesh.request({ gateway: 'edge', host: 'own.example' })).status,
    (await mesh.request({ gateway: 'edge', host: 'a.example' })).status,
    (await mesh.request({ gateway: 'edge', port: 8080 })).status,
  ];
  expect(await statuses()).toEqual([200, 200, 200]);
  await mesh.apply(fault('kind: ListenerSet, name: more', 418));
  expect(await statuses()).toEqual([200, 418, 418]);
  await mesh.apply(fault('kind: ListenerSet, name: more, sectionName: http', 419));
  expect(await statuses()).toEqual([200, 419, 200]);
  await mesh.apply(fault('kind: Gateway, name: edge', 420));
  expect(await statuses()).toEqual([420, 420, 420]);
  // The names of listeners are their owner's.
  await mesh.apply(fault('kind: Gateway, name: edge, sectionName: http', 421));
  expect(await statuses()).toEqual([421, 200, 200]);
});
