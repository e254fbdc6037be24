import { createRegistry, renderText, type Registry } from '@tulle/metrics';
import { readResources, type Resource } from '@tulle/resources';
import { afterEach, describe, expect, it } from 'vitest';
import { createApi, createControlPlane, memoryState, type ControlPlane } from '../src/index.ts';
import { joiningNode } from './joining-node.ts';
import { manualClock } from './manual-clock.ts';
import { simulatedProxy, type SimulatedProxy } from './simulated-proxy.ts';

const open: ControlPlane[] = [];
afterEach(async () => {
  for (const plane of open.splice(0)) await plane.close();
});

const SHOP = `apiVersion: v1
kind: Service
metadata: { name: orders }
spec: { selector: { app: orders }, ports: [{ port: 80 }] }
`;
const EDIT = `apiVersion: tulle.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: t }
spec: { targetRefs: [{ group: "", kind: Service, name: orders }], timeouts: { connect: 3s } }
`;

async function resources(yaml: string): Promise<Resource[]> {
  const read = await readResources([{ text: yaml, file: 'f' }]);
  expect(read.diagnostics).toEqual([]);
  return read.resources.map(({ resource }) => resource);
}

function make(more: Partial<Parameters<typeof createControlPlane>[0]> = {}) {
  const clock = manualClock();
  const registry: Registry = createRegistry();
  const plane = createControlPlane({ trustDomain: 'mesh.local', clock, meter: registry, ...more });
  open.push(plane);
  const page = (): string => [...renderText(registry, 'prometheus')].join('');
  return {
    plane,
    clock,
    registry,
    /** Value of a series as the page shows it. */
    value: (series: string): number =>
      Number(
        page()
          .split('\n')
          .find((line) => line.startsWith(`${series} `))
          ?.slice(series.length + 1) ?? Number.NaN,
      ),
  };
}

function caller(plane: ControlPlane, name: string): SimulatedProxy {
  const proxy = simulatedProxy(
    () => plane,
    joiningNode(name, { ports: [], upstreams: [{ service: 'orders', localPort: 9000 }] }),
  );
  proxy.connect();
  proxy.settle();
  return proxy;
}

