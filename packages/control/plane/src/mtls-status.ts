import type { MtlsMode } from '@tulle/resources';
import type { MeshSettings } from './compile/clusters.ts';
import { mtlsOfPort } from './compile/mtls.ts';
import type { PlaintextReport } from './plaintext-report.ts';
import type { ProxySession } from './proxy-session.ts';
import type { World } from './world.ts';

/** What is asked of the callers of one port of a connected workload, and who came without it. */
export interface MtlsPort extends Omit<PlaintextReport, 'port'> {
  /** Node id. */
  readonly proxy: string;
  readonly workload: string;
  readonly namespace: string;
  readonly port: number;
  readonly mode: MtlsMode;
  /** `namespace/name` of the PeerAuthentication that says so; absent: the default. */
  readonly policy?: string;
  /** The proxy has confirmed all that it should have: it does what `mode` says. */
  readonly confirmed: boolean;
}

/** Every port of every connected workload, by namespace, workload, port. */
export function mtlsStatus(world: World, sessions: Iterable<ProxySession>, mesh: MeshSettings): MtlsPort[] {
  return [...sessions]
    .flatMap((session) =>
      session.node.ports.map(({ port }): MtlsPort => {
        const { node } = session;
        const { mode, policy } = mtlsOfPort(world, node, port, mesh);
        const told = node.plaintext.find((report) => report.port === port);
        return {
          proxy: node.id,
          workload: node.workload,
          namespace: node.namespace,
          port,
          mode,
          ...(policy === undefined ? {} : { policy: `${policy.metadata.namespace}/${policy.metadata.name}` }),
          confirmed: session.status().listener.state === 'SYNCED',
          clients: told?.clients ?? [],
          others: told?.others ?? 0,
        };
      }),
    )
    .toSorted((a, b) => (order(a) < order(b) ? -1 : 1));
}

const order = ({ namespace, workload, port, proxy }: MtlsPort): string =>
  `${namespace}/${workload}/${String(port).padStart(5, '0')}/${proxy}`;
