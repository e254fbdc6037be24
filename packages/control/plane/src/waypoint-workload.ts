import { GATEWAY_NAME_LABEL, isWaypoint, type Workload } from '@tulle/resources';
import { isIPv6 } from 'node:net';
import { boundAt } from './compile/gateway-listeners.ts';
import type { ProxyNode } from './node.ts';
import { servedBy } from './waypoint-index.ts';
import type { World } from './world.ts';

/** The Workload that a process of a waypoint makes, by which callers find it; `undefined` for what serves none, or is found by nobody. */
export function workloadOfWaypoint(
  world: World,
  node: ProxyNode,
  health: 'healthy' | 'unhealthy',
): Workload | undefined {
  const { namespace, serviceAccount: name, locality } = node;
  const gateway = world.get('Gateway', namespace, name);
  if (node.gateway === undefined || !node.ready || gateway === undefined || !isWaypoint(gateway))
    return undefined;
  const [listener] = gateway.spec.listeners;
  const [at] = listener === undefined ? [] : boundAt(gateway, node.gateway, listener.port);
  if (at === undefined || isUnspecified(at.host)) return undefined;
  return {
    apiVersion: 'tulle.dev/v1alpha1',
    kind: 'Workload',
    metadata: { name: node.instanceName, namespace, labels: { [GATEWAY_NAME_LABEL]: name } },
    spec: {
      address: at.host,
      ports: [],
      inbound: { mode: 'hbone', port: at.port },
      serviceAccount: name,
      ...(locality === undefined ? {} : { locality }),
      ...(health === 'healthy' ? {} : { health }),
    },
  };
}

/** An address to listen at, and not one to reach anybody at. */
export function isUnspecified(address: string): boolean {
  return address === '0.0.0.0' || (isIPv6(address) && /^[0:]+$/.test(address));
}

/** Whether callers find no other process of its waypoint. */
export function isLastInstance(world: World, workload: Workload): boolean {
  const waypoint = servedBy(workload);
  return waypoint !== undefined && world.waypoints.instancesOf(waypoint).length === 1;
}
