import {
  refOf,
  resourceKey,
  resourceVersion,
  SERVICE_NAME_LABEL,
  serviceSelects,
  type Kind,
  type Resource,
  type ResourceOf,
  type Service,
  type Workload,
  type EndpointSlice,
  type HTTPRoute,
} from '@tulle/resources';

/** A resource with its owner and version. */
export interface Held {
  readonly resource: Resource;
  readonly owner: string;
  readonly version: string;
}

/** What a change touched: keys of Services (`ns/name`), and namespaces whose inbound side may differ (`*`: all). */
export interface Touched {
  readonly services: Set<string>;
  readonly inbound: Set<string>;
}

/** All resources, indexed for the compiler. Knows nothing of proxies. */
export class World {
  readonly #held = new Map<string, Held>();
  readonly #kinds = new Map<string, Map<string, Resource>>();
  /** Parents (`ns/name`) → routes; backends → routes. */
  readonly #routesOf = new Map<string, Set<HTTPRoute>>();
  readonly #routesTo = new Map<string, Set<HTTPRoute>>();
  readonly #rootNamespace: string;

  constructor(rootNamespace: string) {
    this.#rootNamespace = rootNamespace;
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

  routesOf(service: string): Iterable<HTTPRoute> {
    return this.#routesOf.get(service) ?? [];
  }

  slicesOf(service: Service): EndpointSlice[] {
    return [...this.in('EndpointSlice', service.metadata.namespace)].filter(
      (s) => s.metadata.labels?.[SERVICE_NAME_LABEL] === service.metadata.name,
    );
  }

  workloadsOf(service: Service): Workload[] {
    return [...this.in('Workload', service.metadata.namespace)].filter((w) =>
      serviceSelects(service, w.metadata.labels),
    );
  }

  servicesSelecting(namespace: string, labels: Readonly<Record<string, string>> | undefined): Service[] {
    return [...this.in('Service', namespace)].filter((s) => serviceSelects(s, labels));
  }

  /** @returns whether anything changed */
  put(resource: Resource, owner: string, touched: Touched): boolean {
    const key = resourceKey(refOf(resource));
    const before = this.#held.get(key);
    const version = resourceVersion(resource);
    if (before?.version === version && before.owner === owner) return false;
    if (before !== undefined) this.#unindex(before.resource, touched);
    this.#held.set(key, { resource, owner, version });
    this.#index(resource);
    this.#touch(resource, touched);
    return before?.version !== version;
  }

  remove(key: string, touched: Touched): boolean {
    const before = this.#held.get(key);
    if (before === undefined) return false;
    this.#held.delete(key);
    this.#unindex(before.resource, touched);
    return true;
  }

  #index(resource: Resource): void {
    const at = `${resource.kind}/${resource.metadata.namespace}`;
    const list = this.#kinds.get(at) ?? new Map<string, Resource>();
    this.#kinds.set(at, list);
    list.set(resource.metadata.name, resource);
    if (resource.kind === 'HTTPRoute') {
      for (const key of parentsOf(resource)) addTo(this.#routesOf, key, resource);
      for (const key of backendsOf(resource)) addTo(this.#routesTo, key, resource);
    }
  }

  #unindex(resource: Resource, touched: Touched): void {
    this.#touch(resource, touched);
    const at = `${resource.kind}/${resource.metadata.namespace}`;
    this.#kinds.get(at)?.delete(resource.metadata.name);
    if (resource.kind === 'HTTPRoute') {
      for (const key of parentsOf(resource)) removeFrom(this.#routesOf, key, resource);
      for (const key of backendsOf(resource)) removeFrom(this.#routesTo, key, resource);
    }
  }

  /** Marks what depends on a resource. */
  #touch(resource: Resource, { services, inbound }: Touched): void {
    const { namespace, name, labels } = resource.metadata;
    const policyScope = (): void => void inbound.add(namespace === this.#rootNamespace ? '*' : namespace);
    switch (resource.kind) {
      case 'Service':
        services.add(`${namespace}/${name}`);
        for (const route of this.#routesTo.get(`${namespace}/${name}`) ?? [])
          for (const parent of parentsOf(route)) services.add(parent);
        inbound.add(namespace);
        return;
      case 'Workload':
        for (const service of this.servicesSelecting(namespace, labels))
          services.add(`${namespace}/${service.metadata.name}`);
        return;
      case 'EndpointSlice':
        services.add(`${namespace}/${labels?.[SERVICE_NAME_LABEL] ?? ''}`);
        return;
      case 'HTTPRoute':
        for (const parent of parentsOf(resource)) services.add(parent);
        return;
      case 'ReferenceGrant':
        for (const { namespace: from } of resource.spec.from)
          for (const route of this.in('HTTPRoute', from))
            for (const parent of parentsOf(route)) services.add(parent);
        return;
      case 'AuthorizationPolicy':
        return policyScope();
      case 'TrafficPolicy':
      case 'FilterPolicy':
        for (const target of resource.spec.targetRefs ?? []) {
          if (target.kind === 'Service') services.add(`${namespace}/${target.name}`);
          const route =
            target.kind === 'HTTPRoute' ? this.get('HTTPRoute', namespace, target.name) : undefined;
          if (route !== undefined) for (const parent of parentsOf(route)) services.add(parent);
        }
        if (resource.kind === 'FilterPolicy' && resource.spec.direction !== 'outbound') policyScope();
    }
  }
}

function parentsOf(route: HTTPRoute): string[] {
  return route.spec.parentRefs.map((p) => `${p.namespace ?? route.metadata.namespace}/${p.name}`);
}

function backendsOf(route: HTTPRoute): string[] {
  return (route.spec.rules ?? []).flatMap((r) =>
    (r.backendRefs ?? []).map((b) => `${b.namespace ?? route.metadata.namespace}/${b.name}`),
  );
}

function addTo<K, V>(map: Map<K, Set<V>>, key: K, value: V): void {
  const set = map.get(key);
  if (set === undefined) map.set(key, new Set([value]));
  else set.add(value);
}

function removeFrom<K, V>(map: Map<K, Set<V>>, key: K, value: V): void {
  const set = map.get(key);
  set?.delete(value);
  if (set?.size === 0) map.delete(key);
}
