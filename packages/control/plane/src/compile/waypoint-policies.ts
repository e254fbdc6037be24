import {
  AUTHZ_FILTER,
  type AuthzFilterConfig,
  type AuthzPolicy,
  type FilterConfigs,
  type FilterEntry,
  type RouteConfig,
} from '@tulle/model';
import { targetPort } from '@tulle/resources';
import type { World } from '../world.ts';
import {
  addressedPort,
  slicePortOf,
  workloadOf,
  workloadsBehind,
  type Backend,
  type MeshSettings,
} from './clusters.ts';
import { authorizationFor } from './authorization.ts';
import { connectionAuthz } from './layer4-policy.ts';

/** The policies that hold for some workloads behind a backend; a caller must pass those of all of them. */
export type PolicySets = readonly (readonly AuthzPolicy[])[];

/**
 * What the workloads of backends ask of callers, each set once. A waypoint asks before it knows which workload will have the
 * call, and so for all of them: it never lets anybody in whom one of them would refuse.
 */
export function policySets(world: World, backends: readonly Backend[], mesh: MeshSettings): PolicySets {
  const sets = new Map<string, readonly AuthzPolicy[]>();
  const add = (policies: readonly AuthzPolicy[]): void => {
    if (policies.length > 0 || mesh.defaultAction === 'deny') sets.set(JSON.stringify(policies), policies);
  };
  for (const backend of backends) {
    const { service } = backend;
    const { namespace } = service.metadata;
    const workloads = workloadsBehind(world, backend);
    for (const workload of workloads) {
      const led = targetPort(backend.port, workload.spec)?.port;
      const { labels = {}, namespace: of } = workload.metadata;
      const services = world.servicesWith(workload).filter((one) => one.metadata.namespace === of);
      const ports = led === undefined ? portsOf(world, backend) : [led];
      add(authorizationFor(world, { namespace: of, labels }, services, mesh, ports));
    }
    // Of endpoints that are no workloads, and of workloads to come, is known which Service they are of.
    if (workloads.length === 0 || hasOthers(world, backend))
      add(authorizationFor(world, { namespace, labels: {} }, [service], mesh, portsOf(world, backend)));
  }
  return [...sets].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, policies]) => policies);
}

/** Ports to which a Service port leads where no workload says so: as each of its slices has it, or as it says itself. */
function portsOf(world: World, { service, port }: Backend): number[] {
  const slices = world.slicesOf(service);
  return slices.length === 0
    ? [addressedPort(undefined, port)]
    : [...new Set(slices.map((slice) => addressedPort(slicePortOf(slice, port), port)))];
}

/** Whether a Service has endpoints that are no workloads; these are in no subset. */
function hasOthers(world: World, { service, subset }: Backend): boolean {
  const slices = subset === undefined ? world.slicesOf(service) : [];
  return slices.some(({ endpoints }) =>
    endpoints.some((one) => workloadOf(world, one, service) === undefined),
  );
}

/** The same at layer 4: a filter for each set. */
export function connectionEntries(sets: PolicySets, mesh: MeshSettings): FilterEntry[] {
  return sets.flatMap((policies, i) =>
    connectionAuthz(policies, mesh).map((entry) => ({ ...entry, name: nth(entry.name, i) })),
  );
}

/** Filters of a chain that ask, with what they ask on which route. */
export interface RequestPolicies {
  readonly entries: readonly FilterEntry[];
  readonly routes: RouteConfig;
}

/**
 * A filter for each set, as many as the route with the most needs. A route is asked what the backends say that it leads to;
 * what leads nowhere, what the Service's own workloads say.
 * @param of what a route's backends say; `undefined`: it leads nowhere
 */
export function requestPolicies(
  own: PolicySets,
  routes: RouteConfig,
  of: (route: RouteConfig['virtualHosts'][number]['routes'][number]) => PolicySets | undefined,
  mesh: MeshSettings,
): RequestPolicies {
  const asked = new Map(
    routes.virtualHosts.flatMap((host) => host.routes.map((route) => [route, of(route) ?? own] as const)),
  );
  const slots = Math.max(own.length, ...[...asked.values()].map(({ length }) => length));
  const configOf = (sets: PolicySets, i: number): AuthzFilterConfig => {
    const policies = sets[i];
    return policies === undefined
      ? { policies: [], defaultAction: 'allow' }
      : { policies, defaultAction: mesh.defaultAction };
  };
  const names = Array.from({ length: slots }, (_, i) => nth(AUTHZ_FILTER, i));
  const overridesOf = (sets: PolicySets): FilterConfigs =>
    sets === own || JSON.stringify(sets) === JSON.stringify(own)
      ? {}
      : Object.fromEntries(names.map((name, i) => [name, configOf(sets, i)]));
  return {
    entries: names.map((name, i) => ({ name, filter: AUTHZ_FILTER, config: configOf(own, i) })),
    routes: {
      ...routes,
      virtualHosts: routes.virtualHosts.map((host) => ({
        ...host,
        routes: host.routes.map((route) => {
          const overrides = overridesOf(asked.get(route) ?? own);
          return Object.keys(overrides).length === 0
            ? route
            : { ...route, filterConfigs: { ...route.filterConfigs, ...overrides } };
        }),
      })),
    },
  };
}

const nth = (name: string, i: number): string => (i === 0 ? name : `${name}.${i + 1}`);
