import type { Gateway, GatewayListener } from '../kinds/gateway.ts';
import { parentKind, type ParentRef } from '../kinds/http-route.ts';
import type { ListenerSet } from '../kinds/listener-set.ts';
import { compareAge, parentRefsOf, type AnyRoute } from '../routes.ts';
import { defaultParent } from './default.ts';
import { allowsNamespace } from './namespaces.ts';

/** Whose a listener is: by it routes, policies and grants are judged. */
export type ListenerOwner = Gateway | ListenerSet;

/** A Gateway with the listeners of its ListenerSets (GEP-1713). */
export interface MergedGateway {
  readonly gateway: Gateway;
  /** Those that the Gateway takes, the older first, then by `namespace/name`. */
  readonly sets: readonly ListenerSet[];
  /** The Gateway's own, then those of each set: in the order of precedence. */
  readonly listeners: readonly GatewayListener[];
  /** @param listener one of `listeners` */
  ownerOf(listener: GatewayListener): ListenerOwner;
}

/** @param sets those that name the Gateway as their parent; others do no harm */
export function mergeGateway(gateway: Gateway, sets: Iterable<ListenerSet>): MergedGateway {
  const attached = [...sets].filter((set) => takesListenerSet(gateway, set)).toSorted(compareAge);
  const owners = new Map<GatewayListener, ListenerOwner>();
  for (const owner of [gateway, ...attached])
    for (const listener of owner.spec.listeners) owners.set(listener, owner);
  return {
    gateway,
    sets: attached,
    listeners: [...owners.keys()],
    ownerOf: (listener) => owners.get(listener) ?? gateway,
  };
}

/** Whether a ListenerSet names a Gateway as its parent. */
export function isSetOf(set: ListenerSet, gateway: Gateway): boolean {
  const { name, namespace = set.metadata.namespace } = set.spec.parentRef;
  return name === gateway.metadata.name && namespace === gateway.metadata.namespace;
}

/** Whether a ListenerSet is one of a Gateway, which lets it attach. */
export function takesListenerSet(gateway: Gateway, set: ListenerSet): boolean {
  const { namespaces } = gateway.spec.allowedListeners ?? {};
  return (
    isSetOf(set, gateway) &&
    allowsNamespace({ from: 'None', ...namespaces }, gateway.metadata.namespace, set.metadata.namespace)
  );
}

/** parentRefs of a route that mean a Gateway, or a ListenerSet of it, and the one that is not written where it is a default Gateway. */
export function gatewayParents(route: AnyRoute, merged: MergedGateway): readonly ParentRef[] {
  const named = parentRefsOf(route).filter((parent) => parentOwner(route, parent, merged) !== undefined);
  const unnamed = defaultParent(route, merged.gateway);
  return unnamed === undefined ? named : [...named, unnamed];
}

/** What of a Gateway a parentRef of a route means. */
export function parentOwner(
  route: AnyRoute,
  { namespace = route.metadata.namespace, ...parent }: ParentRef,
  { gateway, sets }: MergedGateway,
): ListenerOwner | undefined {
  const kind = parentKind(parent);
  return [gateway, ...sets].find(
    (owner) =>
      owner.kind === kind && owner.metadata.name === parent.name && owner.metadata.namespace === namespace,
  );
}

/** A listener's name where those of several owners stand together. */
export function listenerLabel(merged: MergedGateway, listener: GatewayListener): string {
  const { kind, metadata } = merged.ownerOf(listener);
  return kind === 'Gateway' ? listener.name : `${metadata.namespace}/${metadata.name}/${listener.name}`;
}
