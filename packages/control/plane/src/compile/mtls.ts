import type { FilterChain, TcpHandler } from '@tulle/model';
import { mtlsOf, type MtlsDecision } from '@tulle/resources';
import type { ProxyNode } from '../node.ts';
import type { World } from '../world.ts';
import type { MeshSettings } from './clusters.ts';
import { BLACKHOLE } from './elsewhere.ts';
import { peerAuthenticationsFor } from './peer-authentications.ts';

/** Whoever comes is refused. */
export const REFUSE: TcpHandler = { kind: 'tcp', clusters: [{ name: BLACKHOLE.name }] };

type Selected = Pick<ProxyNode, 'namespace' | 'labels'>;

/** What is asked of the callers of a port of a workload (decision D20). */
export function mtlsOfPort(world: World, node: Selected, port: number, mesh: MeshSettings): MtlsDecision {
  return mtlsOf(
    peerAuthenticationsFor(world, node.namespace, mesh.rootNamespace),
    node,
    port,
    mesh.rootNamespace,
  );
}

/** No port: of a policy only what it says of the workload as a whole. */
const ANY_PORT = 0;

/**
 * Chains of a listener by original destination for what comes in plain text, whatever port it comes for: to the handler
 * where a PeerAuthentication says PERMISSIVE. What none of them takes is closed.
 * @param named ports to tell apart by name, beside those of policies
 */
export function plainChains(
  world: World,
  node: Selected,
  mesh: MeshSettings,
  named: readonly number[],
  handler: TcpHandler,
): FilterChain[] {
  const policies = peerAuthenticationsFor(world, node.namespace, mesh.rootNamespace);
  const permissive = (port: number): boolean =>
    mtlsOf(policies, node, port, mesh.rootNamespace).mode === 'PERMISSIVE';
  const ports = new Set([
    ...named,
    ...policies.flatMap(({ spec }) => Object.keys(spec.portLevelMtls ?? {}).map(Number)),
  ]);
  const rest = permissive(ANY_PORT);
  return [
    ...[...ports]
      .toSorted((a, b) => a - b)
      .filter((port) => permissive(port) !== rest)
      .map((port) => ({
        name: `${rest ? 'strict' : 'plain'}_${port}`,
        match: { destinationPort: port },
        handler: rest ? REFUSE : handler,
      })),
    ...(rest ? [{ name: 'plain', handler }] : []),
  ];
}
