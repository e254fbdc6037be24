import {
  attachToGateway,
  backendTarget,
  findServicePort,
  isGranted,
  isServedGateway,
  parentKind,
  type AttachProblem,
  type HTTPRoute,
  type ParentRef,
} from '@tulle/resources';
import type { Condition } from '../condition.ts';
import { trafficFor } from '../compile/traffic.ts';
import type { World } from '../world.ts';

/** What a route is to one of its parents (Gateway API `RouteParentStatus`). */
export interface ParentConditions {
  readonly parentRef: ParentRef;
  readonly conditions: readonly Condition[];
}

const PROBLEMS: Readonly<Record<AttachProblem, string>> = {
  NoMatchingParent: 'it has no listener of that name or port',
  NotAllowedByListeners: 'its listeners take no HTTPRoutes of this namespace (allowedRoutes)',
  NoMatchingListenerHostname: "none of the route's hostnames is one of a listener's",
};

/** Conditions of a route for each parent that is Tulle's to serve. */
export function routeConditions(world: World, route: HTTPRoute): ParentConditions[] {
  const resolved = resolvedRefs(world, route);
  return route.spec.parentRefs.flatMap((parentRef) => {
    const accepted = acceptedBy(world, route, parentRef);
    return accepted === undefined ? [] : [{ parentRef, conditions: [accepted, resolved] }];
  });
}

function acceptedBy(world: World, route: HTTPRoute, parent: ParentRef): Condition | undefined {
  const namespace = parent.namespace ?? route.metadata.namespace;
  const kind = parentKind(parent);
  const said = `${kind} ${namespace}/${parent.name}`;
  const no = (reason: AttachProblem, why: string): Condition => ({
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
  if (kind === 'Gateway') {
    const gateway = world.get('Gateway', namespace, parent.name);
    if (gateway === undefined) return no('NoMatchingParent', 'it does not exist');
    if (!isServedGateway(gateway)) return undefined;
    const { problem } = attachToGateway(gateway, route, parent);
    return problem === undefined ? yes : no(problem, PROBLEMS[problem]);
  }
  const service = world.get('Service', namespace, parent.name);
  if (service === undefined) return no('NoMatchingParent', 'it does not exist');
  return findServicePort(service, parent) === undefined ? no('NoMatchingParent', 'it has no such port') : yes;
}

function resolvedRefs(world: World, route: HTTPRoute): Condition {
  const own = route.metadata.namespace;
  const no = (reason: string, message: string): Condition => ({
    type: 'ResolvedRefs',
    status: 'False',
    reason,
    message,
  });
  for (const backend of (route.spec.rules ?? []).flatMap((rule) => rule.backendRefs ?? [])) {
    const namespace = backend.namespace ?? own;
    const target = backendTarget(backend);
    if (!isGranted(world.in('ReferenceGrant', namespace), own, namespace, target.service))
      return no(
        'RefNotPermitted',
        `no ReferenceGrant of namespace ${namespace} lets HTTPRoutes of ${own} use its Service ${target.service}`,
      );
    const service = world.get('Service', namespace, target.service);
    if (service === undefined)
      return no('BackendNotFound', `there is no Service ${namespace}/${target.service}`);
    const port = findServicePort(service, { port: backend.port });
    if (port === undefined)
      return no('BackendNotFound', `Service ${namespace}/${target.service} has no port ${backend.port}`);
    const { subsets } = trafficFor(world, namespace, 'Service', target.service, port.name);
    if (target.subset !== undefined && !subsets?.some(({ name }) => name === target.subset))
      return no('BackendNotFound', `Service ${namespace}/${target.service} has no subset ${target.subset}`);
  }
  return { type: 'ResolvedRefs', status: 'True', reason: 'ResolvedRefs', message: 'every backend is there' };
}
