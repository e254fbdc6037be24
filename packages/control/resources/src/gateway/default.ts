import { GATEWAY_GROUP, type Gateway } from '../kinds/gateway.ts';
import { parentKind, type ParentRef } from '../kinds/http-route.ts';
import { parentRefsOf, type AnyRoute } from '../routes.ts';
import { isServedGateway } from './class.ts';

/** Whether routes that ask for default Gateways attach to this one (GEP-3793). */
export function isDefaultGateway(gateway: Gateway): boolean {
  return gateway.spec.defaultScope === 'All' && isServedGateway(gateway);
}

/** Whether a route asks for default Gateways. */
export function usesDefaultGateways({ spec }: AnyRoute): boolean {
  return spec.useDefaultGateways === 'All';
}

/**
 * The parentRef that a route has without saying so, of a default Gateway; `undefined`: it has none, or names the whole Gateway
 * itself. It is as if it was written there (GEP-3793).
 */
export function defaultParent(route: AnyRoute, gateway: Gateway): ParentRef | undefined {
  if (!usesDefaultGateways(route) || !isDefaultGateway(gateway)) return undefined;
  const { namespace, name } = gateway.metadata;
  const isNamed = parentRefsOf(route).some(
    (parent) =>
      parentKind(parent) === 'Gateway' &&
      parent.name === name &&
      (parent.namespace ?? route.metadata.namespace) === namespace &&
      parent.port === undefined &&
      parent.sectionName === undefined,
  );
  return isNamed ? undefined : { group: GATEWAY_GROUP, kind: 'Gateway', namespace, name };
}

/** Parents of a route: those that it names, then the default Gateways that it asks for, the first by `namespace/name` first. */
export function everyParent(route: AnyRoute, gateways: Iterable<Gateway>): readonly ParentRef[] {
  const named = parentRefsOf(route);
  if (!usesDefaultGateways(route)) return named;
  const nameOf = ({ namespace, name }: ParentRef): string => `${namespace}/${name}`;
  const unnamed = [...gateways].flatMap((gateway) => defaultParent(route, gateway) ?? []);
  return [...named, ...unnamed.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))];
}
