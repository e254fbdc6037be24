import type { ProxyConfig } from '@tulle/model';
import type { Need } from '../decode/discovery-source.ts';
import type { ResourceModel, ResourceModels } from '../decode/resource.ts';
import { KINDS, type ResourceKind } from '../wire.ts';
import { addRetrySlots } from './retry-slots.ts';

/** A resource with the version under which the server knows it. */
export interface Held<Model extends ResourceModel = ResourceModel> {
  readonly version: string;
  readonly resource: Model;
  /** What it names that comes from elsewhere than the session's stream, or is waited for otherwise. */
  readonly needs?: readonly Need[];
  /** No server gave it, and none can replace it or take it away. */
  readonly fixed?: true;
}

/** Resources by kind and name. */
export type Store = { readonly [Kind in ResourceKind]: ReadonlyMap<string, Held<ResourceModels[Kind]>> };

/** A store under construction. */
export type DraftStore = { readonly [Kind in ResourceKind]: Map<string, Held<ResourceModels[Kind]>> };

export function emptyStore(): DraftStore {
  return { listener: new Map(), route: new Map(), cluster: new Map(), endpoint: new Map() };
}

export function copyStore(store: Store): DraftStore {
  return {
    listener: new Map(store.listener),
    route: new Map(store.route),
    cluster: new Map(store.cluster),
    endpoint: new Map(store.endpoint),
  };
}

export function storeSize(store: Store): number {
  return KINDS.reduce((sum, kind) => sum + store[kind].size, 0);
}

/** Whether both hold the very same resources. */
export function sameStore(a: Store, b: Store): boolean {
  return KINDS.every(
    (kind) =>
      a[kind].size === b[kind].size && [...a[kind]].every(([name, held]) => b[kind].get(name) === held),
  );
}

/** The configuration that a store stands for; resources by name, so that equal stores give equal configurations. */
export function configOf(store: Store, version: string): ProxyConfig {
  return {
    version,
    listeners: models(store.listener).map((listener) =>
      addRetrySlots(listener, (name) => store.route.get(name)?.resource),
    ),
    routes: models(store.route),
    clusters: models(store.cluster),
    endpoints: models(store.endpoint),
  };
}

/** The configuration that resources from elsewhere than a stream stand for; nothing of them is discovered. */
export function proxyConfigOf(
  { listeners, clusters }: Pick<ProxyConfig, 'listeners' | 'clusters'>,
  version: string,
): ProxyConfig {
  const store = emptyStore();
  for (const resource of listeners) store.listener.set(resource.name, { version, resource });
  for (const resource of clusters) store.cluster.set(resource.name, { version, resource });
  return configOf(store, version);
}

function models<Model extends ResourceModel>(held: ReadonlyMap<string, Held<Model>>): Model[] {
  return [...held.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, { resource }]) => resource);
}
