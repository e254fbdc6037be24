import type { PeerAuthentication } from '@tulle/resources';
import type { World } from '../world.ts';

/** Those that may be for workloads of a namespace. */
export function peerAuthenticationsFor(
  world: World,
  namespace: string,
  rootNamespace: string,
): PeerAuthentication[] {
  return [...new Set([rootNamespace, namespace])].flatMap((one) => [...world.in('PeerAuthentication', one)]);
}
