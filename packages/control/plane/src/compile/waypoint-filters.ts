import type { RequestRoute, Service } from '@tulle/resources';
import type { ProxyNode } from '../node.ts';
import type { World } from '../world.ts';
import type { MeshSettings } from './clusters.ts';
import { chainOf, inboundPolicies, outboundPolicies, type ChainFilters } from './filters.ts';

/**
 * FilterPolicies for what comes to a waypoint for a Service, in chain order: those of its callers and routes, and those of
 * the inbound sides of its workloads, which have no filters of their own before them.
 * @param routes of the namespace of the Service
 */
export function waypointFilters(
  world: World,
  node: ProxyNode,
  service: Service,
  routes: readonly RequestRoute[],
  mesh: MeshSettings,
): ChainFilters {
  const { namespace } = service.metadata;
  const labels = world
    .workloadsOf(service)
    .filter(({ metadata }) => metadata.namespace === namespace)
    .map(({ metadata }) => metadata.labels ?? {});
  const found = new Set([
    ...outboundPolicies(world, service, routes),
    ...[{}, ...labels].flatMap((of) => inboundPolicies(world, { namespace, labels: of }, [service], mesh)),
  ]);
  return chainOf([...found], node, mesh);
}
