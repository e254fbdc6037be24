import { LOCAL_REPLIES, type FilterConfigs, type FilterEntry, type LocalReplies } from '@tulle/model';
import {
  createdMs,
  defaultPhase,
  FILTER_PHASES,
  selects,
  type RequestRoute,
  type FilterPhase,
  type FilterPolicy,
  type RouteRule,
  type Service,
} from '@tulle/resources';
import type { ProxyNode } from '../node.ts';
import type { World } from '../world.ts';
import type { MeshSettings } from './clusters.ts';

/** Filters of one chain, split by what sees them. */
export interface ChainFilters {
  readonly connection: readonly FilterEntry[];
  readonly http: readonly { readonly phase: FilterPhase; readonly entry: FilterEntry }[];
  /** Mandatory filters that the proxy lacks: its traffic is refused. */
  readonly lacking: readonly string[];
  /** What local replies look like. */
  readonly localReplies: LocalReplies | undefined;
}

/** Of a chain of which no policy says anything. */
export const NO_FILTERS: ChainFilters = { connection: [], http: [], lacking: [], localReplies: undefined };

/** Policies for the inbound side of a proxy, in chain order (decision D7). */
export function inboundFilters(
  world: World,
  node: ProxyNode,
  services: readonly Service[],
  mesh: MeshSettings,
): ChainFilters {
  return chainOf(inboundPolicies(world, node, services, mesh), node, mesh);
}

/** The same, of any workload, not in order. */
export function inboundPolicies(
  world: World,
  node: Pick<ProxyNode, 'namespace' | 'labels'>,
  services: readonly Service[],
  mesh: MeshSettings,
): FilterPolicy[] {
  const names = new Set(services.map((s) => s.metadata.name));
  const found: FilterPolicy[] = [];
  for (const policy of policiesOf(world, node.namespace, mesh)) {
    const { spec, metadata } = policy;
    if (spec.direction === 'outbound') continue;
    if (spec.targetRefs !== undefined) {
      if (
        metadata.namespace === node.namespace &&
        spec.targetRefs.some((t) => t.kind === 'Service' && names.has(t.name))
      )
        found.push(policy);
    } else if (spec.selector === undefined || selects(spec.selector, node.labels)) found.push(policy);
  }
  return found;
}

/** Policies for callers of a Service, or of routes of it. */
export function outboundFilters(
  world: World,
  node: ProxyNode,
  service: Service,
  routes: readonly RequestRoute[],
  mesh: MeshSettings,
): ChainFilters {
  return chainOf(outboundPolicies(world, service, routes), node, mesh);
}

/** The same, not in order. */
export function outboundPolicies(
  world: World,
  service: Service,
  routes: readonly RequestRoute[],
): FilterPolicy[] {
  const { namespace, name } = service.metadata;
  return [...world.in('FilterPolicy', namespace)].filter(({ spec }) =>
    (spec.targetRefs ?? []).some((t) =>
      t.kind === 'Service'
        ? spec.direction === 'outbound' && t.name === name
        : routes.some(
            (r) => t.kind === r.kind && r.metadata.namespace === namespace && r.metadata.name === t.name,
          ),
    ),
  );
}

/** A rule's overrides: filters that target other routes only are removed here. */
export function ruleFilters(
  world: World,
  service: Service,
  node: ProxyNode,
  route: RequestRoute,
  rule: RouteRule,
): FilterConfigs {
  const overrides: Record<string, unknown> = {};
  for (const policy of world.in('FilterPolicy', service.metadata.namespace)) {
    const { spec, metadata } = policy;
    const targets = spec.targetRefs ?? [];
    const attached = [...world.routesOf(`${service.metadata.namespace}/${service.metadata.name}`)];
    if (
      !node.filters.has(spec.filter) ||
      !targets.some((t) =>
        attached.some(
          (r) =>
            r.kind === t.kind && r.metadata.name === t.name && r.metadata.namespace === metadata.namespace,
        ),
      )
    )
      continue;
    if (
      targets.some(
        (t) => t.kind === 'Service' && t.name === service.metadata.name && spec.direction === 'outbound',
      )
    )
      continue;
    const here = targets.some(
      (t) =>
        t.kind === route.kind &&
        route.metadata.namespace === metadata.namespace &&
        t.name === route.metadata.name &&
        (t.sectionName === undefined || t.sectionName === rule.name),
    );
    if (!here) overrides[slotOf(policy)] = null;
  }
  return overrides;
}

