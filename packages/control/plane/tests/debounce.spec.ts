import { readResources, type Resource } from '@tulle/resources';
import { expect, it } from 'vitest';
import { createControlPlane } from '../src/index.ts';
import { joiningNode } from './joining-node.ts';
import { manualClock } from './manual-clock.ts';

const service = `apiVersion: v1
kind: Service
metadata: { name: api }
spec: { selector: { app: api }, ports: [{ port: 80 }] }
`;
const workload = (name: string): string => `apiVersion: tulle.dev/v1alpha1
kind: Workload
metadata: { name: ${name}, labels: { app: api } }
spec: { address: 10.0.0.${name.length}, ports: [{ port: 80 }], inbound: { mode: none } }
`;
const route = (timeout: string): string => `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: api }
spec:
  parentRefs: [{ group: '', kind: Service, name: api }]
  rules: [{ timeouts: { request: ${timeout} }, backendRefs: [{ name: api, port: 80 }] }]
`;

async function read(...documents: string[]): Promise<Resource[]> {
  const { resources, diagnostics } = await readResources([
    { text: documents.join('---\n'), file: 'mesh.yaml' },
  ]);
  expect(diagnostics).toEqual([]);
  return resources.map(({ resource }) => resource);
}

async function mesh() {
  const clock = manualClock();
  const plane = createControlPlane({ trustDomain: 'mesh.local', clock });
  plane.apply(await read(service, workload('a'), workload('bb'), route('1s')), []);
  plane.flush();
  const handle = plane.provider.open(
    joiningNode('web', { upstreams: [{ service: 'api', localPort: 19_080 }] }),
  );
  let told = 0;
  handle.subscribe(() => void told++);
  return {
    clock,
    plane,
    told: () => told,
    addresses: () =>
      handle
        .current()
        .config.endpoints.flatMap(({ endpoints }) =>
          endpoints.map(({ address }) => ('host' in address ? address.host : '')),
        ),
    timeouts: () => JSON.stringify(handle.current().config.routes).match(/"requestTimeoutMs":\d+/g),
  };
}

const removed = 'Workload/default/bb';

it('changes of routes that come together are one for a proxy, at most 20 ms after the first', async () => {
  const { clock, plane, told, timeouts } = await mesh();
  const before = timeouts();
  for (const seconds of [2, 3, 4]) {
    plane.apply(await read(route(`${seconds}s`)), []);
    clock.advance(6);
  }
  expect(told()).toBe(0);
  expect(timeouts()).toEqual(before);
  // However many keep coming: the first one does not wait for the last.
  plane.apply(await read(route('5s')), []);
  clock.advance(2);
  expect(told()).toBe(1);
  expect(timeouts()).not.toEqual(before);
  clock.advance(1000);
  expect(told()).toBe(1);
  await plane.close();
});

it('an endpoint that goes is told at once, with nothing else to wait for and while a route waits', async () => {
  const { clock, plane, told, addresses, timeouts } = await mesh();
  expect(addresses()).toEqual(['10.0.0.1', '10.0.0.2']);
  plane.apply([], [removed]);
  expect(told()).toBe(1);
  expect(addresses()).toEqual(['10.0.0.1']);

  plane.apply(await read(workload('bb')), []);
  expect(told()).toBe(2);
  const before = timeouts();
  plane.apply(await read(route('9s')), []);
  expect(told()).toBe(2);
  plane.apply([], [removed]);
  expect(told()).toBe(3);
  expect(addresses()).toEqual(['10.0.0.1']);
  expect(timeouts()).not.toEqual(before);
  clock.advance(1000);
  expect(told()).toBe(3);
  await plane.close();
});
