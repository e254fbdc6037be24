import { existsSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import {
  startDnsResponder,
  systemResolvers,
  type DnsResponder,
  type NetworkNamespace,
  type NetworkNamespaces,
} from '@tulle/intercept';
import { PROXY_MARK } from './sockets.ts';
import { PROXY_PORTS, type NodeWorkload } from './workload.ts';

const MARKED = { mark: PROXY_MARK };

/**
 * Starts a DNS responder in the network of a workload, at loopback there. Whom the mesh does not know is asked of others from
 * there too, so that a resolver sees who asks and is reached as the workload reaches it; one at loopback is the node's, and is asked from here.
 * @returns `undefined`: its DNS is left alone
 * @throws SystemCallError where its port is taken there
 */
export async function startWorkloadDns(
  namespaces: NetworkNamespaces,
  workload: NodeWorkload,
): Promise<DnsResponder | undefined> {
  const { resolvers, network } = workload;
  if (resolvers?.length === 0) return undefined;
  const inside = (work: (namespace: NetworkNamespace) => number): number => {
    // Opened each time: another workload may have the same path by now.
    const namespace = namespaces.open({ path: network });
    try {
      return work(namespace);
    } finally {
      namespace.close();
    }
  };
  return startDnsResponder({
    port: PROXY_PORTS.dnsPort,
    resolvers: () => resolvers ?? systemResolvers(resolverFile(network)),
    sockets: {
      bindUdp: (host, port) =>
        inside((namespace) => namespace.datagramSocket(familyOf(host), MARKED, { host, port })),
      listenTcp: (host, port) => inside((namespace) => namespace.listen({ host, port }, MARKED).fd),
      open: (transport, host) =>
        isLoopback(host)
          ? undefined
          : inside((namespace) =>
              transport === 'udp'
                ? namespace.datagramSocket(familyOf(host), MARKED)
                : namespace.socket(familyOf(host), MARKED),
            ),
    },
  });
}

const familyOf = (host: string): 4 | 6 => (host.includes(':') ? 6 : 4);
const isLoopback = (host: string): boolean => host.startsWith('127.') || host === '::1';

/** As `ip netns exec` has it (ip-netns(8)): a named namespace may have a file of its own. */
function resolverFile(network: string): string | undefined {
  if (!/^(?:\/var)?\/run\/netns$/.test(dirname(network))) return undefined;
  const own = `/etc/netns/${basename(network)}/resolv.conf`;
  return existsSync(own) ? own : undefined;
}
