import { afterEach, describe, expect, it } from 'vitest';
import { readResources } from '@tulle/resources';
import type { NodeInfo, SnapshotHandle } from '@tulle/xds-server';
import { createControlPlane, memoryState, type ControlPlane, type SidecarMetadata } from '../src/index.ts';
import { manualClock } from './manual-clock.ts';
import { nodeOf } from './nodes.ts';

const EDGE = 'spiffe://mesh.local/ns/default/sa/edge';
const gateway = (name = 'edge'): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: ${name} }
spec: { gatewayClassName: tulle, listeners: [{ name: http, port: 80, protocol: HTTP }] }
`;
/** A Workload written by hand whose sidecar has the Gateway's account. */
const workload = (account: string): string => `
apiVersion: tulle.dev/v1alpha1
kind: Workload
metadata: { name: by-hand }
spec: { address: 192.0.2.9, ports: [{ port: 80 }], inbound: { mode: sidecar, port: 15001 }, ${account} }
`;
const app = (name: string, more: Partial<SidecarMetadata> = {}): NodeInfo =>
  nodeOf({ workload: name, ports: [8080], inbound: { port: 15_001 }, ...more });
const edge = (more: Partial<NodeInfo> = {}): NodeInfo => nodeOf({ workload: 'edge', gateway: {} }, 'g', more);

const open: ControlPlane[] = [];
afterEach(async () => {
  for (const plane of open.splice(0)) await plane.close();
});
const clock = manualClock();
function make(state = memoryState()): ControlPlane {
  const plane = createControlPlane({ trustDomain: 'mesh.local', clock, state });
  open.push(plane);
  return plane;
}
async function put(plane: ControlPlane, ...yaml: string[]): Promise<void> {
  const read = await readResources([{ text: yaml.join('---'), file: 'f' }]);
  expect(read.diagnostics).toEqual([]);
  plane.apply(
    read.resources.map((r) => r.resource),
    [],
  );
  plane.flush();
}
/** Whom a sidecar is told to believe. */
function believed(plane: ControlPlane, sidecar: SnapshotHandle): readonly string[] {
  plane.flush();
  const handler = sidecar.current().config.listeners[0]?.filterChains[0]?.handler;
  return (handler?.kind === 'http' ? handler.trustedForwarders : undefined) ?? [];
}

describe('whose word sidecars take for who called', () => {
  it('is a gateway that has proven its account, not whatever a Gateway resource names', async () => {
    const plane = make();
    const shop = plane.provider.open(app('shop'));
    await put(plane, gateway());
    expect(believed(plane, shop)).toEqual([]);
    const unproven = plane.provider.open(edge({ identity: undefined }));
    expect(believed(plane, shop)).toEqual([]);
    unproven.closed('clean');
    const process = plane.provider.open(edge());
    expect(believed(plane, shop)).toEqual([EDGE]);
    process.closed('lost');
    expect(believed(plane, shop)).toEqual([EDGE]);
  });

  it.each([
    ['with ports', app('edge')],
    ['that only calls', nodeOf({ workload: 'edge' })],
  ])('is no application, also beside a gateway of its account: a sidecar %s', async (_, node) => {
    const plane = make();
    const shop = plane.provider.open(app('shop'));
    const application = plane.provider.open(node);
    await put(plane, gateway());
    plane.provider.open(edge());
    expect(believed(plane, shop)).toEqual([]);
    application.closed('clean');
    expect(believed(plane, shop)).toEqual([EDGE]);
    plane.provider.open(node);
    expect(believed(plane, shop)).toEqual([]);
  });

  it('is nobody whose account a lost sidecar had, until it is forgotten', async () => {
    const plane = make();
    const shop = plane.provider.open(app('shop'));
    await put(plane, gateway());
    plane.provider.open(edge());
    plane.provider.open(app('edge')).closed('lost');
    expect(believed(plane, shop)).toEqual([]);
    clock.advance(3_700_000);
    expect(believed(plane, shop)).toEqual([EDGE]);
  });

  it.each(['serviceAccount: edge', `identity: '${EDGE}'`])(
    'is nobody whom a Workload written by hand names: %s',
    async (account) => {
      const plane = make();
      const shop = plane.provider.open(app('shop'));
      await put(plane, gateway());
      plane.provider.open(edge());
      await put(plane, workload(account));
      expect(believed(plane, shop)).toEqual([]);
      plane.apply([], ['Workload/default/by-hand']);
      expect(believed(plane, shop)).toEqual([EDGE]);
    },
  );

  it('is the same after a restart, before the gateway is back', async () => {
    const state = memoryState();
    const plane = make(state);
    await put(plane, gateway());
    plane.provider.open(edge());
    plane.flush();
    clock.advance(60_000);
    await plane.close();
    const next = make(state);
    expect(believed(next, next.provider.open(app('shop')))).toEqual([EDGE]);
  });
});
