import { GATEWAY_GROUP, isForMesh, type GatewayListener, type ListenerProtocol } from '../kinds/gateway.ts';
import type { ParentRef } from '../kinds/http-route.ts';
import {
  compareAge,
  refusalOf,
  ROUTE_KINDS,
  type AnyRoute,
  type RequestRoute,
  type RouteRefusal,
} from '../routes.ts';
import { attachedHostnames, commonHostname } from './hostnames.ts';
import { gatewayParents, parentOwner, type MergedGateway } from './merged.ts';
import { allowsNamespace } from './namespaces.ts';

const REQUEST_KINDS: readonly string[] = ROUTE_KINDS.toReversed();

/** Kinds of routes that listeners of Tulle carry; none: the protocol is not served. */
const KINDS_OF: Readonly<Record<ListenerProtocol, readonly string[]>> = {
  HTTP: REQUEST_KINDS,
  HTTPS: REQUEST_KINDS,
  TLS: ['TLSRoute'],
  TCP: ['TCPRoute'],
  UDP: ['UDPRoute'],
  HBONE: [], // by Services, and only waypoints have it
};

/** Whether Tulle listens for a protocol at all. */
export function isServedProtocol(protocol: ListenerProtocol): boolean {
  return KINDS_OF[protocol].length > 0;
}

/** Why a route does not attach to a Gateway that is there: reasons of its condition `Accepted` (Gateway API `RouteConditionReason`). */
export type AttachProblem =
  | 'NoMatchingParent'
  | 'NotAllowedByListeners'
  | 'NoMatchingListenerHostname'
  | RouteRefusal;

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

/**
 * Listeners of `gateway` that take `route` by one of its parentRefs: those of the Gateway or of the ListenerSet that it
 * names, never of both (GEP-1713), of these the section and port, then namespace and kind, then hosts. The first of these
 * that leaves none is the problem.
 */
export function attachToGateway(gateway: MergedGateway, route: AnyRoute, parent: ParentRef): AttachResult {
  const owner = parentOwner(route, parent, gateway);
  const named = (owner?.spec.listeners ?? []).filter(
    ({ name, port }) =>
      (parent.sectionName === undefined || parent.sectionName === name) &&
      (parent.port === undefined || parent.port === port),
  );
  if (named.length === 0) return { attachments: [], problem: 'NoMatchingParent' };
  const refusal = refusalOf(route);
  if (refusal !== undefined) return { attachments: [], problem: refusal };
  const allowing = named.filter((listener) => allowsRoute(gateway, listener, route));
  if (allowing.length === 0) return { attachments: [], problem: 'NotAllowedByListeners' };
  const attachments = allowing.flatMap((listener): Attachment[] => {
    const hostnames = attachedHostnames(
      listener.hostname,
      'hostnames' in route.spec ? route.spec.hostnames : undefined,
    );
    return hostnames.length === 0 ? [] : [{ listener, hostnames }];
  });
  return attachments.length === 0 ? { attachments, problem: 'NoMatchingListenerHostname' } : { attachments };
}

/** Kinds that a listener asks for and Tulle does not serve there. */
export function unservedKinds(listener: GatewayListener): readonly string[] {
  const carried = KINDS_OF[listener.protocol];
  return (listener.allowedRoutes?.kinds ?? [])
    .filter(({ group, kind }) => !carried.includes(kind) || (group ?? GATEWAY_GROUP) !== GATEWAY_GROUP)
    .map(({ kind }) => kind);
}

/** Kinds that a listener takes and Tulle serves there. */
export function servedKinds(listener: GatewayListener): readonly string[] {
  const kinds = listener.allowedRoutes?.kinds ?? [];
  if (kinds.length === 0) return KINDS_OF[listener.protocol];
  const unserved = unservedKinds(listener);
  return [...new Set(kinds.map(({ kind }) => kind).filter((kind) => !unserved.includes(kind)))];
}

/** Why two listeners of one port cannot be together (Gateway API `ListenerConditionReason`). */
export type ListenerConflict = 'ProtocolConflict' | 'HostnameConflict' | 'ListenerConflict';

