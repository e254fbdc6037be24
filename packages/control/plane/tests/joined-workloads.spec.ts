import { describe, expect, it } from 'vitest';

import { createControlPlane, memoryState, type ControlPlane } from '../src/index.ts';
import { joiningNode } from './joining-node.ts';
import { manualClock } from './manual-clock.ts';

const workloads = (plane: ControlPlane): Record<string, string | undefined> =>
  Object.fromEntries(
    plane
      .resources()
      .flatMap(({ resource }) =>
        resource.kind === 'Workload' ? [[resource.metadata.name, resource.spec.serviceAccount]] : [],
      ),
  );

describe('a Workload belongs to the identity that made it', () => {
  it('another identity that takes the same names gets a Workload of its own, and takes only that with it', async () => {
    const plane = createControlPlane({ trustDomain: 'mesh.local' });
    const orders = plane.provider.open(joiningNode('orders'));
    const evil = plane.provider.open(
      joiningNode('evil', { workload: 'orders', serviceAccount: 'evil', instance: 'orders-1' }),
    );
    expect(workloads(plane)).toEqual({ 'orders.orders-1': 'orders', 'evil.orders-orders-1': 'evil' });
    evil.closed('clean');
    expect(workloads(plane)).toEqual({ 'orders.orders-1': 'orders' });
    orders.closed('clean');
    expect(workloads(plane)).toEqual({});
    await plane.close();
  });

  it('also before its owner is there, and while its owner is lost', async () => {
    const clock = manualClock();
    const plane = createControlPlane({ trustDomain: 'mesh.local', clock, graceMs: 1_000 });
    const orders = plane.provider.open(joiningNode('orders'));
    orders.closed('lost');
    const evil = plane.provider.open(
      joiningNode('evil', { workload: 'orders', serviceAccount: 'evil', instance: 'orders-1' }),
    );
    evil.closed('clean');
    expect(workloads(plane)).toEqual({ 'orders.orders-1': 'orders' });
    plane.provider.open(joiningNode('orders'));
    clock.advance(5_000);
    expect(workloads(plane)).toEqual({ 'orders.orders-1': 'orders' });
    await plane.close();
  });

  it('one that was made by hand is not taken over', async () => {
    const plane = createControlPlane({ trustDomain: 'mesh.local' });
    const state = memoryState();
    const before = createControlPlane({ trustDomain: 'mesh.local', state });
    before.provider.open(joiningNode('orders'));
    const [made] = before.resources();
    if (made === undefined) throw new Error('no Workload was made');
    plane.apply([made.resource], []);
    expect(() => plane.provider.open(joiningNode('orders'))).toThrow(/belongs to rest; remove it there/);
    expect(workloads(plane)).toEqual({ 'orders.orders-1': 'orders' });
    await before.close();
    await plane.close();
  });

  it('one that calls itself otherwise on its stream leaves nothing behind under its name of before', async () => {
    const plane = createControlPlane({ trustDomain: 'mesh.local' });
    const handle = plane.provider.open(joiningNode('orders'));
    for (const instance of ['two', 'three'])
      handle.described?.({ ...joiningNode('orders', { instance }), id: joiningNode('orders').id });
    expect(workloads(plane)).toEqual({ 'orders.three': 'orders' });
    handle.closed('clean');
    expect(workloads(plane)).toEqual({});
    await plane.close();
  });

  it('a second stream of one node takes the place of the first, which is told and takes nothing with it', async () => {
    const plane = createControlPlane({ trustDomain: 'mesh.local' });
    const reasons: string[] = [];
    const first = plane.provider.open(joiningNode('orders'));
    first.replaceable?.((reason) => void reasons.push(reason));
    const second = plane.provider.open(joiningNode('orders'));
    expect(reasons).toEqual([expect.stringContaining('another stream of')]);
    first.closed('lost');
    expect(plane.status().proxies).toHaveLength(1);
    expect(workloads(plane)).toEqual({ 'orders.orders-1': 'orders' });
    expect(plane.status().lostWorkloads).toEqual([]);
    second.closed('clean');
    expect(workloads(plane)).toEqual({});
    await plane.close();
  });

  it('its owner finds it again after a restart of the control plane; what nobody comes back for goes', async () => {
    const clock = manualClock();
    const state = memoryState();
    const first = createControlPlane({ trustDomain: 'mesh.local', state, clock });
    for (const account of ['orders', 'web']) first.provider.open(joiningNode(account));
    await first.close();
    const second = createControlPlane({ trustDomain: 'mesh.local', state, clock, graceMs: 1_000 });
    const orders = second.provider.open(joiningNode('orders'));
    clock.advance(2_000);
    expect(workloads(second)).toEqual({ 'orders.orders-1': 'orders' });
    orders.closed('clean');
    expect(workloads(second)).toEqual({});
    await second.close();
  });
});

