import {
  GATEWAY_CLASS,
  GATEWAY_GROUP,
  NAMESPACE_NAME_LABEL,
  type AllowedRoutes,
  type Gateway,
  type GatewayListener,
} from '../kinds/gateway.ts';
import { parentKind, type ParentRef } from '../kinds/http-route.ts';
import { ROUTE_KINDS, type AnyRoute } from '../routes.ts';
import { createdMs } from '../route-match.ts';
import { attachedHostnames, commonHostname } from './hostnames.ts';

/** Kinds of routes that listeners of Tulle carry. */
export const SERVED_ROUTE_KINDS: readonly string[] = ROUTE_KINDS.toReversed();

/** Why a route does not attach to a Gateway that is there: reasons of its condition `Accepted` (Gateway API `RouteConditionReason`). */
export type AttachProblem = 'NoMatchingParent' | 'NotAllowedByListeners' | 'NoMatchingListenerHostname';

/** A listener that takes a route, with the hosts that it has there; `*` for every host. */
export interface Attachment {
  readonly listener: GatewayListener;
  readonly hostnames: readonly string[];
}

/** What became of one parentRef. */
export interface AttachResult {
  readonly attachments: readonly Attachment[];
  /** Set when there are none. */
  readonly problem?: AttachProblem;
}

/** Whether a Gateway is one of Tulle's. */
export function isServedGateway(gateway: Gateway): boolean {
  return gateway.spec.gatewayClassName === GATEWAY_CLASS;
}

/**
 * Listeners of `gateway` that take `route` by one of its parentRefs: the section and port that it names, then namespace
 * and kind, then hosts. The first of these that leaves none is the problem.
 */
export function attachToGateway(gateway: Gateway, route: AnyRoute, parent: ParentRef): AttachResult {
  const named = gateway.spec.listeners.filter(
    ({ name, port }) =>
      (parent.sectionName === undefined || parent.sectionName === name) &&
      (parent.port === undefined || parent.port === port),
  );
  if (named.length === 0) return { attachments: [], problem: 'NoMatchingParent' };
  const allowing = named.filter((listener) => allowsRoute(gateway, listener, route));
  if (allowing.length === 0) return { attachments: [], problem: 'NotAllowedByListeners' };
  const attachments = allowing.flatMap((listener): Attachment[] => {
    const hostnames = attachedHostnames(listener.hostname, route.spec.hostnames);
    return hostnames.length === 0 ? [] : [{ listener, hostnames }];
  });
  return attachments.length === 0 ? { attachments, problem: 'NoMatchingListenerHostname' } : { attachments };
}

/** parentRefs of a route that mean a Gateway. */
export function gatewayParents(route: AnyRoute, gateway: Gateway): readonly ParentRef[] {
  const { name, namespace } = gateway.metadata;
  return route.spec.parentRefs.filter(
    (p) =>
      parentKind(p) === 'Gateway' &&
      p.name === name &&
      (p.namespace ?? route.metadata.namespace) === namespace,
  );
}

/** Kinds that a listener asks for and Tulle does not serve. */
export function unservedKinds(listener: GatewayListener): readonly string[] {
  return (listener.allowedRoutes?.kinds ?? [])
    .filter(
      ({ group, kind }) => !SERVED_ROUTE_KINDS.includes(kind) || (group ?? GATEWAY_GROUP) !== GATEWAY_GROUP,
    )
    .map(({ kind }) => kind);
}

/** Kinds that a listener takes and Tulle serves. */
export function servedKinds(listener: GatewayListener): readonly string[] {
  const kinds = listener.allowedRoutes?.kinds ?? [];
  if (kinds.length === 0) return SERVED_ROUTE_KINDS;
  const unserved = unservedKinds(listener);
  return [...new Set(kinds.map(({ kind }) => kind).filter((kind) => !unserved.includes(kind)))];
}

/**
 * Listeners that cannot be together: HTTP and HTTPS on one port. Gateway API lets nobody pick a winner, so none of them
 * is served.
 */
export function conflictedListeners(gateway: Gateway): ReadonlySet<GatewayListener> {
  const { listeners } = gateway.spec;
  return new Set(
    listeners.filter((one) =>
      listeners.some((other) => other.port === one.port && other.protocol !== one.protocol),
    ),
  );
}

function allowsRoute(gateway: Gateway, listener: GatewayListener, route: AnyRoute): boolean {
  return (
    servedKinds(listener).includes(route.kind) &&
    allowsNamespace(listener.allowedRoutes, gateway.metadata.namespace, route.metadata.namespace)
  );
}

function allowsNamespace(allowed: AllowedRoutes | undefined, own: string, from: string): boolean {
  switch (allowed?.namespaces?.from ?? 'Same') {
    case 'All':
      return true;
    case 'Same':
      return own === from;
    case 'None':
      return false;
    case 'Selector': {
      const { matchLabels, matchExpressions } = allowed?.namespaces?.selector ?? {};
      const wanted = matchLabels?.[NAMESPACE_NAME_LABEL];
      return (
        (wanted === undefined || wanted === from) &&
        (matchExpressions ?? []).every(
          ({ operator, values }) => values.includes(from) === (operator === 'In'),
        )
      );
    }
  }
}

/** At which listeners of a Gateway which routes do not apply, and for which other route. */
export type DisplacedRoutes = ReadonlyMap<AnyRoute, ReadonlyMap<GatewayListener, AnyRoute>>;

/**
 * Routes of different kinds do not share a host of a listener: the older one is there, then the first by
 * `namespace/name`, and the other does not attach (Gateway API GRPCRoute.spec.hostnames).
 * @param routes all that name the Gateway
 */
export function displacedRoutes(gateway: Gateway, routes: Iterable<AnyRoute>): DisplacedRoutes {
  const displaced = new Map<AnyRoute, Map<GatewayListener, AnyRoute>>();
  const all = [...routes];
  if (new Set(all.map(({ kind }) => kind)).size < 2) return displaced;
  const taken: { route: AnyRoute; attachment: Attachment }[] = [];
  for (const route of all.toSorted(compareAge)) {
    const attachments = gatewayParents(route, gateway).flatMap(
      (parent) => attachToGateway(gateway, route, parent).attachments,
    );
    for (const attachment of attachments) {
      const before = taken.find(
        (other) =>
          other.route.kind !== route.kind &&
          other.attachment.listener === attachment.listener &&
          other.attachment.hostnames.some((a) =>
            attachment.hostnames.some((b) => commonHostname(a, b) !== undefined),
          ),
      );
      if (before === undefined) {
        taken.push({ route, attachment });
        continue;
      }
      const at = displaced.get(route) ?? new Map<GatewayListener, AnyRoute>();
      displaced.set(route, at.set(attachment.listener, before.route));
    }
  }
  return displaced;
}

function compareAge(a: AnyRoute, b: AnyRoute): number {
  const [at, bt] = [createdMs(a.metadata) ?? Infinity, createdMs(b.metadata) ?? Infinity];
  const name = ({ metadata }: AnyRoute): string => `${metadata.namespace}/${metadata.name}`;
  return (at === bt ? 0 : at - bt) || (name(a) < name(b) ? -1 : name(a) > name(b) ? 1 : 0);
}
