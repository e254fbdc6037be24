import type { RouteMatch } from '@tulle/model';
import type { TCPRoute, TLSRoute, UDPRoute } from './kinds/connection-route.ts';
import type { GRPCRoute } from './kinds/grpc-route.ts';
import {
  parentKind,
  type HTTPRoute,
  type HTTPRouteFilter,
  type HTTPRouteRule,
  type ParentRef,
} from './kinds/http-route.ts';
import { isUdpPort, type Service, type ServicePort } from './kinds/service.ts';
import type { Metadata } from './kinds/metadata.ts';
import { createdMs, grpcMatchOf, routeMatchOf } from './route-match.ts';

/** A route that leads each request on by what it asks for. */
export type RequestRoute = HTTPRoute | GRPCRoute;

/** A route that leads whole connections on, or whole sessions of datagrams. */
export type ConnectionRoute = TLSRoute | TCPRoute | UDPRoute;

/** A route of any kind that is served. */
export type AnyRoute = RequestRoute | ConnectionRoute;

/** Name of a kind of {@link RequestRoute}. */
export type RouteKind = RequestRoute['kind'];

/** The more specific first: of several kinds on one port of a Service only the first that is there applies (GEP-1294). */
export const ROUTE_KINDS: readonly RouteKind[] = Object.freeze(['GRPCRoute', 'HTTPRoute']);

export function isRouteKind(kind: string): kind is RouteKind {
  return (ROUTE_KINDS as readonly string[]).includes(kind);
}

export const CONNECTION_ROUTE_KINDS: readonly ConnectionRoute['kind'][] = Object.freeze([
  'TLSRoute',
  'TCPRoute',
  'UDPRoute',
]);

/** Of which protocol the ports of Services are that a route leads to. */
export function backendProtocol({ kind }: Pick<AnyRoute, 'kind'>): 'TCP' | 'UDP' {
  return kind === 'UDPRoute' ? 'UDP' : 'TCP';
}

export function isConnectionRouteKind(kind: string): kind is ConnectionRoute['kind'] {
  return (CONNECTION_ROUTE_KINDS as readonly string[]).includes(kind);
}

/** What rules of every kind have; those of gRPC have neither time limits nor retries of their own. */
export type RouteRule = Omit<HTTPRouteRule, 'matches'>;

/** Parents that a route names; none where it says nothing. */
export function parentRefsOf({ spec }: AnyRoute): readonly ParentRef[] {
  return spec.parentRefs ?? [];
}

/** Rules of a route; without any, one that matches everything and leads nowhere. */
export function rulesOf(route: AnyRoute): readonly RouteRule[] {
  return route.spec.rules ?? [{}];
}

/**
 * Rules whose filters do not go together, by index: where they or a backend redirect, nothing is sent from here, and no copy
 * either (Gateway API `IncompatibleFilters`). They are dropped.
 */
export function incompatibleRules(route: AnyRoute): readonly number[] {
  const isMixed = (filters: RouteRule['filters'] = []): boolean =>
    filters.some(({ type }) => type === 'RequestRedirect') &&
    filters.some(({ type }) => type === 'RequestMirror');
  return [...rulesOf(route).entries()].flatMap(([i, { filters, backendRefs = [] }]) =>
    isMixed(filters) || backendRefs.some((backend) => isMixed(backend.filters)) ? [i] : [],
  );
}

/** Steps that a GRPCRoute has not (Gateway API `GRPCRouteFilterType`): their types, and where they stand. */
export function unsupportedFilters(
  route: AnyRoute,
): readonly { readonly type: HTTPRouteFilter['type']; readonly at: string }[] {
  if (route.kind !== 'GRPCRoute') return [];
  const among = (
    filters: readonly HTTPRouteFilter[] = [],
    at: string,
  ): { readonly type: HTTPRouteFilter['type']; readonly at: string }[] =>
    filters.flatMap(({ type }, i) =>
      GRPC_FILTERS.includes(type) ? [] : [{ type, at: `${at}/filters/${i}` }],
    );
  return rulesOf(route).flatMap(({ filters, backendRefs = [] }, r) => [
    ...among(filters, `/spec/rules/${r}`),
    ...backendRefs.flatMap((backend, b) => among(backend.filters, `/spec/rules/${r}/backendRefs/${b}`)),
  ]);
}

