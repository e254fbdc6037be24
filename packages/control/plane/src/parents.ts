import {
  isDefaultGateway,
  parentKind,
  parentRefsOf,
  type AnyRoute,
  type ListenerSet,
  type MergedGateway,
  type Metadata,
  type ParentRef,
  usesDefaultGateways,
} from '@tulle/resources';

/** What depends on a Gateway depends on this, as on a Service's `ns/name`. */
export function gatewayKey({
  namespace,
  name,
}: {
  readonly namespace: string;
  readonly name: string;
}): string {
  return `Gateway/${namespace}/${name}`;
}

/** What depends on a ListenerSet depends on this; its `resourceKey`. */
export function listenerSetKey({ namespace, name }: Pick<Metadata, 'namespace' | 'name'>): string {
  return `ListenerSet/${namespace}/${name}`;
}

/** {@link gatewayKey} of the Gateway that a ListenerSet names. */
export function gatewayOf({ metadata, spec }: ListenerSet): string {
  const { name, namespace = metadata.namespace } = spec.parentRef;
  return gatewayKey({ namespace, name });
}

/** What routes that ask for default Gateways are found by (GEP-3793), beside what they name. */
export const DEFAULT_GATEWAYS = 'Gateway/*';

/** Keys by which routes are found that name a Gateway or one of its ListenerSets, or ask for default ones where it is one. */
export function parentKeys({ gateway, sets }: MergedGateway): string[] {
  const own = [gatewayKey(gateway.metadata), ...sets.map(({ metadata }) => listenerSetKey(metadata))];
  return isDefaultGateway(gateway) ? [...own, DEFAULT_GATEWAYS] : own;
}

/** Services as `ns/name`, Gateways as {@link gatewayKey}, ListenerSets as {@link listenerSetKey}, and {@link DEFAULT_GATEWAYS}. */
export function parentsOf(route: AnyRoute): string[] {
  const named = parentRefsOf(route).map((parent) => parentKey(route, parent));
  return usesDefaultGateways(route) ? [...named, DEFAULT_GATEWAYS] : named;
}

/** What of these a parentRef of a route means. */
export function parentKey(route: AnyRoute, parent: ParentRef): string {
  const at = { namespace: parent.namespace ?? route.metadata.namespace, name: parent.name };
  switch (parentKind(parent)) {
    case 'Gateway':
      return gatewayKey(at);
    case 'ListenerSet':
      return listenerSetKey(at);
    case 'Service':
      return `${at.namespace}/${at.name}`;
    case 'other':
      return `other/${at.namespace}/${at.name}`; // nothing of Tulle's depends on it
  }
}
