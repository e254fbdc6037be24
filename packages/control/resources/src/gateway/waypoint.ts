import { WAYPOINT_CLASS, type Gateway } from '../kinds/gateway.ts';
import type { Service } from '../kinds/service.ts';
import { allowsNamespace } from './namespaces.ts';

/** Label of a Service: the name of the waypoint through which it is called (Istio: `istio.io/use-waypoint`). */
export const USE_WAYPOINT_LABEL = 'tulle.dev/use-waypoint';

/** Label of a Service: the namespace of that waypoint. Default: its own (Istio: `istio.io/use-waypoint-namespace`). */
export const USE_WAYPOINT_NAMESPACE_LABEL = 'tulle.dev/use-waypoint-namespace';

/** Label of what belongs to a Gateway, with its name (Gateway API GEP-1762). */
export const GATEWAY_NAME_LABEL = 'gateway.networking.k8s.io/gateway-name';

/** The Gateway that a Service asks for, be it there or not. */
export interface WaypointRef {
  readonly namespace: string;
  readonly name: string;
}

/** Whether a Gateway is a waypoint: Services ask for it, and no route attaches. */
export function isWaypoint({ spec }: Gateway): boolean {
  return spec.gatewayClassName === WAYPOINT_CLASS;
}

/** The waypoint that a Service asks for; `undefined`: it asks for none. */
export function waypointOf({ metadata }: Service): WaypointRef | undefined {
  const name = metadata.labels?.[USE_WAYPOINT_LABEL];
  if (name === undefined) return undefined;
  return { namespace: metadata.labels?.[USE_WAYPOINT_NAMESPACE_LABEL] ?? metadata.namespace, name };
}

/** Why a Service is not called through a Gateway that it asks for: `class`, it is no waypoint, or `namespace`, it takes no Services from there. */
export type WaypointProblem = 'class' | 'namespace';

/** What keeps a Gateway from being the waypoint of a Service that asks for it; `undefined`: nothing. */
export function waypointProblem(gateway: Gateway, { metadata }: Service): WaypointProblem | undefined {
  if (!isWaypoint(gateway)) return 'class';
  const { namespaces = {} } = gateway.spec.listeners[0]?.allowedRoutes ?? {};
  return allowsNamespace(namespaces, gateway.metadata.namespace, metadata.namespace)
    ? undefined
    : 'namespace';
}
