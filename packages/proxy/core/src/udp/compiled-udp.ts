import {
  isInternalAddress,
  isUnixAddress,
  type Listener,
  type TcpAddress,
  type UdpProxy,
} from '@tulle/model';
import type { Issues } from '../compile/issues.ts';
import type { Transport } from '../ports.ts';
import type { ClusterRef } from '../upstream/cluster.ts';

/** A cluster that sessions go to. */
export interface CompiledUdpShare {
  readonly ref: ClusterRef;
  readonly weight: number;
}

/** A listener of datagrams, of one configuration. */
export interface CompiledUdp {
  readonly name: string;
  readonly direction: NonNullable<Listener['direction']>;
  readonly address: TcpAddress;
  readonly shares: readonly CompiledUdpShare[];
  readonly totalWeight: number;
  readonly idleTimeoutMs: number;
  readonly hashesSource: boolean;
  readonly maxSessions: number;
  /** JSON pointer of the listener, for faults that show when it is opened. */
  readonly path: string;
}

/** Fields of a listener that mean something for datagrams. */
const FIELDS: ReadonlySet<string> = new Set(['name', 'address', 'direction', 'filterChains', 'udp']);

type DatagramListener = Listener & { readonly udp: UdpProxy };

export function takesDatagrams(listener: Listener): listener is DatagramListener {
  return listener.udp !== undefined;
}

/** @returns none where something is wrong with it */
export function compileUdp(
  listener: DatagramListener,
  path: string,
  ref: (cluster: string, path: string) => ClusterRef,
  transport: Pick<Transport, 'datagrams'>,
  issues: Issues,
): CompiledUdp[] {
  const { name, address, udp } = listener;
  const before = issues.list.length;
  for (const field of Object.keys(listener))
    if (!FIELDS.has(field))
      issues.add(`${path}/${field}`, 'is for connections; a listener of datagrams has none');
  if (listener.filterChains.length > 0)
    issues.add(`${path}/filterChains`, 'must be empty: a listener of datagrams has no chain of connections');
  if (transport.datagrams === undefined)
    issues.add(`${path}/udp`, 'this transport has no datagrams; use that of Node');
  if (isInternalAddress(address) || isUnixAddress(address) || address.namespace !== undefined) {
    issues.add(
      `${path}/address`,
      'must be a host and a port: datagrams come by UDP, in the network of the process',
    );
    return [];
  }
  const shares = udp.clusters.map((share, index) => ({
    ref: ref(share.name, `${path}/udp/clusters/${index}/name`),
    weight: share.weight ?? 1,
  }));
  if (shares.length === 0) issues.add(`${path}/udp/clusters`, 'names no cluster; give at least one');
  if (issues.list.length > before) return [];
  const compiled: CompiledUdp = Object.freeze({
    name,
    direction: listener.direction ?? 'unspecified',
    address: { host: address.host, port: address.port },
    shares,
    totalWeight: shares.reduce((sum, { weight }) => sum + weight, 0),
    idleTimeoutMs: udp.idleTimeoutMs ?? 60_000,
    hashesSource: udp.hash === 'source-ip',
    maxSessions: udp.maxSessions ?? 16_384,
    path,
  });
  return [compiled];
}
