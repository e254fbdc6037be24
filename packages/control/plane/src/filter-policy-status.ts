import type { FilterPolicy } from '@tulle/resources';
import type { MeshSettings } from './compile/clusters.ts';
import { inboundFilters, isFilter, outboundFilters, type ChainFilters } from './compile/filters.ts';
import { filtersOfGateway } from './compile/gateway-filters.ts';
import type { Condition } from './condition.ts';
import type { ProxyNode } from './node.ts';
import type { ProxySession } from './proxy-session.ts';
import type { World } from './world.ts';

/** Whether the proxies that a FilterPolicy is for have its filter (decision D9). */
export interface FilterPolicyStatus {
  /** `namespace/name`. */
  readonly name: string;
  readonly accepted: boolean;
  /** Node ids of the proxies that lack it. They run without it, or refuse their traffic where it is mandatory. */
  readonly lacking: readonly string[];
  readonly conditions: readonly Condition[];
}

/** The filters of one that has every filter there could be. */
class EveryFilter extends Set<string> {
  override has(): boolean {
    return true;
  }
}

/**
 * @param only the policies to look at; default all
 */
export function filterPolicyStatus(
  world: World,
  sessions: ReadonlyMap<string, ProxySession>,
  mesh: MeshSettings,
  only: readonly FilterPolicy[] = policiesOf(world),
): FilterPolicyStatus[] {
  const lacking = new Map<FilterPolicy, string[]>(only.map((policy) => [policy, []]));
  for (const { node } of sessions.values()) {
    const absent = only.filter((policy) => isFilter(policy) && !node.filters.has(policy.spec.filter));
    if (absent.length === 0) continue;
    const wanted = slotsOf(world, node, mesh);
    for (const policy of absent) if (wanted.has(nameOf(policy))) lacking.get(policy)?.push(node.id);
  }
  return [...lacking].map(([policy, ids]) => ({
    name: nameOf(policy),
    accepted: ids.length === 0,
    lacking: ids,
    conditions: [accepted(policy, ids)],
  }));
}

function policiesOf(world: World): FilterPolicy[] {
  return [...world.entries()].flatMap(([, { resource }]) =>
    resource.kind === 'FilterPolicy' ? [resource] : [],
  );
}

/** Policies whose filters would be in the chains of a proxy, had it all of them. */
function slotsOf(world: World, of: ProxyNode, mesh: MeshSettings): Set<string> {
  const node = { ...of, filters: new EveryFilter() };
  const slots = new Set<string>();
  const add = ({ connection, http }: ChainFilters): void => {
    for (const { name } of [...connection, ...http.map(({ entry }) => entry)]) slots.add(name);
  };
  const atGateway = filtersOfGateway(world, node, mesh);
  if (atGateway !== undefined) add(atGateway);
  if (node.ports.length > 0)
    add(inboundFilters(world, node, world.servicesSelecting(node.namespace, node.labels), mesh));
  for (const { service } of node.upstreams) {
    const [name = '', namespace = node.namespace] = service.split('.');
    const found = world.get('Service', namespace, name);
    if (found !== undefined)
      add(outboundFilters(world, node, found, [...world.routesOf(`${namespace}/${name}`)], mesh));
  }
  return slots;
}

const nameOf = ({ metadata }: FilterPolicy): string => `${metadata.namespace}/${metadata.name}`;

function accepted({ spec }: FilterPolicy, lacking: readonly string[]): Condition {
  if (lacking.length === 0)
    return {
      type: 'Accepted',
      status: 'True',
      reason: 'FilterPresent',
      message: `no connected proxy that it is for lacks ${spec.filter}`,
    };
  return {
    type: 'Accepted',
    status: 'False',
    reason: 'FilterAbsent',
    message: `${spec.filter} is lacking in ${lacking.join(', ')}`,
  };
}
