import {
  attachToGateway,
  connectionShares,
  displacedByConnection,
  backendProtocol,
  backendTarget,
  everyParent,
  displacedBy,
  displacedRoutes,
  findServicePort,
  isBackendKind,
  isConnectionRouteKind,
  isGranted,
  isHttpPort,
  isServedGateway,
  isUdpPort,
  incompatibleRules,
  isWaypoint,
  refusalOf,
  kindText,
  meansPort,
  parentKind,
  rulesOf,
  takesListenerSet,
  unsupportedFilters,
  type AnyRoute,
  type ConnectionRoute,
  type RequestRoute,
  type AttachProblem,
  type MergedGateway,
  type ParentRef,
  type Service,
} from '@tulle/resources';
import type { Condition } from '../condition.ts';
import { extensionsIn, stepBackends, stepsOf } from '../compile/backends.ts';
import { wantsTls } from '../compile/datagrams.ts';
import { trafficFor } from '../compile/traffic.ts';
import { unservedClass } from './gateway-class-conditions.ts';
import { retriesHonoured } from './retry-condition.ts';
import { waypointKey } from '../waypoint-index.ts';
import type { World } from '../world.ts';

/** What a route is to one of its parents (Gateway API `RouteParentStatus`). */
export interface ParentConditions {
  readonly parentRef: ParentRef;
  readonly conditions: readonly Condition[];
}

const PROBLEMS: Readonly<Record<Exclude<AttachProblem, 'UnsupportedValue'>, string>> = {
  NoMatchingParent: 'it has no listener of that name or port',
  NotAllowedByListeners: 'its listeners take no routes of this kind and namespace (allowedRoutes)',
  IncompatibleFilters: 'every rule of it both redirects and mirrors, which do not go together',
  NoMatchingListenerHostname: "none of the route's hostnames is one of a listener's",
};

function problemText(route: AnyRoute, problem: AttachProblem): string {
  if (problem !== 'UnsupportedValue') return PROBLEMS[problem];
  const types = [...new Set(unsupportedFilters(route).map(({ type }) => type))];
  return `a ${route.kind} has no filter of type ${types.join(', ')}, so that nothing is led by it: attach filters with a FilterPolicy`;
}

/** Conditions of a route for each parent that is Tulle's to serve. */
export function routeConditions(world: World, route: AnyRoute): ParentConditions[] {
  const resolved = resolvedRefs(world, route);
  const dropped = partiallyInvalid(route);
  return everyParent(route, world.gateways()).flatMap((parentRef) => {
    const accepted = acceptedBy(world, route, parentRef);
    return accepted === undefined
      ? []
      : [
          {
            parentRef,
            conditions: [
              accepted,
              resolved,
              ...(accepted.status === 'True' ? dropped : []), // of a route that is not accepted it must not be said
              ...retriesHonoured(route),
            ],
          },
        ];
  });
}

/** That some rules are dropped (Gateway API `RouteConditionPartiallyInvalid`). */
function partiallyInvalid(route: AnyRoute): Condition[] {
  const dropped = incompatibleRules(route);
  if (dropped.length === 0) return [];
  return [
    {
      type: 'PartiallyInvalid',
      status: 'True',
      reason: 'IncompatibleFilters',
      message: `Dropped Rule ${dropped.join(', ')}: to redirect and to mirror do not go together`,
    },
  ];
}

