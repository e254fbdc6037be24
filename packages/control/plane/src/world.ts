import {
  isConnectionRouteKind,
  isRouteKind,
  mergeGateway,
  refOf,
  resourceKey,
  resourceVersion,
  SERVICE_NAME_LABEL,
  serviceSelects,
  waypointProblem,
  type ConnectionRoute,
  type RequestRoute,
  type Gateway,
  type Kind,
  type ListenerSet,
  type MergedGateway,
  type Resource,
  type ResourceOf,
  type Service,
  type Workload,
  type EndpointSlice,
} from '@tulle/resources';
import { Claims } from './claims.ts';
import { accountOf, whyNotTaken, type LeftOut, type MayClaim } from './endpoint-right.ts';
import { isJoined, joinedOwner } from './owners.ts';
import { Forwarders, provenAccount } from './forwarders.ts';
import { gatewayKey, gatewayOf, parentKeys, parentsOf } from './parents.ts';
import { addTo, removeFrom } from './sets.ts';
import { ServiceSelectors } from './service-selectors.ts';
import { workloadsIn } from './slices.ts';
import { touchBy, type Touched } from './touched.ts';
import { waypointKey, WaypointIndex } from './waypoint-index.ts';

/** A resource with its owner and version. */
export interface Held {
  readonly resource: Resource;
  readonly owner: string;
  readonly version: string;
  /** Counts the changes of its content since this control plane started; 1 for one that never changed. */
  readonly generation: number;
}

/** What became of a resource. */
export type Changed = (kind: Kind, event: 'add' | 'update' | 'delete') => void;

/** A Workload, as Services find it. */
interface Named {
  readonly metadata: Pick<Workload['metadata'], 'namespace' | 'name' | 'labels'>;
}

/** All resources, indexed for the compiler. Knows nothing of proxies. */
export class World {
  readonly #held = new Map<string, Held>();
  readonly #kinds = new Map<string, Map<string, Resource>>();
  /** Parents (`ns/name` of Services, {@link gatewayKey}, {@link listenerSetKey}) → routes. */
  readonly #routesOf = new Map<string, Set<RequestRoute>>();
  /** {@link gatewayKey}, {@link listenerSetKey} → routes of connections. */
  readonly #connectionRoutesOf = new Map<string, Set<ConnectionRoute>>();
  readonly #gateways = new Map<string, Gateway>();
  /** {@link gatewayKey} → ListenerSets that name it, be they taken or not. */
  readonly #listenerSetsOf = new Map<string, Set<ListenerSet>>();
  /** {@link gatewayKey} → the Gateway with its ListenerSets, until one of these changes. */
  readonly #merged = new Map<string, MergedGateway>();
  /** Workloads → slices with an endpoint that is one of them. */
  readonly #slicesTo = new Map<string, Set<EndpointSlice>>();
  /** How often each Service was touched. */
  readonly #stamps = new Map<string, number>();
  readonly #selectors = new ServiceSelectors();
  readonly forwarders: Forwarders = new Forwarders();
  readonly waypoints: WaypointIndex = new WaypointIndex();
  readonly #claims: Claims;
  readonly #rootNamespace: string;
  readonly #changed: Changed;

  /**
   * @param mayClaim by whose word a joined Workload has its labels; default: nobody's
   * @param changed told of each resource that comes, changes or goes
   */
  constructor(rootNamespace: string, mayClaim: MayClaim = () => false, changed: Changed = () => {}) {
    this.#rootNamespace = rootNamespace;
    this.#changed = changed;
    this.#claims = new Claims(mayClaim);
  }

  /** A number that is another one once any of these Services was touched. */
  stamp(services: Iterable<string>): number {
    let sum = 0;
    for (const service of services) sum += this.#stamps.get(service) ?? 0;
    return sum;
  }

  get size(): number {
    return this.#held.size;
  }

