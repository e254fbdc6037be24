import { strictEqual as is, ok } from 'node:assert/strict';
import type { Case } from '@tulle/interop/suite';
import { eventually, podOf } from '../node-questions.ts';
import { PEER, PORT, type Node, type Nodes } from '../nodes.ts';

/** Renewed at half of it, so several times in this test. */
export const LEAF_SECONDS = 16;
const RENEWALS = 3;

/** When the certificate of each workload of a node ends. */
async function endOfCertificates(nodes: Nodes, node: Node): Promise<ReadonlyMap<string, number>> {
  const text = await nodes.toEnd(node, ['node-proxy', 'list', '-o', 'json']);
  const items = JSON.parse(text) as readonly {
    readonly name: string;
    readonly certificateNotAfterMs: number;
  }[];
  return new Map(items.map(({ name, certificateNotAfterMs }) => [name, certificateNotAfterMs]));
}

/** Where certificates live for some seconds. */
export const nodeRenewal: readonly Case<Nodes>[] = [
  {
    name: `certificates of a node proxy's workloads are renewed ${RENEWALS} times under load, while others come and go: no connection fails`,
    async run(nodes) {
      const [a, d] = [podOf(nodes, 'a'), podOf(nodes, 'd')];
      eventually(nodes, a, d.address, /^200 d /);
      const hold = a.place.start(process.execPath, [PEER, 'hold', d.address, String(PORT)]);
      await hold.said(/^open$/m);
      const load = a.place.start(process.execPath, [PEER, 'load', d.address, String(PORT)]);
      await load.said(/^loading$/m);
      const renewed = { a: 0, d: 0 };
      let before = new Map<string, number>();
      const deadlineMs = Date.now() + RENEWALS * LEAF_SECONDS * 1_000 + 10_000;
      for (let n = 0; renewed.a < RENEWALS || renewed.d < RENEWALS; n++) {
        ok(Date.now() < deadlineMs, `renewed ${JSON.stringify(renewed)}`);
        const now = new Map([
          ...(await endOfCertificates(nodes, nodes.one)),
          ...(await endOfCertificates(nodes, nodes.two)),
        ]);
        for (const name of ['a', 'd'] as const)
          if (before.has(name) && (now.get(name) ?? 0) > (before.get(name) ?? 0)) renewed[name]++;
        before = now;
        // A workload comes, is called, and goes.
        const guest = nodes.two.addPod(`guest${n}`);
        nodes.startPeer(guest);
        await nodes.add(nodes.two, guest);
        await nodes.serving(nodes.two, 2);
        eventually(nodes, a, guest.address, new RegExp(`^200 guest${n} called by ${guest.address}$`));
        await nodes.toEnd(nodes.two, ['node-proxy', 'remove', guest.name]);
      }
      process.kill(load.pid, 'SIGTERM');
      const { out } = await load.ended;
      const counts = JSON.parse(out.trim().split('\n').at(-1) ?? '') as { asked: number; failed: number };
      is(counts.failed, 0, out.split('\n').at(-2));
      process.kill(hold.pid, 'SIGUSR2');
      await hold.said(/^heard line 1$/m);
      is(/closed|error/.test(hold.text), false, hold.text);
      await hold.stop();
      return `${counts.asked} connections, 0 failed, certificates of ${LEAF_SECONDS} s`;
    },
  },
];
