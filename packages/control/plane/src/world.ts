import {
  isConnectionRouteKind,
  isRouteKind,
  mergeGateway,
  refOf,
  resourceKey,
  resourceVersion,
  SERVICE_NAME_LABEL,
  serviceSelects,
  type AnyRoute,
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
import { touchDatagrams } from './datagram-services.ts';
import { accountOf, whyNotTaken, type LeftOut, type MayClaim } from './endpoint-right.ts';
import { isJoined, joinedOwner } from './owners.ts';
import { Forwarders } from './forwarders.ts';
import { gatewayKey, gatewayOf, listenerSetKey, parentKeys, parentsOf } from './parents.ts';
import { addTo, removeFrom } from './sets.ts';
import { ServiceSelectors } from './service-selectors.ts';
import { servedBy, waypointKey, WaypointIndex } from './waypoint-index.ts';

/** A resource with its owner and version. */
export interface Held {
  readonly resource: Resource;
  readonly owner: string;
  readonly version: string;
  /** Counts the changes of its content since this control plane started; 1 for one that never changed. */
  readonly generation: number;
}

/** What a change touched. */
export interface Touched {
  /** Keys of Services (`ns/name`) and Gateways ({@link gatewayKey}) whose callers, or processes, may be concerned. */
  readonly services: Set<string>;
  /** Namespaces whose inbound sides may be concerned, and whatever asks what they ask; `*`: all. */
  readonly inbound: Set<string>;
  /** Namespaces whose workloads may take calls from other waypoints than before. */
  readonly guards: Set<string>;
  /** Services, as they were or are: the inbound sides of what they select may be concerned. */
  readonly selecting: Set<Service>;
}

export function nothingTouched(): Touched {
  return { services: new Set(), inbound: new Set(), guards: new Set(), selecting: new Set() };
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
    this.#touchedBy(resource, { ...touched, services });
    for (const service of services) {
      touched.services.add(service);
      this.#stamps.set(service, (this.#stamps.get(service) ?? 0) + 1);
    }
  }

  #touchedBy(resource: Resource, { services, inbound, guards, selecting }: Touched): void {
    const { namespace, name } = resource.metadata;
    const policyScope = (): void => void inbound.add(namespace === this.#rootNamespace ? '*' : namespace);
    switch (resource.kind) {
      case 'Service': {
        services.add(`${namespace}/${name}`); // whom routes lead there depends on it by name, also before it is there
        services.add(EVERY_SERVICE);
        selecting.add(resource);
        const waypoint = waypointKey(resource);
        if (waypoint !== undefined) {
          services.add(waypoint);
          guards.add(namespace); // by slices it may lead to whom it does not select
        }
        return;
      }
      case 'Workload':
        services.add(EVERY_WORKLOAD);
        if (this.#gateways.has(`Gateway/${provenAccount(resource)}`)) inbound.add('*'); // its word counts no more, or again
        for (const { metadata: of } of this.servicesWith(resource))
          services.add(`${of.namespace}/${of.name}`);
        this.#touchWaypoint(servedBy(resource), services);
        return;
      case 'EndpointSlice': {
        services.add(serviceOf(resource));
        // A waypoint before these asks what policies for any of their Services say.
        for (const key of workloadsIn(resource)) {
          const workload = this.#held.get(`Workload/${key}`)?.resource;
          for (const { metadata: of } of workload === undefined ? [] : this.servicesWith(workload))
            services.add(`${of.namespace}/${of.name}`);
        }
        const service = this.get('Service', namespace, resource.metadata.labels?.[SERVICE_NAME_LABEL] ?? '');
        if (service !== undefined && waypointKey(service) !== undefined) guards.add(namespace);
        return;
      }
      case 'HTTPRoute':
      case 'GRPCRoute':
      case 'TLSRoute':
      case 'TCPRoute':
      case 'UDPRoute':
        this.#touchParents(resource, services);
        return;
      case 'ListenerSet':
        services.add(listenerSetKey(resource.metadata));
        services.add(gatewayOf(resource));
        return;
      case 'Gateway':
        this.#touchWaypoint(gatewayKey(resource.metadata), services);
        inbound.add('*'); // everybody believes what it says of callers
        return;
      case 'BackendTLSPolicy':
      case 'XBackendTrafficPolicy':
        for (const target of resource.spec.targetRefs) services.add(`${namespace}/${target.name}`);
        return;
      case 'ConfigMap':
        for (const policy of this.in('BackendTLSPolicy', namespace))
          if (policy.spec.validation.caCertificateRefs?.some((ref) => ref.name === name) === true)
            for (const target of policy.spec.targetRefs) services.add(`${namespace}/${target.name}`);
        for (const gateway of this.#gateways.values())
          if (believes(gateway, namespace, name)) services.add(gatewayKey(gateway.metadata));
        return;
      case 'ReferenceGrant':
        for (const { namespace: from, kind } of resource.spec.from) {
          if (kind === 'Gateway')
            for (const gateway of this.in('Gateway', from)) services.add(gatewayKey(gateway.metadata));
          if (kind === 'ListenerSet')
            for (const set of this.in('ListenerSet', from)) services.add(gatewayOf(set));
          const routes: Iterable<AnyRoute> =
            isRouteKind(kind) || isConnectionRouteKind(kind) ? this.in(kind, from) : [];
          for (const route of routes) this.#touchParents(route, services);
        }
        return;
      case 'AuthorizationPolicy':
      case 'PeerAuthentication':
        touchDatagrams(this, resource, this.#rootNamespace, services);
        return policyScope();
      case 'TrafficPolicy':
      case 'FilterPolicy':
        for (const target of resource.spec.targetRefs ?? []) {
          if (target.kind === 'Service') services.add(`${namespace}/${target.name}`);
          if (target.kind === 'Gateway') services.add(gatewayKey({ namespace, name: target.name }));
          const set =
            target.kind === 'ListenerSet' ? this.get('ListenerSet', namespace, target.name) : undefined;
          if (set !== undefined) services.add(gatewayOf(set));
          const route: RequestRoute | undefined = isRouteKind(target.kind)
            ? this.get(target.kind, namespace, target.name)
            : undefined;
          if (route !== undefined) this.#touchParents(route, services);
        }
        if (resource.kind === 'FilterPolicy' && resource.spec.direction !== 'outbound') policyScope();
    }
  }

  /** A Gateway, and the Services that ask for it as their waypoint. @param gateway {@link gatewayKey} */
  #touchWaypoint(gateway: string | undefined, services: Set<string>): void {
    if (gateway === undefined) return;
    services.add(gateway);
    for (const { metadata } of this.waypoints.usersOf(gateway))
      services.add(`${metadata.namespace}/${metadata.name}`);
  }

  /** What a route is attached to, and the Gateways of ListenerSets among it. */
  #touchParents(route: AnyRoute, services: Set<string>): void {
    for (const key of parentsOf(route)) {
      services.add(key);
      const held = key.startsWith('ListenerSet/') ? this.#held.get(key)?.resource : undefined;
      if (held?.kind === 'ListenerSet') services.add(gatewayOf(held));
    }
  }
}

/** Whether a Gateway asks callers for certificates by a ConfigMap. */
function believes({ spec, metadata }: Gateway, namespace: string, name: string): boolean {
  const { frontend } = spec.tls ?? {};
  const all =
    frontend === undefined ? [] : [frontend.default, ...(frontend.perPort ?? []).map(({ tls }) => tls)];
  return all.some(({ validation }) =>
    validation?.caCertificateRefs.some(
      (ref) => ref.name === name && (ref.namespace ?? metadata.namespace) === namespace,
    ),
  );
}

function byName(a: Resource, b: Resource): number {
  return a.metadata.name < b.metadata.name ? -1 : 1;
}

/** Who may call every Service there is depends on this, as on each of them. */
export const EVERY_SERVICE = 'Service/*';

/** What depends on every Workload there is depends on this. */
export const EVERY_WORKLOAD = 'Workload/*';

function isRoute(resource: Resource): resource is RequestRoute {
  return isRouteKind(resource.kind);
}

function isConnectionRoute(resource: Resource): resource is ConnectionRoute {
  return isConnectionRouteKind(resource.kind);
}

/** `namespace/name` of the account that a Workload's sidecar proves to have, also when it is written as an identity. */
function provenAccount(workload: Workload): string {
  const [, namespace, name] = /\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(workload.spec.identity ?? '') ?? [];
  return name === undefined
    ? `${workload.metadata.namespace}/${workload.spec.serviceAccount ?? 'default'}`
    : `${namespace}/${name}`;
}

function serviceOf({ metadata }: EndpointSlice): string {
  return `${metadata.namespace}/${metadata.labels?.[SERVICE_NAME_LABEL] ?? ''}`;
}

/** `namespace/name` of the Workloads that a slice leads to. */
export function workloadsIn({ metadata, endpoints }: EndpointSlice): string[] {
  return endpoints.flatMap(({ targetRef }) =>
    targetRef?.kind === 'Workload' && targetRef.name !== undefined
      ? [`${targetRef.namespace ?? metadata.namespace}/${targetRef.name}`]
      : [],
  );
}