  count(kind: Kind): number {
    let sum = 0;
    for (const [at, resources] of this.#kinds) if (at.startsWith(`${kind}/`)) sum += resources.size;
    return sum;
  }

  held(key: string): Held | undefined {
    return this.#held.get(key);
  }

  entries(): IterableIterator<[string, Held]> {
    return this.#held.entries();
  }

  get<K extends Kind>(kind: K, namespace: string, name: string): ResourceOf<K> | undefined {
    return this.#held.get(resourceKey({ kind, namespace, name }))?.resource as ResourceOf<K> | undefined;
  }

  /** Resources of a kind in a namespace. */
  in<K extends Kind>(kind: K, namespace: string): Iterable<ResourceOf<K>> {
    return (this.#kinds.get(`${kind}/${namespace}`)?.values() ?? []) as Iterable<ResourceOf<K>>;
  }

  /** Of every namespace. */
  *services(): Iterable<Service> {
    for (const [at, resources] of this.#kinds)
      if (at.startsWith('Service/')) yield* resources.values() as Iterable<Service>;
  }

  /** Of every namespace. */
  *workloads(): Iterable<Workload> {
    for (const [at, resources] of this.#kinds)
      if (at.startsWith('Workload/')) yield* resources.values() as Iterable<Workload>;
  }

  /** The Gateway that a Service asks for as its waypoint; `undefined`: it asks for none, or that is not there. */
  waypointOf(service: Service): Gateway | undefined {
    const key = waypointKey(service);
    return key === undefined ? undefined : this.#gateways.get(key);
  }

  /** The waypoint through which a Service is called; `undefined`: it asks for none, or for one that is none for it. */
  waypointBefore(service: Service): Gateway | undefined {
    const gateway = this.waypointOf(service);
    return gateway !== undefined && waypointProblem(gateway, service) === undefined ? gateway : undefined;
  }

  /** Of every namespace. */
  gateways(): Iterable<Gateway> {
    return this.#gateways.values();
  }

  /** @param parent `ns/name` of a Service, {@link gatewayKey} or {@link listenerSetKey} */
  routesOf(parent: string): Iterable<RequestRoute> {
    return this.#routesOf.get(parent) ?? [];
  }

  /** @param parent {@link gatewayKey} or {@link listenerSetKey} */
  connectionRoutesOf(parent: string): Iterable<ConnectionRoute> {
    return this.#connectionRoutesOf.get(parent) ?? [];
  }

  /** ListenerSets that name a Gateway, be they taken or not. @param gateway {@link gatewayKey} */
  listenerSetsOf(gateway: string): Iterable<ListenerSet> {
    return this.#listenerSetsOf.get(gateway) ?? [];
  }

  /** A Gateway with the listeners of the ListenerSets that it takes. */
  merged(gateway: Gateway): MergedGateway {
    const key = gatewayKey(gateway.metadata);
    const known = this.#merged.get(key);
    if (known?.gateway === gateway) return known;
    const merged = mergeGateway(gateway, this.listenerSetsOf(key));
    this.#merged.set(key, merged);
    return merged;
  }

  /** Routes that name a Gateway or a ListenerSet that it takes, each once. */
  routesAt(merged: MergedGateway): RequestRoute[] {
    return [...new Set(parentKeys(merged).flatMap((key) => [...this.routesOf(key)]))];
  }

  /** Routes of connections that name a Gateway or a ListenerSet that it takes, each once. */
  connectionRoutesAt(merged: MergedGateway): ConnectionRoute[] {
    return [...new Set(parentKeys(merged).flatMap((key) => [...this.connectionRoutesOf(key)]))];
  }

  /** By name. */
  slicesOf(service: Service): EndpointSlice[] {
    return [...this.in('EndpointSlice', service.metadata.namespace)]
      .filter((s) => s.metadata.labels?.[SERVICE_NAME_LABEL] === service.metadata.name)
      .sort(byName);
  }

  /** Those that a Service takes, by name. */
  workloadsOf(service: Service): Workload[] {
    return [...this.in('Workload', service.metadata.namespace)]
      .filter(
        (w) => serviceSelects(service, w.metadata.labels) && this.#whyNotTaken(service, w) === undefined,
      )
      .sort(byName);
  }

  /** Whom Services select and do not take (docs/decisions/007), by Service (`ns/name`). */
  leftOut(): Map<string, LeftOut[]> {
    const found = new Map<string, LeftOut[]>();
    for (const { resource, owner } of this.#held.values()) {
      if (resource.kind !== 'Workload' || !isJoined(owner)) continue;
      const { namespace, name, labels } = resource.metadata;
      for (const service of this.servicesSelecting(namespace, labels)) {
        const reason = this.#whyNotTaken(service, resource);
        if (reason === undefined) continue;
        const key = `${namespace}/${service.metadata.name}`;
        const list = found.get(key) ?? [];
        found.set(key, list);
        list.push({ workload: `${namespace}/${name}`, serviceAccount: accountOf(resource), reason });
      }
    }
    return found;
  }

  #whyNotTaken(service: Service, workload: Workload): string | undefined {
    const owner = this.#held.get(resourceKey(refOf(workload)))?.owner;
    // What a person wrote by hand is not judged: whoever may apply it may change the Service too.
    return owner !== undefined && isJoined(owner)
      ? whyNotTaken(service, workload, this.#claims.may)
      : undefined;
  }

  /**
   * Asks again what an owner's Workloads may claim.
   * @returns their keys when it is another than before; the Services that select them are touched then
   */
  reviewClaims(owner: string, touched: Touched): string[] {
    const account = owner.slice(joinedOwner('').length);
    const [namespace = ''] = account.split('/');
    const own = [...this.in('Workload', namespace)].filter(
      (workload) => this.#held.get(resourceKey(refOf(workload)))?.owner === owner,
    );
    if (own.length === 0) this.#claims.forget(account);
    if (!this.#claims.review(account)) return [];
    for (const workload of own) this.#touch(workload, touched);
    return own.map((workload) => resourceKey(refOf(workload)));
  }

  /** Services of which a Workload is an endpoint, by label or by a slice. */
  servicesWith({ metadata: { namespace, name, labels } }: Named): Service[] {
    const bySlice = [...(this.#slicesTo.get(`${namespace}/${name}`) ?? [])].flatMap(
      (slice) =>
        this.get('Service', slice.metadata.namespace, slice.metadata.labels?.[SERVICE_NAME_LABEL] ?? '') ??
        [],
    );
    return [...new Set([...this.servicesSelecting(namespace, labels), ...bySlice])];
  }

  servicesSelecting(namespace: string, labels: Readonly<Record<string, string>> | undefined): Service[] {
    return this.#selectors.selecting(namespace, labels);
  }

  /** @returns whether anything changed */
  put(resource: Resource, owner: string, touched: Touched): boolean {
    const key = resourceKey(refOf(resource));
    const before = this.#held.get(key);
    const version = resourceVersion(resource);
    if (before?.version === version && before.owner === owner) return false;
    if (before !== undefined) this.#unindex(before.resource, touched);
    const generation = (before?.generation ?? 0) + (before?.version === version ? 0 : 1);
    this.#held.set(key, { resource, owner, version, generation });
    this.#index(resource);
    this.#touch(resource, touched);
    if (before?.version !== version) this.#changed(resource.kind, before === undefined ? 'add' : 'update');
    return before?.version !== version;
  }

  remove(key: string, touched: Touched): boolean {
    const before = this.#held.get(key);
    if (before === undefined) return false;
    this.#held.delete(key);
    this.#unindex(before.resource, touched);
    this.#changed(before.resource.kind, 'delete');
    return true;
  }

  #index(resource: Resource): void {
    const at = `${resource.kind}/${resource.metadata.namespace}`;
    const list = this.#kinds.get(at) ?? new Map<string, Resource>();
    this.#kinds.set(at, list);
    list.set(resource.metadata.name, resource);
    if (resource.kind === 'Service') this.#selectors.add(resource);
    this.waypoints.add(resource);
    if (resource.kind === 'Gateway') this.#gateways.set(gatewayKey(resource.metadata), resource);
    if (resource.kind === 'ListenerSet') addTo(this.#listenerSetsOf, gatewayOf(resource), resource);
    this.#forgetMerged(resource);
    if (resource.kind === 'Workload' && resource.spec.inbound.mode === 'sidecar')
      this.forwarders.addWorkload(provenAccount(resource), resourceKey(refOf(resource)));
    if (isRoute(resource)) for (const key of parentsOf(resource)) addTo(this.#routesOf, key, resource);
    if (isConnectionRoute(resource))
      for (const key of parentsOf(resource)) addTo(this.#connectionRoutesOf, key, resource);
    if (resource.kind === 'EndpointSlice')
      for (const key of workloadsIn(resource)) addTo(this.#slicesTo, key, resource);
  }

  #unindex(resource: Resource, touched: Touched): void {
    this.#touch(resource, touched);
    const at = `${resource.kind}/${resource.metadata.namespace}`;
    this.#kinds.get(at)?.delete(resource.metadata.name);
    if (resource.kind === 'Service') this.#selectors.remove(resource);
    this.waypoints.remove(resource);
    if (resource.kind === 'Gateway') this.#gateways.delete(gatewayKey(resource.metadata));
    if (resource.kind === 'ListenerSet') removeFrom(this.#listenerSetsOf, gatewayOf(resource), resource);
    this.#forgetMerged(resource);
    if (resource.kind === 'Workload')
      this.forwarders.removeWorkload(provenAccount(resource), resourceKey(refOf(resource)));
    if (isRoute(resource)) for (const key of parentsOf(resource)) removeFrom(this.#routesOf, key, resource);
    if (isConnectionRoute(resource))
      for (const key of parentsOf(resource)) removeFrom(this.#connectionRoutesOf, key, resource);
    if (resource.kind === 'EndpointSlice')
      for (const key of workloadsIn(resource)) removeFrom(this.#slicesTo, key, resource);
  }

  /** The listeners of the Gateway that it is, or whose it is, are others than before. */
  #forgetMerged(resource: Resource): void {
    if (resource.kind === 'Gateway') this.#merged.delete(gatewayKey(resource.metadata));
    if (resource.kind === 'ListenerSet') this.#merged.delete(gatewayOf(resource));
  }

  /** Marks what depends on a resource. */
  #touch(resource: Resource, touched: Touched): void {
    const services = new Set<string>();
    touchBy(this, this.#rootNamespace, resource, { ...touched, services });
    for (const service of services) {
      touched.services.add(service);
      this.#stamps.set(service, (this.#stamps.get(service) ?? 0) + 1);
    }
  }
}

function byName(a: Resource, b: Resource): number {
  return a.metadata.name < b.metadata.name ? -1 : 1;
}

function isRoute(resource: Resource): resource is RequestRoute {
  return isRouteKind(resource.kind);
}

function isConnectionRoute(resource: Resource): resource is ConnectionRoute {
  return isConnectionRouteKind(resource.kind);
}
