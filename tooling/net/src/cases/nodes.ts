import { match, strictEqual as is } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import type { Case } from '@tulle/interop/suite';
import { eventually, podOf } from '../node-questions.ts';
import { PEER, PORT, type Nodes } from '../nodes.ts';

export const nodeCases: readonly Case<Nodes>[] = [
  {
    name: 'workloads of two nodes call each other by address, whoever serves them',
    async run(nodes) {
      for (const [from, to] of [
        ['a', 'e'],
        ['e', 'a'],
        ['a', 'b'],
        ['d', 'f'],
      ] as const) {
        is(
          nodes.ask(podOf(nodes, from), podOf(nodes, to).address),
          `200 ${to} called by ${podOf(nodes, to).address}`,
          `${from} to ${to}`,
        );
      }
      return Promise.resolve();
    },
  },
  {
    name: 'what is not in a tunnel does not get in',
    async run(nodes) {
      const outsider = nodes.two.addPod('outsider');
      match(nodes.ask(outsider, podOf(nodes, 'a').address), /^error /);
      match(nodes.ask(outsider, podOf(nodes, 'd').address), /^error /);
      await Promise.resolve();
    },
  },
  {
    name: 'policy sees the identity of each workload, not of its node',
    async run(nodes) {
      await nodes.apply(`apiVersion: tulle.dev/v1alpha1
kind: AuthorizationPolicy
metadata: { name: only-a }
spec: { selector: { matchLabels: { app: e } }, action: ALLOW, rules: [{ from: { serviceAccounts: [a] } }] }
`);
      const { address } = podOf(nodes, 'e');
      eventually(nodes, podOf(nodes, 'b'), address, /^error /);
      match(nodes.ask(podOf(nodes, 'a'), address), /^200 e /);
      match(nodes.ask(podOf(nodes, 'd'), address), /^error /);
      match(nodes.ask(podOf(nodes, 'b'), podOf(nodes, 'f').address), /^200 f /);
      await nodes.apply(`apiVersion: tulle.dev/v1alpha1
kind: AuthorizationPolicy
metadata: { name: not-a }
spec: { selector: { matchLabels: { app: f } }, action: DENY, rules: [{ from: { serviceAccounts: [a] }, to: { ports: [${PORT}] } }] }
`);
      eventually(nodes, podOf(nodes, 'a'), podOf(nodes, 'f').address, /^error /);
      match(nodes.ask(podOf(nodes, 'b'), podOf(nodes, 'f').address), /^200 f /);
    },
  },
  {
    name: 'a workload with a sidecar is called, and policy there sees who calls',
    async run(nodes) {
      const other = nodes.one.addPod('g');
      nodes.startPeer(other);
      const sidecar = await nodes.sidecar(other);
      eventually(
        nodes,
        podOf(nodes, 'd'),
        other.address,
        /^200 g called by (?:127\.0\.0\.1|::ffff:127\.0\.0\.1)/,
      );
      match(nodes.ask(podOf(nodes, 'a'), other.address), /^200 g /);
      await nodes.apply(`apiVersion: tulle.dev/v1alpha1
kind: AuthorizationPolicy
metadata: { name: only-d }
spec: { selector: { matchLabels: { app: g } }, action: ALLOW, rules: [{ from: { serviceAccounts: [d] } }] }
`);
      eventually(nodes, podOf(nodes, 'a'), other.address, /^403 /);
      match(nodes.ask(podOf(nodes, 'd'), other.address), /^200 g /);
      await sidecar.stop();
    },
  },
  {
    name: 'a sidecar’s workload calls those of node proxies by name, by tunnels and as itself, and is called by them',
    async run(nodes) {
      const side = nodes.one.addPod('side');
      nodes.startPeer(side);
      const judged = nodes.two.addPod('judged');
      nodes.startPeer(judged);
      await nodes.add(nodes.two, judged);
      await nodes.apply(`apiVersion: v1
kind: Service
metadata: { name: judged }
spec: { selector: { app: judged }, ports: [{ name: http, port: 80, targetPort: ${PORT} }] }
---
apiVersion: tulle.dev/v1alpha1
kind: AuthorizationPolicy
metadata: { name: judged }
spec: { selector: { matchLabels: { app: judged } }, action: ALLOW, rules: [{ from: { serviceAccounts: [side] } }] }
`);
      const sidecar = await nodes.captured(side, [PORT]);
      await nodes.serving(nodes.two, 4);
      eventually(nodes, side, 'judged', /^200 judged /, 80);
      // Policy knows the sidecar's workload from those of a node proxy.
      match(nodes.ask(podOf(nodes, 'a'), judged.address), /^error /);
      match(nodes.ask(podOf(nodes, 'd'), judged.address), /^error /);
      eventually(nodes, judged, side.address, /^200 side /);
      match(nodes.ask(podOf(nodes, 'a'), side.address), /^200 side /);
      // Plain text gets into neither.
      const outsider = nodes.two.addPod('uninvited');
      match(nodes.ask(outsider, side.address), /^error /);
      match(nodes.ask(outsider, judged.address), /^error /);
      await sidecar.stop();
      await nodes.toEnd(nodes.two, ['node-proxy', 'remove', 'judged']);
    },
  },
  {
    name: 'a node proxy is restarted under load: no connection is refused or fails, and an upgraded one lives on',
    async run(nodes) {
      const [from, to] = [podOf(nodes, 'b'), podOf(nodes, 'd')];
      const hold = from.place.start(process.execPath, [PEER, 'hold', to.address, String(PORT)]);
      await hold.said(/^open$/m);
      const load = from.place.start(process.execPath, [PEER, 'load', to.address, String(PORT)]);
      await load.said(/^loading$/m);
      for (const node of [nodes.one, nodes.two]) {
        signalTulle(node.proxy.pid, 'SIGHUP');
        await node.proxy.said(/tulle: restarted: /);
      }
      // Both have new processes by now; the load goes on for a while by them.
      const before = (load.text.match(/^asked/gm) ?? []).length;
      await load.said(new RegExp(`^asked ${(before + 5) * 100}$`, 'm'));
      signalTulle(load.pid, 'SIGTERM');
      const { out } = await load.ended;
      const counts = JSON.parse(out.trim().split('\n').at(-1) ?? '') as { asked: number; failed: number };
      signalTulle(hold.pid, 'SIGUSR2');
      await hold.said(/^heard line 1$/m);
      is(/closed|error/.test(hold.text), false, hold.text);
      await hold.stop();
      is(counts.failed, 0, out);
      return `${counts.asked} connections, 0 failed`;
    },
  },
  {
    name: 'a workload that is taken away has its network as it was',
    async run(nodes) {
      const c = podOf(nodes, 'c');
      is(c.place.tables().length, 1);
      await nodes.toEnd(nodes.one, ['node-proxy', 'remove', 'c']);
      const deadline = Date.now() + 20_000;
      while (c.place.tables().length > 0 && Date.now() < deadline)
        await new Promise((resolve) => setTimeout(resolve, 100));
      is(c.place.tables().length, 0);
      match(nodes.ask(nodes.one.addPod('neighbour'), c.address), /^200 c called by 10\.88\.1\./);
    },
  },
];

/** `nsenter` became the program, so its number is the program's. */
function signalTulle(pid: number, signal: NodeJS.Signals): void {
  execFileSync('kill', [`-${signal.slice(3)}`, String(pid)]);
}