const GRPC_FILTERS: readonly HTTPRouteFilter['type'][] = [
  'RequestHeaderModifier',
  'ResponseHeaderModifier',
  'RequestMirror',
  'ExtensionRef',
];

/** Why a route attaches nowhere, whatever its parents say (Gateway API `RouteConditionReason`). */
export type RouteRefusal = 'UnsupportedValue' | 'IncompatibleFilters';

/** Something in it is not known, which is a matter of the whole route (Gateway API), or no rule is left but incompatible ones. */
export function refusalOf(route: AnyRoute): RouteRefusal | undefined {
  if (unsupportedFilters(route).length > 0) return 'UnsupportedValue';
  const dropped = incompatibleRules(route).length;
  return dropped > 0 && dropped === rulesOf(route).length ? 'IncompatibleFilters' : undefined;
}

/** The older first, then by `namespace/name` (Gateway API). */
export function compareAge(a: WithMetadata, b: WithMetadata): number {
  const [at, bt] = [createdMs(a.metadata) ?? Infinity, createdMs(b.metadata) ?? Infinity];
  const name = ({ metadata }: WithMetadata): string => `${metadata.namespace}/${metadata.name}`;
  return (at === bt ? 0 : at - bt) || (name(a) < name(b) ? -1 : name(a) > name(b) ? 1 : 0);
}

interface WithMetadata {
  readonly metadata: Metadata;
}

/** One match of a rule in the words of the model. */
export interface RuleMatch {
  readonly match: RouteMatch;
  /** Of a GRPCRoute: what decides which match wins. */
  readonly grpc?: { readonly serviceChars: number; readonly methodChars: number };
}

/** Matches of the rule at `index`; where it has none, the one that takes everything of its kind. */
export function matchesOfRule(route: RequestRoute, index: number): readonly RuleMatch[] {
  if (route.kind === 'HTTPRoute') {
    const { matches = [] } = route.spec.rules?.[index] ?? {};
    return (matches.length === 0 ? [{}] : matches).map((match) => ({ match: routeMatchOf(match) }));
  }
  const { matches = [] } = route.spec.rules?.[index] ?? {};
  return (matches.length === 0 ? [{}] : matches).map((match) => ({
    match: grpcMatchOf(match),
    grpc: {
      serviceChars: match.method?.service?.length ?? 0,
      methodChars: match.method?.method?.length ?? 0,
    },
  }));
}

/** Whether a parentRef of a route in `namespace` means this port of a Service; routes of Services are for requests. */
export function meansPort(
  parent: ParentRef,
  namespace: string,
  service: Service,
  port: ServicePort,
): boolean {
  return (
    parentKind(parent) === 'Service' &&
    !isUdpPort(port) &&
    parent.name === service.metadata.name &&
    (parent.namespace ?? namespace) === service.metadata.namespace &&
    (parent.port === undefined || parent.port === port.port) &&
    (parent.sectionName === undefined || parent.sectionName === port.name)
  );
}

/** Whether a route is attached to a port of a Service. */
export function isAttachedTo(route: RequestRoute, service: Service, port: ServicePort): boolean {
  return parentRefsOf(route).some((parent) => meansPort(parent, route.metadata.namespace, service, port));
}

/**
 * The route of a more specific kind for which a route does not apply to a port of a Service; `undefined`: it applies.
 * Routes of the caller's namespace and of the Service's are judged apart, since only the ones or the others hold for a
 * caller.
 * @param attached routes of the Service, of all namespaces
 */
export function displacedBy(
  route: RequestRoute,
  attached: Iterable<RequestRoute>,
  service: Service,
  port: ServicePort,
): RequestRoute | undefined {
  const rank = ROUTE_KINDS.indexOf(route.kind);
  for (const other of attached)
    if (
      ROUTE_KINDS.indexOf(other.kind) < rank &&
      refusalOf(other) === undefined &&
      other.metadata.namespace === route.metadata.namespace &&
      isAttachedTo(other, service, port)
    )
      return other;
  return undefined;
}
