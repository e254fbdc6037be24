import type { ProxyConfig } from '@tulle/model';
import type { Need } from '../decode/discovery-source.ts';
import type { Decoded, Discovered, ResourceModel, ResourceModels } from '../decode/resource.ts';
import { byKind, KINDS, type ResourceKind } from '../wire.ts';
import { addRetrySlots } from './retry-slots.ts';
import { joinScopes } from './scopes.ts';
import { joinHosts } from './virtual-hosts.ts';

/** A resource with the version under which the server knows it. */
export interface Held<Model extends ResourceModel = ResourceModel> {
  readonly version: string;
  readonly resource: Model;
  /** What it names that comes from elsewhere than the session's stream, or is waited for otherwise. */
  readonly needs?: readonly Need[];
  /** Translates it again with what is here of what it names, where that becomes part of it: secrets and filters' configs. */
  readonly fill?: (found: Discovered) => Decoded;
  /** No server gave it, and none can replace it or take it away. */
  readonly fixed?: true;
}

/** Resources by kind and name. */
export type Store = { readonly [Kind in ResourceKind]: ReadonlyMap<string, Held<ResourceModels[Kind]>> };

/** A store under construction. */
export type DraftStore = { readonly [Kind in ResourceKind]: Map<string, Held<ResourceModels[Kind]>> };

export function emptyStore(): DraftStore {
  return byKind<DraftStore>(() => new Map());
}

export function copyStore(store: Store): DraftStore {
  return byKind<DraftStore>((kind) => new Map(store[kind] as ReadonlyMap<string, never>));
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
  const routes = joinHosts(store);
  const clusters = filledModels(store, 'cluster');
  return {
    version,
    listeners: filledModels(store, 'listener').map((listener) =>
      addRetrySlots(
        joinScopes(listener, store.listener.get(listener.name), store['scoped-route']),
        (name) => routes.get(name),
        clusters,
      ),
    ),
    routes: [...routes.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    clusters,
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

/** Listeners or clusters with what they name put into them, by name. */
function filledModels<Kind extends 'listener' | 'cluster'>(store: Store, kind: Kind): ResourceModels[Kind][] {
  const held = store[kind] as ReadonlyMap<string, Held<ResourceModels[Kind]>>;
  return [...held.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, one]) => {
      const filled = fillHeld(one, store);
      return (filled?.ok === true ? filled.resource : one.resource) as ResourceModels[Kind];
    });
}

/** What was made of a resource with what it names: the same of that gives the same object, whose chain is not built anew. */
const filledBefore = new WeakMap<
  Held,
  { readonly of: readonly (Held | undefined)[]; readonly made: Decoded }
>();

/** @returns `undefined` for a resource that has nothing put into it */
export function fillHeld(held: Held, { secret, extension }: Pick<Store, PartKind>): Decoded | undefined {
  if (held.fill === undefined) return undefined;
  const of = partsOf(held).map(({ kind, name }) => (kind === 'secret' ? secret : extension).get(name));
  const before = filledBefore.get(held);
  if (before?.of.every((one, index) => one === of[index]) === true) return before.made;
  const made = held.fill({
    secret: (name) => secret.get(name)?.resource.secret,
    extension: (name) => extension.get(name)?.resource.config,
  });
  filledBefore.set(held, { of, made });
  return made;
}

/** Kinds of resources that become part of those that name them. */
export type PartKind = 'secret' | 'extension';

export const isPart = (kind: ResourceKind): kind is PartKind => kind === 'secret' || kind === 'extension';

/** What is to be put into a resource. */
export function partsOf({ needs = [] }: Pick<Held, 'needs'>): { kind: PartKind; name: string }[] {
  return needs.flatMap(({ kind, name }) => (isPart(kind) ? [{ kind, name }] : []));
}
