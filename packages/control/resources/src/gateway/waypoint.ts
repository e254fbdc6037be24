import { WAYPOINT_CLASS, type Gateway } from '../kinds/gateway.ts';
import type { Service } from '../kinds/service.ts';

/** Label of a Service: the waypoint of its namespace through which it is called (Istio: `istio.io/use-waypoint`). */
export const USE_WAYPOINT_LABEL = 'tulle.dev/use-waypoint';

/** Label of what belongs to a Gateway, with its name (Gateway API GEP-1762). */
export const GATEWAY_NAME_LABEL = 'gateway.networking.k8s.io/gateway-name';

/** Whether a Gateway is a waypoint: Services ask for it, and no route attaches. */
export function isWaypoint({ spec }: Gateway): boolean {
  return spec.gatewayClassName === WAYPOINT_CLASS;
}

/** Name of the waypoint that a Service asks for, in its own namespace; `undefined`: it asks for none. */
export function waypointOf({ metadata }: Service): string | undefined {
  return metadata.labels?.[USE_WAYPOINT_LABEL];
}
