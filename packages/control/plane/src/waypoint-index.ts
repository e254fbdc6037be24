import { GATEWAY_NAME_LABEL, waypointOf, type Resource, type Service, type Workload } from '@tulle/resources';
import { accountOf } from './endpoint-right.ts';
import { gatewayKey } from './parents.ts';
import { addTo, removeFrom } from './sets.ts';

/** Which Services ask for which waypoints, and which processes serve these; by {@link gatewayKey}. */
export class WaypointIndex {
  readonly #users = new Map<string, Set<Service>>();
  readonly #instances = new Map<string, Set<Workload>>();

  add(resource: Resource): void {
    if (resource.kind === 'Service') each(waypointKey(resource), (key) => addTo(this.#users, key, resource));
    if (resource.kind === 'Workload')
      each(servedBy(resource), (key) => addTo(this.#instances, key, resource));
  }

  remove(resource: Resource): void {
    if (resource.kind === 'Service')
      each(waypointKey(resource), (key) => removeFrom(this.#users, key, resource));
    if (resource.kind === 'Workload')
      each(servedBy(resource), (key) => removeFrom(this.#instances, key, resource));
  }

  /** Services that ask for a waypoint, be they taken or not, by namespace and name. */
  usersOf(waypoint: string): Service[] {
    return [...(this.#users.get(waypoint) ?? [])].toSorted(byName);
  }

  /** Workloads that its processes have made, by name. */
  instancesOf(waypoint: string): Workload[] {
    return [...(this.#instances.get(waypoint) ?? [])].toSorted(byName);
  }
}

/** {@link gatewayKey} of the waypoint that a Service asks for. */
export function waypointKey(service: Service): string | undefined {
  const waypoint = waypointOf(service);
  return waypoint && gatewayKey(waypoint);
}

/** {@link gatewayKey} of the waypoint whose process a Workload is: its account is that of the Gateway, as its label says. */
export function servedBy(workload: Workload): string | undefined {
  const { namespace, labels } = workload.metadata;
  const name = labels?.[GATEWAY_NAME_LABEL];
  return name === undefined || accountOf(workload) !== `${namespace}/${name}`
    ? undefined
    : gatewayKey({ namespace, name });
}

function each(key: string | undefined, work: (key: string) => void): void {
  if (key !== undefined) work(key);
}

function byName({ metadata: a }: Resource, { metadata: b }: Resource): number {
  return `${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1;
}
