import type { Listener } from '@tulle/model';
import { afterEach, describe, expect, it } from 'vitest';
import { closeAll, make, put } from './gateway-mesh.ts';
import { nodeOf } from './nodes.ts';
import {
  authzOf,
  behindNodeProxy,
  chainsOf,
  join,
  letIn,
  process,
  service,
  WAYPOINT,
} from './waypoint-mesh.ts';

afterEach(closeAll);

const policy = (action: string, rule: string): string => `
apiVersion: tulle.dev/v1alpha1
kind: AuthorizationPolicy
metadata: { name: p }
spec: { selector: { matchLabels: { app: orders } }, action: ${action}, rules: [${rule}] }
`;
const sidecar = nodeOf({
  workload: 'orders',
  labels: { app: 'orders' },
  ports: [
    { port: 8080, inboundPort: 15_006 },
    { port: 9090, inboundPort: 15_007 },
  ],
  inbound: { address: '10.0.2.1', port: 15_006 },
});
/** Rules of the policy at each listener of a program. */
const rulesAt = (listeners: readonly Listener[]): unknown =>
  listeners
    .filter(({ direction }) => direction === 'inbound')
    .map(({ address, filterChains }) => [
      'port' in address && address.port,
      filterChains
        .flatMap((chain) => authzOf(chain))
        .map((config) => (config as { policies: { rules: unknown }[] }).policies.map(({ rules }) => rules)),
    ]);

describe('a rule for ports means those of the program', () => {
  it('at a sidecar, whichever it listens at', async () => {
    const cp = make();
    const orders = join(cp, sidecar);
    await put(cp, service('{}'), policy('DENY', '{ to: { ports: [8080], methods: [POST] } }'));
    expect(rulesAt(orders.config().listeners)).toEqual([
      [15_006, [[[{ to: { methods: ['POST'] } }]]]],
      [15_007, [[[]]]],
    ]);
    await put(cp, policy('ALLOW', '{ to: { ports: [9090] } }'));
    // An ALLOW of which no rule is for a port lets nobody in there.
    expect(rulesAt(orders.config().listeners)).toEqual([
      [15_006, [[[]]]],
      [15_007, [[[{}]]]],
    ]);
  });

  it('at a waypoint, by the port that the Service leads to', async () => {
    const cp = make();
    await put(cp, WAYPOINT, service(), policy('DENY', '{ to: { ports: [8080], methods: [POST] } }'));
    join(cp, behindNodeProxy('orders', '10.0.2.1'));
    const gate = join(cp, process());
    const asked = (): unknown =>
      authzOf(chainsOf(gate.config().listeners, 'gateway_10.0.9.1_15008')[0]).map(
        (config) => (config as { policies: { rules: unknown }[] }).policies.map(({ rules }) => rules)[0],
      );
    expect(asked()).toEqual([[{ to: { methods: ['POST'] } }]]);
    await put(cp, policy('DENY', '{ to: { ports: [80], methods: [POST] } }'));
    expect(asked()).toEqual([[]]);
    await put(cp, policy('ALLOW', '{ to: { ports: [80] } }'));
    expect(asked()).toEqual([[]]);
  });

  it('at a waypoint before endpoints that are no workloads, by the port of their slice that is meant', async () => {
    const cp = make();
    const ofService = policy('ALLOW', '{ to: { ports: [8443] } }').replace(
      'selector: { matchLabels: { app: orders } }',
      "targetRefs: [{ group: '', kind: Service, name: orders }]",
    );
    const slice = (port: number): string => `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: orders, labels: { kubernetes.io/service-name: orders } }
addressType: IPv4
endpoints: [{ addresses: [192.0.2.1] }]
ports: [{ name: http, port: ${port} }, { name: admin, port: 9000 }, { name: dns, port: 53, protocol: UDP }]
`;
    await put(cp, WAYPOINT, service(undefined, ', name: http'), ofService, slice(8443));
    const gate = join(cp, process());
    const asked = (): unknown =>
      authzOf(chainsOf(gate.config().listeners, 'gateway_10.0.9.1_15008')[0]).map(
        (config) => (config as { policies: { rules: unknown }[] }).policies.map(({ rules }) => rules)[0],
      );
    expect(asked()).toEqual([[{}]]);
    await put(cp, slice(8444));
    expect(asked()).toEqual([[]]);
  });

  it('at a node proxy, which sees it', async () => {
    const cp = make();
    await put(cp, service('{}'), policy('DENY', '{ to: { ports: [8080] } }'));
    const orders = join(cp, behindNodeProxy('orders', '10.0.2.1'));
    const [chain] = chainsOf(orders.config().listeners, 'inbound_hbone');
    expect(JSON.stringify(letIn(chain))).toContain('"ports":{"first":8080,"last":8080}');
  });
});