/** Every listener of a Gateway is asked about, for each of its processes and of its statuses: the answer is one for them all. */
const conflictsOf = new WeakMap<MergedGateway, ReadonlyMap<GatewayListener, ListenerConflict>>();

/**
 * Listeners that cannot be together, as nothing tells their connections apart. Of one resource Gateway API lets nobody pick
 * a winner, so none of them is served; of several the first in the order of precedence is (GEP-1713). HTTPS and TLS share a
 * port, by their server names; nothing shares one with TCP but UDP, whose ports are others.
 */
export function conflictedListeners(merged: MergedGateway): ReadonlyMap<GatewayListener, ListenerConflict> {
  const known = conflictsOf.get(merged);
  if (known !== undefined) return known;
  const conflicted = findConflicts(merged);
  conflictsOf.set(merged, conflicted);
  return conflicted;
}

function findConflicts({ gateway, sets }: MergedGateway): ReadonlyMap<GatewayListener, ListenerConflict> {
  const conflicted = new Map<GatewayListener, ListenerConflict>();
  const served: GatewayListener[] = [];
  for (const { spec } of [gateway, ...sets]) {
    const own = spec.listeners;
    for (const one of own) {
      const conflicts = [
        ...served.flatMap((other) => conflictOf(one, other) ?? []),
        // That no two of one resource have the same protocol and hostname is checked when it is read.
        ...own.flatMap((other) =>
          other.protocol === one.protocol && other.hostname === one.hostname
            ? []
            : (conflictOf(one, other) ?? []),
        ),
      ];
      const [first] = conflicts;
      if (first !== undefined)
        conflicted.set(one, conflicts.includes('ProtocolConflict') ? 'ProtocolConflict' : first);
    }
    served.push(...own.filter((one) => !conflicted.has(one)));
  }
  return conflicted;
}

function conflictOf(one: GatewayListener, other: GatewayListener): ListenerConflict | undefined {
  if (one.port !== other.port) return undefined;
  if (one.protocol !== other.protocol && (one.protocol === 'UDP' || other.protocol === 'UDP'))
    return undefined;
  const families = [one, other].map(({ protocol }) => (protocol === 'HTTPS' ? 'TLS' : protocol));
  if (families[0] !== families[1]) return 'ProtocolConflict';
  if (families[0] === 'TCP' || families[0] === 'UDP') return 'ListenerConflict';
  const areOne =
    one.hostname === other.hostname ||
    (isForMesh(one) !== isForMesh(other) && takesAnyName(one) && takesAnyName(other));
  return areOne ? 'HostnameConflict' : undefined;
}

/** Whether it has every connection over TLS that no other listener has by its name. Those for the mesh have them together. */
function takesAnyName(listener: GatewayListener): boolean {
  return isForMesh(listener) || (listener.protocol === 'HTTPS' && listener.hostname === undefined);
}

function allowsRoute(gateway: MergedGateway, listener: GatewayListener, route: AnyRoute): boolean {
  return (
    servedKinds(listener).includes(route.kind) &&
    allowsNamespace(
      listener.allowedRoutes?.namespaces ?? {},
      gateway.ownerOf(listener).metadata.namespace,
      route.metadata.namespace,
    )
  );
}

/** At which listeners of a Gateway which routes do not apply, and for which other route. */
export type DisplacedRoutes = ReadonlyMap<RequestRoute, ReadonlyMap<GatewayListener, RequestRoute>>;

/**
 * Routes of different kinds do not share a host of a listener: the older one is there, then the first by
 * `namespace/name`, and the other does not attach (Gateway API GRPCRoute.spec.hostnames).
 * @param routes all that name the Gateway
 */
export function displacedRoutes(gateway: MergedGateway, routes: Iterable<RequestRoute>): DisplacedRoutes {
  const displaced = new Map<RequestRoute, Map<GatewayListener, RequestRoute>>();
  const all = [...routes];
  if (new Set(all.map(({ kind }) => kind)).size < 2) return displaced;
  const taken: { route: RequestRoute; attachment: Attachment }[] = [];
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
      const at = displaced.get(route) ?? new Map<GatewayListener, RequestRoute>();
      displaced.set(route, at.set(attachment.listener, before.route));
    }
  }
  return displaced;
}