function acceptedBy(world: World, route: AnyRoute, parent: ParentRef): Condition | undefined {
  const namespace = parent.namespace ?? route.metadata.namespace;
  const kind = parentKind(parent);
  const said = `${kind} ${namespace}/${parent.name}`;
  if (kind === 'other') return undefined;
  const no = (
    reason: AttachProblem | 'RouteKindConflict' | 'RouteConflict' | 'UnsupportedValue',
    why: string,
  ): Condition => ({
    type: 'Accepted',
    status: 'False',
    reason,
    message: `${said}: ${why}`,
  });
  const yes: Condition = {
    type: 'Accepted',
    status: 'True',
    reason: 'Accepted',
    message: `${said} takes the route`,
  };
  const conflict = (winner: RequestRoute | undefined): Condition =>
    no(
      'RouteKindConflict',
      `${winner?.kind} ${winner?.metadata.namespace}/${winner?.metadata.name} is there, and routes of different kinds do not share a ${kind === 'Service' ? 'port' : 'host'}`,
    );
  if (kind !== 'Service') {
    const found =
      kind === 'Gateway' ? gatewayAt(world, namespace, parent.name) : setAt(world, namespace, parent.name);
    if (found === undefined) return undefined;
    if (typeof found === 'string') return no('NoMatchingParent', found);
    const { problem, attachments } = attachToGateway(found, route, parent);
    if (problem !== undefined) return no(problem, problemText(route, problem));
    if (isConnectionRoute(route)) {
      const shares = connectionShares(found, world.connectionRoutesAt(found));
      const winner = displacedByConnection(found, route, shares);
      if (winner === undefined) return yes;
      const { kind, metadata } = winner;
      return no(
        'RouteConflict',
        `${kind} ${metadata.namespace}/${metadata.name} is older or first by name, and has the ${kind === 'UDPRoute' ? 'datagrams' : 'connections'} that it asks for`,
      );
    }
    const displaced = displacedRoutes(found, world.routesAt(found)).get(route);
    const winners = attachments.flatMap(({ listener }) => displaced?.get(listener) ?? []);
    return winners.length < attachments.length ? yes : conflict(winners[0]);
  }
  if (isConnectionRoute(route))
    return no(
      'UnsupportedValue',
      `${route.kind}s are for Gateways; within the mesh ${route.kind === 'UDPRoute' ? 'datagrams are not led' : 'connections to a Service are not split'}`,
    );
  const service = world.get('Service', namespace, parent.name);
  if (service === undefined) return no('NoMatchingParent', 'it does not exist');
  const ports = service.spec.ports.filter((port) =>
    meansPort(parent, route.metadata.namespace, service, port),
  );
  if (ports.length === 0) return no('NoMatchingParent', 'it has no such port');
  const refusal = refusalOf(route);
  if (refusal !== undefined) return no(refusal, problemText(route, refusal));
  const attached = [...world.routesOf(`${namespace}/${parent.name}`)];
  const winners = ports.flatMap((port) => displacedBy(route, attached, service, port) ?? []);
  return winners.length < ports.length ? yes : conflict(winners[0]);
}

/** A Gateway that routes name; a text: why there is none to attach to; `undefined`: it is another controller's. */
function gatewayAt(world: World, namespace: string, name: string): MergedGateway | string | undefined {
  const gateway = world.get('Gateway', namespace, name);
  if (gateway === undefined) return 'it does not exist';
  if (isWaypoint(gateway)) return 'it is a waypoint: name the Service that asks for it';
  return isServedGateway(gateway) ? world.merged(gateway) : unservedClass(world, gateway);
}

/** The same of the Gateway of a ListenerSet that routes name. */
function setAt(world: World, namespace: string, name: string): MergedGateway | string | undefined {
  const set = world.get('ListenerSet', namespace, name);
  if (set === undefined) return 'it does not exist';
  const { name: parent, namespace: of = namespace } = set.spec.parentRef;
  const gateway = world.get('Gateway', of, parent);
  if (gateway === undefined) return `its Gateway ${of}/${parent} does not exist`;
  if (!isServedGateway(gateway)) return unservedClass(world, gateway);
  return takesListenerSet(gateway, set)
    ? world.merged(gateway)
    : `Gateway ${of}/${parent} takes no ListenerSets of namespace ${namespace}`;
}

function isConnectionRoute(route: AnyRoute): route is ConnectionRoute {
  return isConnectionRouteKind(route.kind);
}

