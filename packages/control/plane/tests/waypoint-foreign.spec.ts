import { afterEach, describe, expect, it } from 'vitest';
import type { ControlPlane } from '../src/index.ts';
import { closeAll, make, put } from './gateway-mesh.ts';
import { nodeOf } from './nodes.ts';
import { authzOf, id, join, process, service, WAYPOINT } from './waypoint-mesh.ts';

afterEach(closeAll);

const NAME = 'outbound|80||orders.default.svc.mesh.local';
const RULE = [
  {
    policies: [{ name: 'waypoint', action: 'ALLOW', rules: [{ from: { identities: [id('gate')] } }] }],
    defaultAction: 'allow',
  },
];
const reached = (cp: ControlPlane): unknown =>
  join(cp, process())
    .config()
    .endpoints.find(({ name }) => name === NAME)?.endpoints;

describe('a waypoint before a workload that speaks no tunnels', () => {
  it('calls an Envoy over mutual TLS, which lets in nobody else, and has no filters of its own', async () => {
    const cp = make();
    await put(
      cp,
      WAYPOINT,
      service(),
      '\napiVersion: tulle.dev/v1alpha1\nkind: AuthorizationPolicy\nmetadata: { name: p }\nspec: { selector: { matchLabels: { app: orders } }, action: DENY, rules: [{ to: { methods: [POST] } }] }\n',
    );
    const envoy = join(
      cp,
      nodeOf(
        {
          workload: 'orders',
          labels: { app: 'orders' },
          ports: [{ port: 8080, inboundPort: 15_006 }],
          inbound: { address: '10.0.2.1', port: 15_006 },
        },
        '1',
        { userAgent: 'envoy' },
      ),
    );
    expect(reached(cp)).toMatchObject([
      { address: { host: '10.0.2.1', port: 15_006 }, mode: 'sidecar', identity: id('orders') },
    ]);
    const chains = envoy.config().listeners.flatMap(({ filterChains }) => filterChains);
    expect(chains.flatMap((chain) => authzOf(chain))).toEqual(RULE);
    // The rule is the waypoint's to ask.
    expect(JSON.stringify(join(cp, process('other', '10.0.9.2')).config().listeners)).toContain('default/p');
  });

  it('calls a gRPC program over mutual TLS, which lets in nobody else', async () => {
    const cp = make();
    await put(cp, WAYPOINT, service(undefined, ', appProtocol: grpc'));
    const program = cp.provider.open(
      nodeOf(
        {
          workload: 'orders',
          labels: { app: 'orders' },
          ports: [{ port: 8080, appProtocol: 'grpc' }],
          inbound: { address: '10.0.2.1', port: 8080 },
        },
        '1',
        { seat: 'grpc', userAgent: 'gRPC Go/1' },
      ),
    );
    const name = 'grpc/server?xds.resource.listening_address=10.0.2.1:8080';
    program.asked?.('listener', new Set([name]));
    join(cp, process());
    cp.flush();
    program.acked({
      kind: 'listener',
      changeId: program.current().changeId,
      nonce: '1',
      resources: [{ name, version: 'v' }],
      removed: [],
      ok: true,
      sentAtMs: 0,
      ackedAtMs: 0,
    });
    cp.flush();
    expect(reached(cp)).toMatchObject([
      { address: { host: '10.0.2.1', port: 8080 }, identity: id('orders') },
    ]);
    const [listener] = program.current().config.listeners;
    expect(listener?.name).toBe(name);
    expect((listener?.filterChains ?? []).flatMap((chain) => authzOf(chain))).toEqual(RULE);
  });
});
