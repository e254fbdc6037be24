import { isWaypoint, serviceSelects } from '@tulle/resources';
import type { ProxyNode } from './node.ts';
import { gatewayKey } from './parents.ts';
import type { Touched } from './touched.ts';
import type { World } from './world.ts';

/** {@link gatewayKey} of the Gateway of a proxy's account, be there one or not. */
export function ownGateway({
  namespace,
  serviceAccount,
}: Pick<ProxyNode, 'namespace' | 'serviceAccount'>): string {
  return gatewayKey({ namespace, name: serviceAccount });
}

/** Whether what a proxy asks of those who call by it may be something else. */
export function isInboundTouched(
  world: World,
  node: ProxyNode,
  { inbound, guards, selecting }: Touched,
): boolean {
  const { namespace, labels } = node;
  if (inbound.has('*') || inbound.has(namespace)) return true;
  // A waypoint asks what policies say of others' workloads, wherever they are.
  if (inbound.size + selecting.size > 0 && servesWaypoint(world, node)) return true;
  if (guards.has(namespace)) return true;
  for (const service of selecting)
    if (service.metadata.namespace === namespace && serviceSelects(service, labels)) return true;
  return false;
}

function servesWaypoint(world: World, { gateway: serving, namespace, serviceAccount }: ProxyNode): boolean {
  const gateway = serving && world.get('Gateway', namespace, serviceAccount);
  return gateway !== undefined && isWaypoint(gateway);
}
