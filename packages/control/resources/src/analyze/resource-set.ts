import { mergeGateway, type MergedGateway } from '../gateway/merged.ts';
import { GATEWAY_GROUP, type Gateway } from '../kinds/gateway.ts';
import type { ReferenceGrant } from '../kinds/reference-grant.ts';
import { CONNECTION_ROUTE_KINDS, type AnyRoute, type ConnectionRoute, type RequestRoute } from '../routes.ts';
import {
  resourceKey,
  refOf,
  type Kind,
  type LocatedResource,
  type Resource,
  type ResourceOf,
  type ResourceRef,
} from '../resource.ts';

/** Policies without target in this namespace hold for the mesh; what the control plane takes by default. */
export const ROOT_NAMESPACE = 'tulle-system';

/** Resources to look things up in. */
export class ResourceSet {
  readonly #byKey = new Map<string, Resource>();
  readonly #byKind = new Map<Kind, Resource[]>();

  readonly #unreadable: ReadonlySet<string>;

  /** @param unreadable resources that exist but of which only the name is known */
  constructor(resources: Iterable<Resource>, unreadable: Iterable<ResourceRef> = []) {
    this.#unreadable = new Set([...unreadable].map(resourceKey));
    for (const resource of resources) {
      const key = resourceKey(refOf(resource));
      if (this.#byKey.has(key)) continue;
      this.#byKey.set(key, resource);
      const list = this.#byKind.get(resource.kind);
      if (list === undefined) this.#byKind.set(resource.kind, [resource]);
      else list.push(resource);
    }
  }

  get<K extends Kind>(kind: K, namespace: string, name: string): ResourceOf<K> | undefined {
    return this.#byKey.get(resourceKey({ kind, namespace, name })) as ResourceOf<K> | undefined;
  }

  /** Whether it exists but cannot be looked into. */
  isUnreadable(kind: Kind, namespace: string, name: string): boolean {
    return this.#unreadable.has(resourceKey({ kind, namespace, name }));
  }

  all<K extends Kind>(kind: K): readonly ResourceOf<K>[] {
    return (this.#byKind.get(kind) ?? []) as readonly Resource[] as readonly ResourceOf<K>[];
  }

  /** A Gateway with the listeners that ListenerSets add. */
  merged(gateway: Gateway): MergedGateway {
    return mergeGateway(gateway, this.all('ListenerSet'));
  }

  /** Names of a kind in a namespace, for did-you-mean. */
  names(kind: Kind, namespace: string): string[] {
    return this.all(kind)
      .filter((r) => r.metadata.namespace === namespace)
      .map((r) => r.metadata.name);
  }
}

/** Who refers to what across namespaces: of the group of the Gateway API to the core group. */
export interface GrantedKinds {
  readonly from: AnyRoute['kind'] | 'Gateway' | 'ListenerSet';
  readonly to: 'Service' | 'Secret' | 'ConfigMap';
}

/** Whether something of namespace `from` may use `name` of `namespace` (Gateway API ReferenceGrant). */
export function isGranted(
  grants: Iterable<ReferenceGrant>,
  from: string,
  namespace: string,
  name: string,
  kinds: GrantedKinds,
): boolean {
  if (from === namespace) return true;
  for (const grant of grants) {
    if (grant.metadata.namespace !== namespace) continue;
    if (
      grant.spec.from.some(
        (f) => f.group === GATEWAY_GROUP && f.kind === kinds.from && f.namespace === from,
      ) &&
      grant.spec.to.some(
        (t) => t.group === '' && t.kind === kinds.to && (t.name === undefined || t.name === name),
      )
    )
      return true;
  }
  return false;
}

/** The located resources of a kind. */
export function located<K extends Kind>(
  resources: readonly LocatedResource[],
  kind: K,
): readonly LocatedResource<ResourceOf<K>>[] {
  return resources.filter(
    (r) => r.resource.kind === kind,
  ) as readonly LocatedResource[] as readonly LocatedResource<ResourceOf<K>>[];
}

/** The located routes of requests. */
export function locatedRoutes(
  resources: readonly LocatedResource[],
): readonly LocatedResource<RequestRoute>[] {
  return [...located(resources, 'HTTPRoute'), ...located(resources, 'GRPCRoute')];
}

/** The located routes of connections. */
export function locatedConnectionRoutes(
  resources: readonly LocatedResource[],
): readonly LocatedResource<ConnectionRoute>[] {
  return CONNECTION_ROUTE_KINDS.flatMap((kind) => located(resources, kind));
}
