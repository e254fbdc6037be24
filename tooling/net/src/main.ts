/**
 * `pnpm test:net [TEXT]`: programs that know nothing of a mesh, in network namespaces and on a plain host, whose connections the kernel leads to
 * their sidecars. As root, with `ip` and `nft`; skipped with the reason elsewhere. With TEXT, only cases whose name contains it.
 */
import { type Opened, runnable } from '@tulle/interop/suite';
import { explains } from './cases/explains.ts';
import { clusterIps } from './cases/cluster-ips.ts';
import { families } from './cases/families.ts';
import { kills } from './cases/kills.ts';
import { nodeCapture } from './cases/node-capture.ts';
import { nodeKills } from './cases/node-kills.ts';
import { nodeMemory } from './cases/node-memory.ts';
import { LEAF_SECONDS, nodeRenewal } from './cases/node-renewal.ts';
import { nodeOverhead } from './cases/node-overhead.ts';
import { nodeNames } from './cases/node-names.ts';
import { nodeCases } from './cases/nodes.ts';
import { nodeWire } from './cases/node-wire.ts';
import { protocols } from './cases/protocols.ts';
import { refusals } from './cases/refusals.ts';
import { restarts } from './cases/restarts.ts';
import { serverFirst } from './cases/server-first.ts';
import { startOrder } from './cases/start-order.ts';
import { waypointProtocols } from './cases/waypoint-protocols.ts';
import { waypoints } from './cases/waypoints.ts';
import { Mesh } from './mesh.ts';
import { namespaces } from './network.ts';
import { Nodes } from './nodes.ts';

const text = process.argv[2] ?? '';
const wanted = <T extends { readonly name: string }>(cases: readonly T[]): T[] =>
  cases.filter(({ name }) => name.includes(text));
const captureCases = wanted([
  ...protocols,
  ...serverFirst,
  ...families,
  ...clusterIps,
  ...refusals,
  ...explains,
  ...startOrder,
  ...kills,
  ...restarts,
]);
const wantedNodeCases = wanted([
  ...waypoints,
  ...waypointProtocols,
  ...nodeCases,
  ...nodeWire,
  ...nodeCapture,
  ...nodeOverhead,
  ...nodeNames,
  ...nodeKills,
  ...nodeMemory,
]);

const renewalCases = wanted(nodeRenewal);

/** Of the suite that runs. */
let current: { close(): Promise<void> } | undefined;
let isClosing = false;
// Nothing stays behind, whoever ends this.
function end(): void {
  if (isClosing) return;
  isClosing = true;
  void Promise.resolve(current?.close()).finally(() => process.exit(130));
}
// A group that is told to end hears it from its members too; a person who says it twice means at once.
for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, end);
process.once('SIGINT', end);

async function opened<Context extends { close(): Promise<void> }>(
  context: Context,
  open: () => Promise<unknown>,
): Promise<Opened<Context>> {
  current = context;
  const close = async (): Promise<void> => {
    current = undefined;
    await context.close();
  };
  try {
    await open();
  } catch (error) {
    await close();
    throw error;
  }
  return { context, close };
}

const suite = runnable<Mesh>({
  name: 'capture',
  about: 'a program in a namespace, and one on a plain host, captured both ways',
  needs: [namespaces],
  async open() {
    const mesh = new Mesh();
    return opened(mesh, () => mesh.open());
  },
  cases: captureCases,
});

const nodeSuite = runnable<Nodes>({
  name: 'node proxies',
  about: 'two nodes with three workloads each, and no sidecars',
  needs: [namespaces],
  async open() {
    const nodes = new Nodes();
    return opened(nodes, () =>
      nodes.open([
        ['a', 'b', 'c'],
        ['d', 'e', 'f'],
      ]),
    );
  },
  cases: wantedNodeCases,
});

const renewalSuite = runnable<Nodes>({
  name: 'node proxies whose certificates end soon',
  about: `two nodes, and certificates of ${LEAF_SECONDS} s`,
  needs: [namespaces],
  async open() {
    const nodes = new Nodes();
    return opened(nodes, () => nodes.open([['a'], ['d']], ['--leaf-seconds', String(LEAF_SECONDS)]));
  },
  cases: renewalCases,
});

let [passed, failed, skipped] = [0, 0, 0];
for (const [one, cases] of [
  [suite, captureCases],
  [nodeSuite, wantedNodeCases],
  [renewalSuite, renewalCases],
] as const) {
  if (cases.length === 0) continue;
  const tally = await one.run((line) => console.log(line));
  passed += tally.passed;
  failed += tally.failed;
  skipped += tally.skipped;
}
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed > 0 ? 1 : 0;
