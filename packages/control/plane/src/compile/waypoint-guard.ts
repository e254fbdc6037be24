import type { AuthzPolicy } from '@tulle/model';
import { targetPort, waypointOf } from '@tulle/resources';
import type { ProxyNode } from '../node.ts';
import type { World } from '../world.ts';
import type { MeshSettings } from './clusters.ts';

/** A workload as far as it matters who leads to its ports. */
export type Guarded = Pick<ProxyNode, 'namespace' | 'labels' | 'instanceName' | 'ports' | 'hbone'>;

/**
 * Whom a port takes calls from that a Service with a waypoint leads to: its waypoints, which ask what policies say of the
 * caller, and nobody else, so that nobody gets around what they ask.
 * @returns SPIFFE ids, none where no waypoint is there; `undefined`: no such Service leads to the port
 */
export function waypointsBefore(
  world: World,
  node: Guarded,
  port: number,
  mesh: MeshSettings,
): readonly string[] | undefined {
  const { namespace, labels, instanceName, ports, hbone } = node;
  const inbound = { mode: hbone === undefined ? 'sidecar' : 'hbone' } as const;
  const asking = world
    .servicesWith({ metadata: { namespace, name: instanceName, labels } })
    // Whoever writes a slice of another namespace does not say who may call here.
    .filter((service) => service.metadata.namespace === namespace)
    .filter((service) => waypointOf(service) !== undefined)
    .filter(({ spec }) => spec.ports.some((one) => targetPort(one, { ports, inbound })?.port === port));
  if (asking.length === 0) return undefined;
  const ids = asking.flatMap((service) => {
    const gateway = world.waypointBefore(service);
    if (gateway === undefined) return [];
    const { namespace: of, name } = gateway.metadata;
    // An account of that name is not enough: a process has proven to serve the Gateway, and no application has it.
    return world.forwarders.believes(`${of}/${name}`)
      ? [`spiffe://${mesh.trustDomain}/ns/${of}/sa/${name}`]
      : [];
  });
  return [...new Set(ids)].toSorted();
}

/** What is asked of callers instead of what policies say: the waypoints have asked that. */
export function onlyFrom(waypoints: readonly string[]): AuthzPolicy[] {
  const rules = waypoints.length === 0 ? [] : [{ from: { identities: waypoints } }];
  return [{ name: 'waypoint', action: 'ALLOW', rules }];
}
