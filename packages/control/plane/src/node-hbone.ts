import { HBONE_PORT } from '@tulle/model';
import { EGRESS_MODES, type EgressMode } from './node-capture.ts';
import { readReachable, type Reachable } from './reachable.ts';

/** What a workload behind a node proxy says of itself, in its proxy's words. */
export interface HboneMetadata {
  /** Where its tunnels are taken, at its own address. Default 15008. */
  readonly port?: number;
  /** Where the kernel leads what the workload begins, at loopback. */
  readonly outboundPort: number;
  /** Where the kernel leads what others begin, other than tunnels. */
  readonly inboundPort: number;
  /** Whether its network has IPv6, and both are taken by that too. Default false. */
  readonly ipv6?: boolean;
  /** Default `passthrough`. */
  readonly egress?: EgressMode;
  /** Services that it is told of: `name`, `name.namespace`, `*.namespace` or `*`. Default `['*']`. */
  readonly reachable?: readonly string[];
}

/** {@link HboneMetadata}, read. */
export type NodeHbone = Required<Omit<HboneMetadata, 'reachable'>> & { readonly reachable: Reachable };

/** @param namespace of the workload @param wrong told of each field that cannot be used */
export function readHbone(
  value: unknown,
  namespace: string,
  wrong: (path: string, message: string) => void,
): NodeHbone | undefined {
  if (value === undefined) return undefined;
  const given = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  const port = (field: string, otherwise?: number): number => {
    const found = given[field] ?? otherwise;
    if (Number.isInteger(found) && (found as number) >= 1 && (found as number) <= 65_535)
      return found as number;
    wrong(`/hbone/${field}`, `must be a port between 1 and 65535, not ${JSON.stringify(found)}`);
    return 0;
  };
  const { egress = 'passthrough', ipv6 = false } = given;
  if (typeof ipv6 !== 'boolean') wrong('/hbone/ipv6', `must be true or false, not ${JSON.stringify(ipv6)}`);
  const mode = EGRESS_MODES.find((one) => one === egress);
  if (mode === undefined)
    wrong('/hbone/egress', `must be one of ${EGRESS_MODES.join(', ')}, not ${JSON.stringify(egress)}`);
  return {
    port: port('port', HBONE_PORT),
    outboundPort: port('outboundPort'),
    inboundPort: port('inboundPort'),
    ipv6: ipv6 === true,
    egress: mode ?? 'passthrough',
    reachable: readReachable(given['reachable'], '/hbone/reachable', namespace, wrong),
  };
}
