import { match, strictEqual as is } from 'node:assert/strict';
import type { Case } from '@tulle/interop/suite';
import { eventually, podOf } from '../node-questions.ts';
import { PEER, PORT, type Node, type Nodes, type Pod } from '../nodes.ts';
import { enginesOf, isGone } from '../process-tree.ts';
import { until } from '../until.ts';

const REFUSED = /^error (?:ECONNRESET|ECONNREFUSED|socket hang up)$/;
const CLOSED = ['--if-proxy-dies', 'closed'];

/** SIGKILL of everything that the node proxy is. */
async function kill({ proxy }: Node): Promise<void> {
  const pids = [...enginesOf(proxy.pid), proxy.pid];
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  await until(() => pids.every(isGone), 'proxy and supervisor are gone');
}

/** Nothing in or out, but what a program says to itself. */
function isClosed(nodes: Nodes, workload: Pod, neighbour: Pod): void {
  match(nodes.ask(neighbour, workload.address), REFUSED);
  match(nodes.ask(neighbour, workload.address6), REFUSED);
  for (const host of [neighbour.address, neighbour.address6]) match(nodes.ask(workload, host), REFUSED);
  match(nodes.ask(workload, '127.0.0.1'), /^200 /);
}

/** What is left when a node proxy is gone, and how it comes back. */
export const nodeKills: readonly Case<Nodes>[] = [
  {
    name: 'SIGKILL of a node proxy’s engine alone: its successor takes the sockets, and calls wait for it',
    async run(nodes) {
      const [a, d] = [podOf(nodes, 'a'), podOf(nodes, 'd')];
      for (const { proxy } of [nodes.one, nodes.two])
        for (const pid of enginesOf(proxy.pid)) process.kill(pid, 'SIGKILL');
      match(nodes.ask(a, d.address), /^200 d /);
      is(a.place.tables().length, 1);
      return Promise.resolve();
    },
  },
  {
    name: 'SIGKILL of a node proxy’s engine while workloads leave: its successor serves those that stay',
    async run(nodes) {
      const [a, d] = [podOf(nodes, 'a'), podOf(nodes, 'd')];
      for (let n = 0; n < 3; n++) {
        const guest = nodes.one.addPod(`leaving${n}`);
        await nodes.add(nodes.one, guest);
        await nodes.serving(nodes.one, 3);
        await nodes.toEnd(nodes.one, ['node-proxy', 'remove', guest.name]);
        for (const pid of enginesOf(nodes.one.proxy.pid)) process.kill(pid, 'SIGKILL');
        eventually(nodes, a, d.address, /^200 d /);
        await until(() => guest.place.tables().length === 0, 'the guest has left');
      }
    },
  },
  {
    name: 'SIGKILL of a node proxy and of its supervisor, fail open: no rule is left behind, and calls go where they were meant',
    async run(nodes) {
      const { one } = nodes;
      match((await one.proxy.said(/is killed, .*fail (?:open|closed)/))[0], /open/);
      const [a, neighbour] = [podOf(nodes, 'a'), one.addPod('near')];
      nodes.startPeer(neighbour);
      eventually(nodes, a, neighbour.address, /^200 near /);
      match(nodes.ask(neighbour, a.address), REFUSED);
      const startedMs = performance.now();
      await kill(one);
      const served = ['a', 'b'].map((name) => podOf(nodes, name).place);
      await until(() => served.every((place) => place.tables().length === 0), 'the rules are gone');
      const goneMs = performance.now() - startedMs;
      match(nodes.ask(neighbour, a.address), /^200 a /);
      match(nodes.ask(a, neighbour.address), /^200 near /);
      nodes.startProxy(one);
      await nodes.serving(one, 2);
      match(nodes.ask(neighbour, a.address), REFUSED);
      return `gone after ${goneMs.toFixed(0)} ms`;
    },
  },
  {
    name: 'SIGKILL or the end of a node proxy, fail closed: nothing gets out or in until it is back, or the workload is removed',
    async run(nodes) {
      const { one } = nodes;
      const [a, b, d] = ['a', 'b', 'd'].map((name) => podOf(nodes, name)) as [Pod, Pod, Pod];
      const neighbour = one.addPod('close');
      nodes.startPeer(neighbour);
      await one.proxy.stop();
      nodes.startProxy(one, CLOSED);
      match((await one.proxy.said(/is killed, .*fail (?:open|closed)/))[0], /closed/);
      await nodes.serving(one, 2);
      eventually(nodes, a, d.address, /^200 d /);
      const watch = neighbour.place.start(process.execPath, [PEER, 'load', a.address, String(PORT)]);
      await watch.said(/^loading$/m);
      await kill(one);
      isClosed(nodes, a, neighbour);
      nodes.startProxy(one, CLOSED);
      await nodes.serving(one, 2);
      eventually(nodes, a, d.address, /^200 d /);
      eventually(nodes, d, a.address, /^200 a /);
      // It is told to end, and leaves the rules as well.
      await one.proxy.stop();
      isClosed(nodes, a, neighbour);
      process.kill(watch.pid, 'SIGTERM');
      const counts = JSON.parse((await watch.ended).out.trim().split('\n').at(-1) ?? '') as {
        asked: number;
        failed: number;
      };
      is(counts.failed, counts.asked, 'plain text got in meanwhile');
      await nodes.toEnd(one, ['node-proxy', 'remove', 'b']);
      is(b.place.tables().length, 0);
      match(nodes.ask(neighbour, b.address), /^200 b /);
      match(nodes.ask(neighbour, a.address), REFUSED);
      // Whoever serves it as before makes the rules its own.
      nodes.startProxy(one);
      await nodes.serving(one, 1);
      await kill(one);
      await until(() => a.place.tables().length === 0, 'the rules are gone');
      await nodes.add(one, b);
      nodes.startProxy(one);
      await nodes.serving(one, 2);
      return `${counts.asked} attempts in plain text, all refused`;
    },
  },
];
