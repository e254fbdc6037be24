import { readResources } from '@tulle/resources';
import { expect, it } from 'vitest';
import { createControlPlane, type SidecarMetadata } from '../src/index.ts';
import { joiningNode } from './joining-node.ts';

const service = (name: string, namespace: string): string => `apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: ${namespace} }
spec: { selector: { app: ${name} }, ports: [{ port: 80 }] }
---
apiVersion: tulle.dev/v1alpha1
kind: Workload
metadata: { name: ${name}-1, namespace: ${namespace}, labels: { app: ${name} } }
spec: { address: 10.0.0.${name.length}, ports: [{ port: 8080 }], inbound: { mode: hbone } }
`;
const MESH = [
  service('api', 'default'),
  service('cart', 'default'),
  service('api', 'shop'),
  service('billing', 'pay'),
].join('---\n');

async function plane() {
  const { resources, diagnostics } = await readResources([{ text: MESH, file: 'mesh.yaml' }]);
  expect(diagnostics).toEqual([]);
  const controlPlane = createControlPlane({ trustDomain: 'mesh.local' });
  controlPlane.apply(
    resources.map(({ resource }) => resource),
    [],
  );
  controlPlane.flush();
  return controlPlane;
}

const captured = (reachable?: readonly string[]): Partial<SidecarMetadata> => ({
  capture: { outbound: [{ address: '127.0.0.1', port: 15_001 }], ...(reachable && { reachable }) },
});
const behindNodeProxy = (reachable?: readonly string[]): Partial<SidecarMetadata> => ({
  inbound: { address: '10.9.0.1', port: 15_008 },
  hbone: { outboundPort: 15_001, inboundPort: 15_006, ...(reachable && { reachable }) },
});

const ALL = ['api.default', 'api.shop', 'billing.pay', 'cart.default'];

it.each([
  ['everything', undefined, ALL],
  ['everything, said', ['*'], ALL],
  ['one of its own namespace', ['api'], ['api.default']],
  ['one of another', ['billing.pay'], ['billing.pay']],
  ['all of another and one of its own', ['*.shop', 'cart'], ['api.shop', 'cart.default']],
  ['nobody', [], []],
  ['one that is not there yet', ['later'], []],
])('a captured program that calls %s is told of that and nothing else', async (_what, names, expected) => {
  const controlPlane = await plane();
  const of = (more: Partial<SidecarMetadata>, instance: string) => {
    const { config } = controlPlane.provider.open(joiningNode('web', more, instance)).current();
    const services = config.endpoints.map(
      ({ name }) => /(\w+\.(?:default|shop|pay))/.exec(name)?.[1] ?? name,
    );
    const outbound = config.listeners.find(({ direction }) => direction === 'outbound');
    const chains = (outbound?.filterChains ?? []).flatMap(({ name }) => {
      const found = name.startsWith('workload|') ? null : /(\w+\.(?:default|shop|pay))/.exec(name);
      return found === null ? [] : [found[1] as string];
    });
    const workloads = config.clusters.filter(({ name }) => name.startsWith('workload|8080|')).length;
    return { services: new Set(services), chains: new Set(chains), workloads };
  };
  expect(of(captured(names), '1')).toEqual({
    services: new Set(expected),
    chains: new Set(expected),
    workloads: 0,
  });
  // Its own address too, of each that a Service of these picks.
  expect(of(behindNodeProxy(names), '2')).toEqual({
    services: new Set(expected),
    chains: new Set(expected),
    workloads: expected.length,
  });
  await controlPlane.close();
});

it('what it does not call does not concern it, and a Service that comes does when it is among them', async () => {
  const controlPlane = await plane();
  const handle = controlPlane.provider.open(joiningNode('web', captured(['*.shop'])));
  let told = 0;
  handle.subscribe(() => void told++);
  controlPlane.apply([], ['Workload/pay/billing-1']);
  controlPlane.apply([], ['Service/pay/billing']);
  controlPlane.flush();
  expect(told).toBe(0);
  const { resources } = await readResources([{ text: service('orders', 'shop'), file: 'orders.yaml' }]);
  controlPlane.apply(
    resources.map(({ resource }) => resource),
    [],
  );
  controlPlane.flush();
  expect(handle.current().config.endpoints.map(({ name }) => name)).toHaveLength(2);
  await controlPlane.close();
});

it('every proxy is told the same address of a Service, whatever else it reaches', async () => {
  const controlPlane = await plane();
  const addressOf = (reachable: readonly string[], instance: string): unknown =>
    controlPlane.provider
      .open(joiningNode('web', captured(reachable), instance))
      .current()
      .config.listeners.flatMap(({ filterChains }) => filterChains)
      .find(({ name }) => name?.includes('api.shop'))?.match?.destinationCidrs;
  expect(addressOf(['*'], '1')).toEqual(addressOf(['api.shop'], '2'));
  await controlPlane.close();
});

it.each([
  [
    'shop/api',
    '/capture/reachable/0 must be a Service, as name, name.namespace, *.namespace or *, not "shop/api"',
  ],
  ['a.b.c', '/capture/reachable/0 must be'],
  [7, '/capture/reachable/0 must be'],
])('%j is refused with its place', async (name, message) => {
  const controlPlane = await plane();
  expect(() => controlPlane.provider.open(joiningNode('web', captured([name as string])))).toThrow(message);
  await controlPlane.close();
});