it('a mesh that is closed by default says so in status, and its sidecars deny whom no policy allows', async () => {
  for (const defaultAction of ['allow', 'deny'] as const) {
    const plane = createControlPlane({ trustDomain: 'mesh.local', defaultAction });
    const { config } = plane.provider.open(joiningNode('orders')).current();
    const filters = config.listeners.flatMap(({ filterChains }) =>
      filterChains.flatMap(({ handler }) => (handler.kind === 'http' ? (handler.filters ?? []) : [])),
    );
    expect(filters).toEqual(
      defaultAction === 'allow'
        ? [] // mutual TLS has asked all that there is to ask
        : [expect.objectContaining({ config: { policies: [], defaultAction }, mandatory: true })],
    );
    expect(plane.status().defaultAction).toBe(defaultAction);
    await plane.close();
  }
});

it('sidecars that join together are saved together, at the latest when the control plane ends', async () => {
  const clock = manualClock();
  const memory = memoryState();
  let saves = 0;
  const state = {
    load: () => memory.load(),
    save(next: Parameters<typeof memory.save>[0]) {
      saves += 1;
      memory.save(next);
    },
  };
  const plane = createControlPlane({ trustDomain: 'mesh.local', clock, state });
  for (let i = 0; i < 100; i++) plane.provider.open(joiningNode(`w${i}`));
  expect(saves).toBe(0);
  clock.advance(200);
  expect([saves, memory.load().workloads.length]).toEqual([1, 100]);
  plane.provider.open(joiningNode('late'));
  await plane.close();
  expect([saves, memory.load().workloads.length]).toEqual([2, 101]);
});

describe('a proxy that disconnected', () => {
  const make = (more: Partial<Parameters<typeof createControlPlane>[0]> = {}) => {
    const clock = manualClock();
    const plane = createControlPlane({ trustDomain: 'mesh.local', clock, ...more });
    const seen = () =>
      plane
        .status()
        .proxies.map(({ workload, connected, lastSeenMs, ended }) => [
          workload,
          connected,
          lastSeenMs === undefined ? undefined : clock.epochMs() - lastSeenMs,
          ended,
        ]);
    return { clock, plane, seen };
  };

  it('stays in status for a while, with the time at which it was seen last, until it is back', async () => {
    const { clock, plane, seen } = make();
    const web = plane.provider.open(joiningNode('web'));
    plane.provider.open(joiningNode('orders')).closed('clean');
    clock.advance(60_000);
    web.closed('lost');
    clock.advance(1_000);
    expect(seen()).toEqual([
      ['orders', false, 61_000, 'clean'],
      ['web', false, 1_000, 'lost'],
    ]);
    plane.provider.open(joiningNode('web'));
    expect(seen()).toEqual([
      ['web', true, undefined, undefined],
      ['orders', false, 61_000, 'clean'],
    ]);
    clock.advance(540_000);
    expect(seen()).toEqual([['web', true, undefined, undefined]]);
    await plane.close();
  });

  it('gives way to others that left later, when there are too many', async () => {
    const { plane, seen } = make({ maxDisconnected: 2 });
    for (const name of ['a', 'b', 'c']) plane.provider.open(joiningNode(name)).closed('lost');
    expect(seen().map(([name]) => name)).toEqual(['b', 'c']);
    await plane.close();
  });
});
