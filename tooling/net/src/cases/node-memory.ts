import { ok } from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import type { Case } from '@tulle/interop/suite';
import type { Node, Nodes, Pod } from '../nodes.ts';

/** Of the node, beside those that it has. */
const WORKLOADS = 20;

/** Processes whose ancestor it is, and itself. */
function family(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
      parents.set(Number(entry), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
    } catch {
      // it has ended
    }
  }
  const found = [pid];
  for (const one of found)
    for (const [child, parent] of parents) if (parent === one && !found.includes(child)) found.push(child);
  return found;
}

/** Proportional set size of a program and all that it started, in MiB: what is shared counts once. */
function memoryMiB(pid: number): number {
  let kib = 0;
  for (const one of family(pid)) {
    try {
      kib += Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${one}/smaps_rollup`, 'utf8'))?.[1] ?? 0);
    } catch {
      // it has ended
    }
  }
  return kib / 1024;
}

async function addPods(node: Node, name: string, each: (pod: Pod) => Promise<void>): Promise<void> {
  for (let i = 0; i < WORKLOADS; i++) await each(node.addPod(`${name}${i}`));
}

/** Last of all: it fills the nodes. */
export const nodeMemory: readonly Case<Nodes>[] = [
  {
    name: `memory for ${WORKLOADS} workloads of a node: its proxy against as many sidecars`,
    async run(nodes) {
      const { two } = nodes;
      const empty = memoryMiB(two.proxy.pid);
      const before = two.pods.length;
      await addPods(two, 'many', async (pod) => {
        nodes.startPeer(pod);
        await nodes.add(two, pod);
      });
      await nodes.serving(two, WORKLOADS + 3);
      const proxy = memoryMiB(two.proxy.pid);
      for (const pod of two.pods.slice(before))
        ok(nodes.ask(pod, (two.pods[0] as Pod).address).startsWith('200 '));
      const called = memoryMiB(two.proxy.pid);
      const sidecars: number[] = [];
      await addPods(nodes.one, 'side', async (pod) => {
        nodes.startPeer(pod);
        sidecars.push((await nodes.sidecar(pod)).pid);
      });
      const beside = sidecars.reduce((sum, pid) => sum + memoryMiB(pid), 0);
      ok(called < beside, `${called} MiB for the node proxy, ${beside} MiB for the sidecars`);
      const text = (mib: number): string => `${Math.round(mib)} MiB`;
      return `node proxy ${text(empty)} with 3, ${text(proxy)} with ${WORKLOADS + 3}, ${text(called)} when each has called; ${WORKLOADS} sidecars ${text(beside)} (PSS)`;
    },
  },
];
