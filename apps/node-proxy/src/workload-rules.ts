import { randomBytes } from 'node:crypto';
import {
  captureCommands,
  dropCommands,
  dropRules,
  holdRules,
  keepRules,
  type CaptureRules,
  type NetworkNamespaces,
} from '@tulle/intercept';
import { PROXY_MARK } from './sockets.ts';
import { PROXY_PORTS, type NodeWorkload } from './workload.ts';

/**
 * What becomes of new connections of a node's workloads while no proxy serves them: `open`, the rules go with it and
 * connections go where they were meant; `closed`, the rules stay and nobody takes what they lead. As a sidecar's.
 */
export type IfProxyDies = 'open' | 'closed';

/** Loopback is the workload's own, but for the half of it that virtual addresses of Services are in. */
const OWN_LOOPBACK = ['127.0.0.0/9', '::1'];
/** Of rules that outlive the proxy: always the same, so that the next proxy, or an operator, finds it. */
export const LASTING_TABLE = 'tulle_node_proxy';

function rulesOf({ excludeInboundPorts, resolvers }: NodeWorkload): CaptureRules {
  return {
    scope: { kind: 'namespace' },
    spare: { marks: [PROXY_MARK] },
    // IPv6 too where the proxy does not listen for it, so that none gets out should it be switched on later.
    outbound: {
      port: PROXY_PORTS.outboundPort,
      port6: PROXY_PORTS.outboundPort,
      excludeCidrs: OWN_LOOPBACK,
    },
    inboundRest: { to: PROXY_PORTS.inboundPort, excludePorts: excludeInboundPorts },
    ...(resolvers?.length === 0 ? {} : { dnsPort: PROXY_PORTS.dnsPort }),
  };
}

/**
 * From here on nothing that the workload begins, or that comes for it from elsewhere, goes past the proxy. What an earlier
 * proxy left behind is replaced in the same step.
 * @returns ends them, unless they are to outlive the proxy: see {@link liftRules}
 */
export async function beginRules(
  namespaces: NetworkNamespaces,
  workload: NodeWorkload,
  ifProxyDies: IfProxyDies,
): Promise<() => Promise<void>> {
  if (ifProxyDies === 'closed') {
    const commands = captureCommands(
      LASTING_TABLE,
      rulesOf(workload),
      'refuses what no node proxy serves; tulle node-proxy remove, or delete table',
    );
    await inNetwork(namespaces, workload, async () => keepRules(LASTING_TABLE, commands));
    return async () => {};
  }
  const table = `tulle_${process.pid}_${randomBytes(3).toString('hex')}`;
  const commands = `${dropCommands(LASTING_TABLE)}; ${captureCommands(table, rulesOf(workload))}`;
  const held = await inNetwork(namespaces, workload, async () => holdRules(table, commands));
  return async () => held.release();
}

/** What takes away by hand, as root, what {@link liftRules} does. @param network file of the workload's network namespace */
export function liftingCommand(network: string): string {
  return `nsenter --net=${network} nft delete table inet ${LASTING_TABLE}`;
}

/** Takes away what a proxy left in the network of a workload; nothing where the network is gone. @throws Error that says why it cannot */
export async function liftRules(namespaces: NetworkNamespaces, workload: NodeWorkload): Promise<void> {
  try {
    namespaces.open({ path: workload.network }).close();
  } catch (error) {
    if (((error as Error).cause as NodeJS.ErrnoException | undefined)?.code !== 'ENOENT') throw error;
    return; // and the rules with it
  }
  await inNetwork(namespaces, workload, async () => dropRules(LASTING_TABLE));
}

/** The process that nft is begins inside, before anything is awaited. */
async function inNetwork<T>(
  namespaces: NetworkNamespaces,
  { network }: NodeWorkload,
  work: () => Promise<T>,
): Promise<T> {
  const namespace = namespaces.open({ path: network });
  let begun: { readonly done: Promise<T> };
  try {
    begun = namespace.run(() => ({ done: work() }));
  } finally {
    namespace.close();
  }
  return begun.done;
}