/** Whether the waypoint of a Service is where a route applies, for all of its parents. */
function goesByWaypoint(world: World, route: AnyRoute, service: Service): boolean {
  return everyParent(route, world.gateways()).every((parent) => {
    const { namespace = route.metadata.namespace, name } = parent;
    const of = parentKind(parent) === 'Service' ? world.get('Service', namespace, name) : undefined;
    return (
      of !== undefined && route.metadata.namespace === namespace && waypointKey(of) === waypointKey(service)
    );
  });
}

function resolvedRefs(world: World, route: AnyRoute): Condition {
  const own = route.metadata.namespace;
  const no = (reason: string, message: string): Condition => ({
    type: 'ResolvedRefs',
    status: 'False',
    reason,
    message,
  });
  const [extension] = rulesOf(route).flatMap((rule) => extensionsIn(stepsOf(rule)));
  if (extension !== undefined)
    return no(
      'InvalidKind',
      `there is no filter of kind ${kindText(extension)}, as ${extension.name} is: what is to pass it is answered with 500; attach filters with a FilterPolicy`,
    );
  const backends = rulesOf(route).flatMap((rule) => [...(rule.backendRefs ?? []), ...stepBackends(rule)]);
  for (const backend of backends) {
    if (!isBackendKind(backend))
      return no(
        'InvalidKind',
        `backends are Services or ServiceSubsets, and ${backend.name} is of kind ${kindText(backend)}`,
      );
    const namespace = backend.namespace ?? own;
    const target = backendTarget(backend);
    const kinds = { from: route.kind, to: 'Service' } as const;
    if (!isGranted(world.in('ReferenceGrant', namespace), own, namespace, target.service, kinds))
      return no(
        'RefNotPermitted',
        `no ReferenceGrant of namespace ${namespace} lets ${route.kind}s of ${own} use its Service ${target.service}`,
      );
    const service = world.get('Service', namespace, target.service);
    if (service === undefined)
      return no('BackendNotFound', `there is no Service ${namespace}/${target.service}`);
    const protocol = backendProtocol(route);
    const port = findServicePort(service, { port: backend.port }, protocol);
    const other = protocol === 'UDP' ? 'TCP' : 'UDP';
    if (port === undefined && findServicePort(service, { port: backend.port }, other) !== undefined)
      return no(
        'UnsupportedProtocol',
        `port ${backend.port} of Service ${namespace}/${target.service} is of ${other}, and ${route.kind}s lead to ports of ${protocol}`,
      );
    if (port === undefined)
      return no('BackendNotFound', `Service ${namespace}/${target.service} has no port ${backend.port}`);
    if (isUdpPort(port) && wantsTls(world, service, port))
      return no(
        'UnsupportedProtocol',
        `a BackendTLSPolicy asks for TLS to Service ${namespace}/${target.service}, which datagrams do not have`,
      );
    if (isConnectionRoute(route) && isHttpPort(port))
      return no(
        'UnsupportedProtocol',
        `port ${port.port} of Service ${namespace}/${target.service} carries HTTP, as it does not say otherwise (appProtocol: tcp)`,
      );
    const { subsets } = trafficFor(world, namespace, 'Service', target.service, port.name);
    if (target.subset !== undefined && !subsets?.some(({ name }) => name === target.subset))
      return no('BackendNotFound', `Service ${namespace}/${target.service} has no subset ${target.subset}`);
    if (
      target.subset !== undefined &&
      !isUdpPort(port) &&
      waypointKey(service) !== undefined &&
      !goesByWaypoint(world, route, service)
    )
      return no(
        'BackendNotFound',
        `Service ${namespace}/${target.service} is called through its waypoint, which no subset is said to; lead to the Service, and split it by a route of its own`,
      );
  }
  return { type: 'ResolvedRefs', status: 'True', reason: 'ResolvedRefs', message: 'every backend is there' };
}
