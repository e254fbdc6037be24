import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readResources } from '@tulle/resources';
import type { ResourceKind, SnapshotHandle } from '@tulle/xds-server';
import { createControlPlane, type ControlPlane, type SidecarMetadata } from '../src/index.ts';
import { manualClock } from './manual-clock.ts';
import { nodeOf } from './nodes.ts';

const RESOURCES = `
apiVersion: v1
kind: Service
metadata: { name: orders }
spec: { selector: { app: orders }, ports: [{ name: grpc, port: 80 }, { name: tcp, port: 81 }] }
---
apiVersion: v1
kind: Service
metadata: { name: carts, namespace: shop }
spec: { ports: [{ port: 7000, appProtocol: grpc }] }
`;
const SERVER = 'grpc/server?xds.resource.listening_address=';

let plane: ControlPlane;
let clock: ReturnType<typeof manualClock>;
beforeEach(async () => {
  clock = manualClock();
  plane = createControlPlane({ trustDomain: 'mesh.local', clock, graceMs: 30_000, mayClaim: () => true });
  await put(RESOURCES);
});
afterEach(() => plane.close());

async function put(yaml: string): Promise<void> {
  const { resources, diagnostics } = await readResources([{ text: yaml, file: 'f' }]);
  expect(diagnostics).toEqual([]);
  plane.apply(
    resources.map(({ resource }) => resource),
    [],
  );
  plane.flush();
}

const program = (metadata: SidecarMetadata): SnapshotHandle =>
  plane.provider.open(nodeOf(metadata, '1', { seat: 'grpc', userAgent: 'gRPC Go/1' }));
const ask = (handle: SnapshotHandle, ...names: string[]): void => handle.asked?.('listener', new Set(names));
const named = (handle: SnapshotHandle): Record<ResourceKind, string[]> => {
  const { listeners, routes, clusters, endpoints } = handle.current().config;
  const of = (list: readonly { readonly name: string }[]): string[] => list.map(({ name }) => name);
  return { listener: of(listeners), route: of(routes), cluster: of(clusters), endpoint: of(endpoints) };
};
function take(handle: SnapshotHandle, ...names: string[]): void {
  handle.acked({
    kind: 'listener',
    changeId: handle.current().changeId,
    nonce: '1',
    resources: names.map((name) => ({ name, version: 'v' })),
    removed: [],
    ok: true,
    sentAtMs: 0,
    ackedAtMs: 0,
  });
  plane.flush();
}
const health = (): unknown => {
  const held = plane.resource('Workload/default/orders.1')?.resource;
  return held?.kind === 'Workload' ? (held.spec.health ?? 'healthy') : undefined;
};

describe('a program that calls by xds:///', () => {
  it('gets a listener by the name of each target that it asks for, with what that leads to, and nothing else', () => {
    const web = program({ workload: 'web' });
    expect(named(web)).toEqual({ listener: [], route: [], cluster: [], endpoint: [] });
    const orders = 'outbound|80||orders.default.svc.mesh.local';
    const carts = 'outbound|7000||carts.shop.svc.mesh.local';
    ask(web, 'orders:80', 'carts.shop');
    expect(named(web)).toEqual({
      listener: ['carts.shop', 'orders:80'],
      route: [carts, orders],
      cluster: [carts, orders],
      endpoint: [carts, orders],
    });
    ask(web, 'orders.default.svc.mesh.local:80');
    expect(named(web)).toMatchObject({ listener: ['orders.default.svc.mesh.local:80'], route: [orders] });
    ask(web);
    expect(named(web)).toEqual({ listener: [], route: [], cluster: [], endpoint: [] });
  });

  it('is told that there is none where no Service is, until one comes', async () => {
    const web = program({ workload: 'web' });
    ask(web, 'later:80', 'orders:99', 'a.b.c.d:80', 'spiffe://x');
    expect(named(web).listener).toEqual([]);
    await put('apiVersion: v1\nkind: Service\nmetadata: { name: later }\nspec: { ports: [{ port: 80 }] }');
    expect(named(web).listener).toEqual(['later:80']);
  });

  it('may have several streams, each of which is told what it asks for', () => {
    const [one, two] = [program({ workload: 'web' }), program({ workload: 'web' })];
    ask(one, 'orders:80');
    ask(two, 'carts.shop:7000');
    expect(named(one).listener).toEqual(['orders:80']);
    expect(named(two).listener).toEqual(['carts.shop:7000']);
    const ids = (): string[] =>
      plane
        .status()
        .proxies.filter(({ connected }) => connected)
        .map(({ id }) => id);
    expect(ids()).toEqual([
      'spiffe://mesh.local/ns/default/sa/web~1',
      'spiffe://mesh.local/ns/default/sa/web~1#2',
    ]);
    one.closed('lost');
    expect(ids()).toEqual(['spiffe://mesh.local/ns/default/sa/web~1#2']);
  });

  it('does not say what it calls in another way', () => {
    expect(() => program({ workload: 'web', upstreams: [{ service: 'orders', localPort: 1 }] })).toThrow(
      /metadata\/upstreams is for proxies.*xds:\/\/\/name\.namespace:port/,
    );
  });
});

describe('a program that serves', () => {
  const metadata: SidecarMetadata = {
    workload: 'orders',
    labels: { app: 'orders' },
    ports: [{ port: 50_051, appProtocol: 'grpc' }],
    inbound: { address: '10.0.0.9', port: 50_051 },
  };

  it.each([
    ['127.0.0.1:50051', { host: '127.0.0.1', port: 50_051 }],
    ['[::]:50051', { host: '::', port: 50_051 }],
  ])('gets its listener with the address by which it asks, %s', (text, address) => {
    const orders = program(metadata);
    ask(orders, SERVER + text, `${SERVER}127.0.0.1:50052`);
    const { listeners, clusters } = orders.current().config;
    expect(listeners.map(({ name, address: at }) => [name, at])).toEqual([[SERVER + text, address]]);
    expect(clusters).toEqual([]); // what is behind it is the program itself
  });

  it('is an endpoint once it took its listener, not before; lost with that stream, and with no other', () => {
    const orders = program(metadata);
    const calls = program(metadata);
    expect(health()).toBeUndefined();
    ask(orders, `${SERVER}10.0.0.9:50051`);
    expect(health()).toBeUndefined();
    take(orders, `${SERVER}10.0.0.9:50051`);
    expect(health()).toBe('healthy');
    calls.closed('lost');
    plane.flush();
    expect(health()).toBe('healthy');
    orders.closed('lost');
    plane.flush();
    expect(health()).toBe('unhealthy');
    clock.advance(30_000);
    plane.flush();
    expect(health()).toBe('unhealthy'); // the last of a Service is kept for those who may still reach it
  });

  it('hears of a policy by its listener', async () => {
    const orders = program(metadata);
    ask(orders, `${SERVER}10.0.0.9:50051`);
    const filters = (): unknown => {
      const handler = orders.current().config.listeners[0]?.filterChains[0]?.handler;
      return handler?.kind === 'http' ? handler.filters.map(({ filter }) => filter) : undefined;
    };
    expect(filters()).toEqual([]);
    await put(
      'apiVersion: tulle.dev/v1alpha1\nkind: AuthorizationPolicy\nmetadata: { name: p }\nspec: { action: DENY, rules: [{ to: { paths: [/a] } }] }',
    );
    expect(filters()).toEqual(['tulle.http.authz']);
  });
});
