import type { ProxyConfig } from '@tulle/model';
import type { Need } from '../decode/discovery-source.ts';
import type { Decoded, ResourceModel, ResourceModels } from '../decode/resource.ts';
import type { FindSecret } from '../decode/secret.ts';
import { KINDS, type ResourceKind } from '../wire.ts';
import { addRetrySlots } from './retry-slots.ts';

/** A resource with the version under which the server knows it. */
export interface Held<Model extends ResourceModel = ResourceModel> {
  readonly version: string;
  readonly resource: Model;
  /** What it names that comes from elsewhere than the session's stream, or is waited for otherwise. */
  readonly needs?: readonly Need[];
  /** Translates it again with the secrets that are here, where it names any. */
  readonly fill?: (secrets: FindSecret) => Decoded;
  /** No server gave it, and none can replace it or take it away. */
  readonly fixed?: true;
}

/** Resources by kind and name. */
export type Store = { readonly [Kind in ResourceKind]: ReadonlyMap<string, Held<ResourceModels[Kind]>> };

/** A store under construction. */
export type DraftStore = { readonly [Kind in ResourceKind]: Map<string, Held<ResourceModels[Kind]>> };

export function emptyStore(): DraftStore {
  return {
    listener: new Map(),
    route: new Map(),
    cluster: new Map(),
    endpoint: new Map(),
    secret: new Map(),
  };
}

export function copyStore(store: Store): DraftStore {
  return {
    listener: new Map(store.listener),
    route: new Map(store.route),
    cluster: new Map(store.cluster),
    endpoint: new Map(store.endpoint),
    secret: new Map(store.secret),
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
    listeners: filledModels(store, 'listener').map((listener) =>
      addRetrySlots(listener, (name) => store.route.get(name)?.resource),
    ),
    routes: models(store.route),
    clusters: filledModels(store, 'cluster'),
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

/** Listeners or clusters with the secrets that they name, by name. */
function filledModels<Kind extends 'listener' | 'cluster'>(store: Store, kind: Kind): ResourceModels[Kind][] {
  const held = store[kind] as ReadonlyMap<string, Held<ResourceModels[Kind]>>;
  return [...held.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, one]) => {
      const filled = fillHeld(one, store);
      return (filled?.ok === true ? filled.resource : one.resource) as ResourceModels[Kind];
    });
}

/** What was made of a resource with some secrets: the same secrets give the same object, whose chain is not built anew. */
const filledBefore = new WeakMap<
  Held,
  { readonly of: readonly (Held | undefined)[]; readonly made: Decoded }
>();

/** @returns `undefined` for a resource that names no secret that is discovered */
export function fillHeld(held: Held, { secret }: Pick<Store, 'secret'>): Decoded | undefined {
  if (held.fill === undefined) return undefined;
  const of = secretsOf(held).map((name) => secret.get(name));
  const before = filledBefore.get(held);
  if (before?.of.every((one, index) => one === of[index]) === true) return before.made;
  const made = held.fill((name) => secret.get(name)?.resource.secret);
  filledBefore.set(held, { of, made });
  return made;
}

/** Names of secrets that a resource needs and that are discovered. */
export function secretsOf({ needs = [] }: Pick<Held, 'needs'>): string[] {
  return needs.flatMap(({ kind, name }) => (kind === 'secret' ? [name] : []));
}