describe('the control plane shows', () => {
  it('who is connected, what it holds, what it sent and what was confirmed', async () => {
    const { plane, value } = make();
    plane.apply(await resources(SHOP), []);
    plane.flush();
    const web = caller(plane, 'web');
    caller(plane, 'shop');
    expect([value('tulle_control_plane_proxies'), value('pilot_xds')]).toEqual([2, 2]);
    expect(value('tulle_control_plane_resources{kind="Service"}')).toBe(1);
    const before = value('pilot_xds_pushes{type="cds"}');
    expect(before).toBeGreaterThan(1);
    plane.apply(await resources(EDIT), []);
    plane.flush();
    expect(value('tulle_control_plane_pending_changes')).toBe(1);
    web.settle();
    expect(value('pilot_xds_pushes{type="cds"}')).toBe(before + 2); // both were sent, one has answered
    expect(value('tulle_control_plane_pushes_total{kind="cluster"}')).toBe(before + 2);
    expect(value('tulle_control_plane_acks_total{kind="cluster"}')).toBe(before + 1);
    expect(value('pilot_k8s_cfg_events{event="add",type="TrafficPolicy"}')).toBe(1);
    web.disconnect('clean');
    expect(value('tulle_control_plane_proxies')).toBe(1);
  });

  it('how long a change took until all had it, and until each had it', async () => {
    const { plane, clock, value } = make();
    plane.apply(await resources(SHOP), []);
    plane.flush();
    const [web, shop] = [caller(plane, 'web'), caller(plane, 'shop')];
    const sums = () =>
      ['tulle_control_plane_propagation_seconds', 'pilot_proxy_convergence_time'].map((name) => [
        value(`${name}_count`),
        value(`${name}_sum`),
      ]);
    const [[changes, all], [one, each]] = sums() as [[number, number], [number, number]];
    plane.apply(await resources(EDIT), []);
    clock.advance(100);
    web.settle();
    expect(sums()).toEqual([
      [changes, all],
      [one + 1, expect.closeTo(each + 0.1)],
    ]);
    clock.advance(300);
    shop.settle();
    expect(sums()).toEqual([
      [changes + 1, expect.closeTo(all + 0.4)],
      [one + 2, expect.closeTo(each + 0.5)],
    ]);
  });

  it('nothing of a proxy that was away meanwhile counts as the time of a change', async () => {
    const { plane, clock, value } = make();
    plane.apply(await resources(SHOP), []);
    plane.flush();
    const web = caller(plane, 'web');
    const counts = () => [
      value('tulle_control_plane_propagation_seconds_count'),
      value('pilot_proxy_convergence_time_count'),
    ];
    const [all = 0, each = 0] = counts();
    plane.apply(await resources(EDIT), []);
    plane.flush();
    web.disconnect('lost');
    clock.advance(3_600_000);
    web.connect();
    web.settle();
    expect(counts()).toEqual([all + 1, each + 1]); // that it connected, nothing else
    expect(value('tulle_control_plane_propagation_seconds_sum')).toBeLessThan(1);
  });

  it('what proxies refuse', async () => {
    const { plane, value } = make();
    const web = caller(plane, 'web');
    web.refuses.add('cluster outbound|80||orders.default.svc.mesh.local');
    plane.apply(await resources(SHOP + '---\n' + EDIT), []);
    plane.flush();
    web.settle();
    expect(value('tulle_control_plane_nacks_total{kind="cluster"}')).toBe(1);
    expect(value('pilot_total_xds_rejects{type="cds"}')).toBe(1);
  });

  it('that the state is not saved, and that a bound bites', async () => {
    const memory = memoryState();
    let full = false;
    const state = {
      load: () => memory.load(),
      save(next: Parameters<typeof memory.save>[0]) {
        if (full) throw new Error('ENOSPC');
        memory.save(next);
      },
    };
    const { plane, value } = make({ state, maxResources: 1, maxChanges: 2 });
    plane.apply(await resources(SHOP), []);
    expect(plane.apply(await resources(EDIT), []).refused[0]?.message).toContain('maxResources');
    expect(value('tulle_control_plane_resources_refused_total')).toBe(1);
    expect(plane.apply(await resources(SHOP.replace('80', '81')), []).refused).toEqual([]); // takes no more room
    full = true;
    await expect(async () => plane.apply(await resources(SHOP), [])).rejects.toThrow('ENOSPC');
    expect(value('tulle_control_plane_save_failures_total')).toBe(1);
    plane.provider.open(joiningNode('orders'));
    plane.flush();
    expect(value('tulle_control_plane_unsaved')).toBe(1);
    expect(value('tulle_control_plane_changes_forgotten_total')).toBe(0);
    for (let i = 0; i < 3; i++) plane.provider.open(joiningNode(`w${i}`, { ports: [] }));
    expect(value('tulle_control_plane_changes_forgotten_total')).toBeGreaterThan(0);
  });

  it('faults of sources, and what REST refused', async () => {
    const { plane, value, registry } = make();
    await plane.attach({
      id: 'file',
      start: async (sink) => {
        const { diagnostics } = await readResources([{ text: 'kind: [', file: 'f' }]);
        sink.faults(diagnostics);
      },
      close: async () => {},
    });
    expect(value('tulle_control_plane_invalid_resources')).toBe(1);
    const { app } = createApi({ controlPlane: plane, meter: registry });
    const post = (payload: string) =>
      app.inject({
        method: 'POST',
        url: '/api/v1/apply',
        payload,
        headers: { 'content-type': 'application/yaml', host: 'localhost' },
      });
    await post(SHOP);
    await post(SHOP.replace('ports', 'prots'));
    expect([value('galley_validation_passed'), value('galley_validation_failed')]).toEqual([1, 1]);
    await app.close();
  });
});
