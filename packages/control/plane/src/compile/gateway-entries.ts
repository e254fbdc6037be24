import { RETRY_FILTER, type FilterConfigs, type Route } from '@tulle/model';
import {
  attachToGateway,
  backendTarget,
  findServicePort,
  gatewayParents,
  isExternal,
  waypointOf,
  type RequestRoute,
  type DisplacedRoutes,
  type GatewayListener,
  type MergedGateway,
  type RouteRule,
} from '@tulle/resources';
import type { World } from '../world.ts';
import type { MeshSettings } from './clusters.ts';
import { CALLER_FIELDS } from './external-auth.ts';
import type { GatewayEntry } from './gateway-hosts.ts';
import { mirrorsIn, stepsOf, type Reach } from './backends.ts';
import { entriesOf } from './routes.ts';
import { retryOf, trafficFor, type Traffic } from './traffic.ts';

/** A route at one listener, with the hosts that it has there. */
export interface RouteAt {
  readonly route: RequestRoute;
  readonly listener: GatewayListener;
  readonly hostnames: readonly string[];
}

/** Where a route attaches among these listeners of a Gateway; each once, whatever number of its parentRefs lead there, and not where one of another kind is. */
export function attachmentsIn(
  gateway: MergedGateway,
  route: RequestRoute,
  group: readonly GatewayListener[],
  displaced: DisplacedRoutes,
): RouteAt[] {
  const found = new Map<GatewayListener, RouteAt>();
  for (const parent of gatewayParents(route, gateway))
    for (const { listener, hostnames } of attachToGateway(gateway, route, parent).attachments)
      if (group.includes(listener) && displaced.get(route)?.has(listener) !== true)
        found.set(listener, { route, listener, hostnames });
  return [...found.values()];
}

/** What a route's matches do at one listener. */
export function gatewayEntries(
  at: RouteAt & {
    readonly world: World;
    readonly mesh: MeshSettings;
    readonly reach: Reach;
    /** Ids of the filters that the process has. */
    readonly known: ReadonlySet<string>;
  },
  filtersOf: (rule: RouteRule) => {
    readonly overrides: FilterConfigs;
    readonly lacking: readonly string[];
  },
): GatewayEntry[] {
  const { world, route, listener, hostnames } = at;
  const own = (rule: RouteRule): Traffic => ofOnlyBackend(world, route, rule);
  const overridesOf = (_: RequestRoute, rule: RouteRule): FilterConfigs => ({
    ...retriesOf(world, route, rule, own(rule)),
    ...filtersOf(rule).overrides,
  });
  const filters = { known: at.known, overridesOf };
  return entriesOf(world, route, own, at.mesh, at.reach, filters).map((entry) => ({
    ...entry,
    route: refuseWithout(filtersOf(entry.from).lacking, leaving(world, route, entry.from, entry.route)),
    hostnames,
    listener,
  }));
}

/** Who called within the mesh, and from where, is nobody's business outside of it, also where only a copy goes there. */
function leaving(world: World, of: RequestRoute, rule: RouteRule, route: Route): Route {
  const mirrors = mirrorsIn(stepsOf(rule)).map(({ backendRef }) => backendRef);
  const leaves = [...(rule.backendRefs ?? []), ...mirrors].some((backend) => {
    const service = world.get('Service', backend.namespace ?? of.metadata.namespace, backend.name);
    return service !== undefined && isExternal(service);
  });
  if (!leaves) return route;
  return withoutCallers(route);
}

/** Without what a gateway adds about callers. */
export function withoutCallers(route: Route): Route {
  const { remove = [], ...edits } = route.requestHeaders ?? {};
  return { ...route, requestHeaders: { ...edits, remove: [...remove, ...CALLER_FIELDS] } };
}

/** What a mandatory filter that the proxy lacks is for is refused. */
function refuseWithout(lacking: readonly string[], route: Route): Route {
  if (lacking.length === 0) return route;
  const body = `this gateway lacks a mandatory filter of ${lacking.join(', ')}\n`;
  return { ...route, action: { kind: 'direct', status: 503, code: 'TULLE_FILTER_UNKNOWN', body } };
}

/** A rule with one backend has the time limits and retries that hold for its Service. */
function ofOnlyBackend(world: World, route: RequestRoute, rule: RouteRule): Traffic {
  const [only, ...others] = rule.backendRefs ?? [];
  if (only === undefined || others.length > 0) return {};
  const namespace = only.namespace ?? route.metadata.namespace;
  const { service } = backendTarget(only);
  const called = world.get('Service', namespace, service);
  if (called !== undefined && waypointOf(called) !== undefined) return {}; // that is its waypoint's to do
  const port = called && findServicePort(called, { port: only.port });
  return trafficFor(world, namespace, 'Service', service, port?.name);
}

/** Retries of the only backend's Service, where neither the rule nor a policy for the route speaks of retries. */
function retriesOf(world: World, route: RequestRoute, rule: RouteRule, own: Traffic): FilterConfigs {
  const { namespace, name } = route.metadata;
  const retry = retryOf(own);
  const said =
    rule.retry !== undefined ||
    trafficFor(world, namespace, route.kind, name, rule.name).retries !== undefined;
  return retry === undefined || said ? {} : { [RETRY_FILTER]: retry };
}
