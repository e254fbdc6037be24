import { match, strictEqual as is } from 'node:assert/strict';
import type { Running } from '@tulle/processes';
import type { Case } from '@tulle/interop/suite';
import { eventually, podOf } from '../node-questions.ts';
import { PEER, PORT, type Nodes } from '../nodes.ts';
import { until } from '../until.ts';

/** Called `shop` at port 80, and through the waypoint `gate`, where that is said. */
const shop = (waypoint: boolean): string => `apiVersion: v1
kind: Service
metadata: { name: shop, labels: { ${waypoint ? 'tulle.dev/use-waypoint: gate' : ''} } }
spec: { selector: { app: d }, ports: [{ name: http, port: 80, targetPort: ${PORT} }] }
`;
const GATE = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: gate }
spec: { gatewayClassName: tulle-waypoint, listeners: [{ name: mesh, port: 15008, protocol: HBONE }] }
`;
const RULES = `apiVersion: tulle.dev/v1alpha1
kind: AuthorizationPolicy
metadata: { name: no-posts }
spec:
  targetRefs: [{ group: '', kind: Service, name: shop }]
  action: DENY
  rules: [{ from: { serviceAccounts: [a, side2] }, to: { methods: [POST] } }]
---
apiVersion: v1
kind: Service
metadata: { name: beta }
spec: { selector: { app: f }, ports: [{ name: http, port: 80, targetPort: ${PORT} }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: shop }
spec:
  parentRefs: [{ group: '', kind: Service, name: shop }]
  rules:
    - matches: [{ headers: [{ name: x-beta, value: 'yes' }] }]
      backendRefs: [{ name: beta, port: 80 }]
    - backendRefs: [{ name: shop, port: 80 }]
`;

/** The process of the waypoint, while there is one. */
let gate: Running | undefined;

/** Two nodes with node proxies alone, and a waypoint on the first. */
export const waypoints: readonly Case<Nodes>[] = [
  {
    name: 'a Service that asks for a waypoint is closed to everybody until one is there',
    async run(nodes) {
      const [a, d] = [podOf(nodes, 'a'), podOf(nodes, 'd')];
      await nodes.apply(shop(false));
      eventually(nodes, a, 'shop', /^200 d /, 80);
      await nodes.apply(shop(true));
      eventually(nodes, a, 'shop', /^error /, 80);
      // Nor by its address, at that port.
      eventually(nodes, a, d.address, /^error /);
      match(nodes.ask(a, podOf(nodes, 'e').address), /^200 e /);
    },
  },
  {
    name: 'a waypoint adds rules of layer 7 by who calls, and routes; nobody gets around it',
    async run(nodes) {
      const [a, b, d] = [podOf(nodes, 'a'), podOf(nodes, 'b'), podOf(nodes, 'd')];
      await nodes.apply(`${GATE}---\n${RULES}`);
      gate = await nodes.gateway('gate');
      eventually(nodes, a, 'shop', /^200 d /, 80);
      eventually(nodes, a, 'shop', /^403 /, 80, 'POST');
      match(nodes.ask(b, 'shop', 80, 'POST'), /^200 d /);
      eventually(nodes, b, 'shop', /^200 f /, 80, 'GET', 'x-beta=yes');
      // Around it: by a tunnel of somebody else, and in plain text.
      match(nodes.ask(a, d.address), /^error /);
      match(nodes.ask(b, d.address, PORT, 'POST'), /^error /);
      match(nodes.ask(nodes.two.addPod('around'), d.address), /^error /);
    },
  },
  {
    name: 'a waypoint is restarted under load: no call is refused or fails',
    async run(nodes) {
      const load = podOf(nodes, 'b').place.start(process.execPath, [PEER, 'load', 'shop', '80']);
      await load.said(/^asked 100$/m);
      const before = await nodes.gatewayGeneration('gate');
      process.kill((gate as Running).pid, 'SIGHUP');
      await until(
        async () => (await nodes.gatewayGeneration('gate')) > before,
        'another process serves the waypoint',
        30_000, // a start takes its time under this load
      );
      // The new process has the calls by now; the load goes on for a while by it.
      const asked = (load.text.match(/^asked/gm) ?? []).length;
      await load.said(new RegExp(`^asked ${(asked + 5) * 100}$`, 'm'));
      process.kill(load.pid, 'SIGTERM');
      const { out } = await load.ended;
      const counts = JSON.parse(out.trim().split('\n').at(-1) ?? '') as { asked: number; failed: number };
      is(counts.failed, 0, out);
      return `${counts.asked} calls, 0 failed`;
    },
  },
  {
    name: 'a sidecar’s workload joins, and calls through the waypoint as itself',
    async run(nodes) {
      const side = nodes.one.addPod('side2');
      const sidecar = await nodes.captured(side, []);
      try {
        eventually(nodes, side, 'shop', /^200 d /, 80);
        match(nodes.ask(side, 'shop', 80, 'POST'), /^403 /);
        match(nodes.ask(side, 'shop', 80, 'GET', 'x-beta=yes'), /^200 f /);
        match(nodes.ask(side, podOf(nodes, 'd').address), /^error /);
      } finally {
        await sidecar.stop();
      }
    },
  },
  {
    name: 'without its waypoint the Service is closed, and is called past it where it asks for none any more',
    async run(nodes) {
      const [a, d] = [podOf(nodes, 'a'), podOf(nodes, 'd')];
      await gate?.stop();
      eventually(nodes, a, 'shop', /^error /, 80);
      match(nodes.ask(a, d.address), /^error /);
      await nodes.remove(`${GATE}---\n${RULES}`);
      await nodes.apply(shop(false));
      eventually(nodes, a, 'shop', /^200 d /, 80);
      eventually(nodes, a, d.address, /^200 d /);
    },
  },
];