function* policiesOf(world: World, namespace: string, mesh: MeshSettings): Iterable<FilterPolicy> {
  yield* world.in('FilterPolicy', mesh.rootNamespace);
  if (namespace !== mesh.rootNamespace) yield* world.in('FilterPolicy', namespace);
}

/** Slot of a policy in its chain: `namespace/name`. */
export function slotOf(policy: FilterPolicy): string {
  return `${policy.metadata.namespace}/${policy.metadata.name}`;
}

/** The narrowest policy's, the oldest of these: one handler has one way to answer. */
export function localRepliesOf(
  policies: readonly FilterPolicy[],
  mesh: MeshSettings,
): LocalReplies | undefined {
  const [first] = policies
    .filter((policy) => !isFilter(policy))
    .toSorted(
      (a, b) =>
        scopeOf(b, mesh) - scopeOf(a, mesh) ||
        (createdMs(a.metadata) ?? Infinity) - (createdMs(b.metadata) ?? Infinity) ||
        (slotOf(a) < slotOf(b) ? -1 : 1),
    );
  return first && (first.spec.config ?? {});
}

/** Whether a policy is about a filter, and not about something that the engine does itself. */
export function isFilter({ spec }: FilterPolicy): boolean {
  return spec.filter !== LOCAL_REPLIES;
}

/** 0 mesh, 1 namespace, 2 what it names. */
function scopeOf({ metadata, spec }: FilterPolicy, mesh: MeshSettings): number {
  if (spec.targetRefs !== undefined || spec.selector !== undefined) return 2;
  return metadata.namespace === mesh.rootNamespace ? 0 : 1;
}

/** Phase, then mesh before namespace before service, then age, then name. */
export function chainOf(
  policies: readonly FilterPolicy[],
  node: ProxyNode,
  mesh: MeshSettings,
): ChainFilters {
  const scope = (policy: FilterPolicy): number => scopeOf(policy, mesh);
  const phase = (p: FilterPolicy): FilterPhase =>
    p.spec.phase ?? node.filterPhases.get(p.spec.filter) ?? defaultPhase(p.spec.filter);
  const sorted = policies
    .filter(isFilter)
    .toSorted(
      (a, b) =>
        FILTER_PHASES.indexOf(phase(a)) - FILTER_PHASES.indexOf(phase(b)) ||
        scope(a) - scope(b) ||
        (createdMs(a.metadata) ?? Infinity) - (createdMs(b.metadata) ?? Infinity) ||
        (slotOf(a) < slotOf(b) ? -1 : 1),
    );
  const present = sorted.filter((p) => node.filters.has(p.spec.filter));
  const entry = (p: FilterPolicy): FilterEntry => ({
    name: slotOf(p),
    filter: p.spec.filter,
    config: p.spec.config ?? {},
    ...(p.spec.mandatory === true ? { mandatory: true } : {}),
    ...(p.spec.failOpen === true ? { failOpen: true } : {}),
  });
  return {
    localReplies: localRepliesOf(policies, mesh),
    connection: present.filter((p) => phase(p) === 'connection').map(entry),
    http: present.filter((p) => phase(p) !== 'connection').map((p) => ({ phase: phase(p), entry: entry(p) })),
    lacking: sorted.filter((p) => p.spec.mandatory === true && !node.filters.has(p.spec.filter)).map(slotOf),
  };
}
