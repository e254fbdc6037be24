import type { ResourceModels } from '../decode/resource.ts';
import { sourceKey } from '../decode/discovery-source.ts';
import { KINDS, NAMED_KINDS, type NamedKind, type ResourceKind } from '../wire.ts';
import {
  clustersOfHosts,
  clustersOfListener,
  clustersOfRoutes,
  clustersOfScope,
  endpointsOf,
  neededByStore,
  routesOf,
  routesOfScope,
} from './references.ts';
import { ALL_SCOPES, discoversScopes } from './scopes.ts';
import type { Refusals } from './refusals.ts';
import { copyStore, type DraftStore, fillHeld, type Held, partsOf, type Store } from './store.ts';
import { discovering, routesOfHost } from './virtual-hosts.ts';

/** In a {@link Staged} map: the server took it away. */
export const REMOVED: unique symbol = Symbol('removed');

/** What came and is not in use yet. */
export type Staged = {
  readonly [Kind in ResourceKind]: ReadonlyMap<string, Held<ResourceModels[Kind]> | typeof REMOVED>;
};

/** What goes into the next state. */
export interface Parts {
  /** What is in use. */
  readonly active: Store;
  readonly staged: Staged;
  /** Not to be used; what depends on it alone is added here with its reason. */
  readonly refused: Refusals;
  /** Whether a listener or route in use is not what the server last sent, because that was refused. */
  heldBack(kind: ResourceKind, name: string): boolean;
  /** A change is complete: nothing of it waits for anything. Else a listener or cluster waits for what it needs. */
  readonly whole: boolean;
  /** Whether to go on waiting for a resource that something names. */
  awaits(kind: NamedKind, name: string): boolean;
  /** Whether it was taken away because its time was over: it goes although something names it. */
  isOver(kind: ResourceKind, name: string): boolean;
  /** Whether a cluster that was taken away may go although something names it still. */
  mayGo(cluster: string): boolean;
}

/** What waits for something that it names. */
export interface Warming {
  readonly kind: 'listener' | 'cluster' | 'scoped-route';
  readonly name: string;
}

/** The next state. */
export interface Assembled {
  readonly store: Store;
  /** Listeners, clusters and scopes that wait for what they need; they stay staged. */
  readonly warming: readonly Warming[];
  /** Clusters that were taken away and stay because something names them; they stay staged. */
  readonly lingering: readonly string[];
}

/**
 * Puts what came onto what is in use: refused resources keep their last good version, what depends on a refused one
 * that has none keeps its own, listeners and clusters wait until they can work, and nothing goes while it is needed.
 */
export function assemble(parts: Parts): Assembled {
  const { active } = parts;
  const draft = copyStore(active);
  for (const kind of KINDS) putStaged(draft, kind, parts);
  holdOtherScopes(draft, parts);
  const warming = parts.whole ? [] : holdWarming(draft, parts);
  fitParts(draft, parts);
  while (holdDependents(draft, parts)) {
    // until nothing more has to be held back
  }
  const lingering = keepNeeded(draft, parts);
  prune(draft, parts);
  return { store: draft, warming, lingering };
}

function putStaged<Kind extends ResourceKind>(
  draft: DraftStore,
  kind: Kind,
  { staged, refused, isOver }: Parts,
): void {
  const target = draft[kind] as Map<string, Held<ResourceModels[Kind]>>;
  for (const [name, held] of staged[kind]) {
    if (refused.has(kind, name)) continue;
    if (held !== REMOVED) target.set(name, held);
    // Routes and endpoints go when nothing needs them (prune): a source that is lost must not empty what works.
    else if (!isKept(kind) || isOver(kind, name)) target.delete(name);
  }
}

const isKept = (kind: ResourceKind): boolean =>
  kind !== 'listener' && kind !== 'cluster' && kind !== 'virtual-host' && kind !== 'scoped-route';

/** Leaves the version that is in use, or nothing. */
function revert(draft: DraftStore, active: Store, kind: ResourceKind, name: string): void {
  const held = active[kind].get(name);
  if (held) (draft[kind] as Map<string, Held>).set(name, held);
  else draft[kind].delete(name);
}

function isNew(draft: Store, active: Store, kind: ResourceKind, name: string): boolean {
  return draft[kind].has(name) && draft[kind].get(name) !== active[kind].get(name);
}

/** Scopes have no names of whose they are: all listeners that discover them have those of one source. */
function holdOtherScopes(draft: DraftStore, { active, refused }: Parts): void {
  const sourceOf = ({ needs = [] }: Held): string | undefined => {
    const need = needs.find(({ kind }) => kind === 'scoped-route');
    return need && sourceKey(need.source);
  };
  const all = [...draft.listener].flatMap(([name, held]) => {
    const source = sourceOf(held);
    return source === undefined ? [] : [{ name, source, isNew: isNew(draft, active, 'listener', name) }];
  });
  const first = all.find(({ isNew: is }) => !is) ?? all[0];
  for (const { name, source, isNew: is } of all) {
    if (source === first?.source || !is) continue;
    refused.add(
      'listener',
      name,
      `discovers scopes elsewhere than the listener "${first?.name ?? ''}": they have one source`,
    );
    revert(draft, active, 'listener', name);
  }
}

function holdWarming(draft: DraftStore, { active, awaits }: Parts): Warming[] {
  const warming: Warming[] = [];
  const awaitsRoutes = (name: string): boolean => !draft.route.has(name) && awaits('route', name);
  for (const [name, held] of [...draft.cluster]) {
    const endpoints = endpointsOf(held.resource);
    const waits = endpoints !== undefined && !draft.endpoint.has(endpoints) && awaits('endpoint', endpoints);
    if (!waits && !lacksParts(draft, held, awaits)) continue;
    if (isNew(draft, active, 'cluster', name)) warming.push({ kind: 'cluster', name });
  }
  // A listener that is in use has the scopes whose routes are here; a new one waits for those of all.
  let scopesWait = false;
  for (const [name, { resource }] of [...draft['scoped-route']]) {
    if (!routesOfScope(resource).some(awaitsRoutes)) continue;
    scopesWait = true;
    if (isNew(draft, active, 'scoped-route', name)) warming.push({ kind: 'scoped-route', name });
  }
  for (const [name, held] of [...draft.listener]) {
    const waits =
      routesOf(held.resource).some((route) => awaitsRoutes(route) || awaits('virtual-host', route)) ||
      (discoversScopes(held) && (awaits('scoped-route', ALL_SCOPES) || scopesWait));
    if (!waits && !lacksParts(draft, held, awaits)) continue;
    if (isNew(draft, active, 'listener', name)) warming.push({ kind: 'listener', name });
  }
  for (const { kind, name } of warming) revert(draft, active, kind, name);
  return warming;
}

/**
 * TLS without its certificate or its roots would be no TLS: such a resource waits as long as it takes. Filters have something that
 * stands for their configs.
 */
function lacksParts(draft: DraftStore, held: Held, awaits: Parts['awaits']): boolean {
  return partsOf(held).some(
    ({ kind, name }) => !draft[kind].has(name) && (kind === 'secret' || awaits(kind, name)),
  );
}

/**
 * Puts secrets and filters' configs where they are named. One that does not fit is refused where what names it is in use; what is
 * new and does not fit it is refused itself.
 */
function fitParts(draft: DraftStore, { active, refused }: Parts): void {
  for (const kind of ['cluster', 'listener'] as const) {
    for (const [name, held] of [...draft[kind]]) {
      const filled = fillHeld(held, draft);
      if (filled?.ok !== false) continue;
      const reasons = filled.issues.map(({ path, message }) =>
        path === '' ? message : `${path}: ${message}`,
      );
      if (isNew(draft, active, kind, name)) {
        refused.add(kind, name, ...reasons);
        revert(draft, active, kind, name);
      } else
        for (const part of partsOf(held)) {
          if (!isNew(draft, active, part.kind, part.name)) continue;
          refused.add(part.kind, part.name, ...reasons.map((reason) => `${kind} "${name}": ${reason}`));
          revert(draft, active, part.kind, part.name);
        }
    }
  }
}

/** Reverts what needs something that was refused and has no last good version. @returns whether anything was */
function holdDependents(draft: DraftStore, { active, refused }: Parts): boolean {
  let reverted = false;
  const missing = (kind: ResourceKind, name: string): boolean =>
    refused.has(kind, name) && !draft[kind].has(name);
  const hold = (
    kind: 'listener' | 'route' | 'virtual-host' | 'scoped-route',
    name: string,
    on: ResourceKind,
    cause: string,
  ): void => {
    if (!isNew(draft, active, kind, name)) return;
    refused.add(kind, name, `needs the ${on} "${cause}", which was refused`);
    revert(draft, active, kind, name);
    reverted = true;
  };
  for (const [name, { resource }] of [...draft.route]) {
    const cause = clustersOfRoutes(resource).find((cluster) => missing('cluster', cluster));
    if (cause !== undefined) hold('route', name, 'cluster', cause);
  }
  for (const [name, { resource }] of [...draft['virtual-host']]) {
    const cause = clustersOfHosts([resource.virtualHost]).find((cluster) => missing('cluster', cluster));
    if (cause !== undefined) hold('virtual-host', name, 'cluster', cause);
  }
  for (const [name, { resource }] of [...draft['scoped-route']]) {
    const cluster = clustersOfScope(resource).find((one) => missing('cluster', one));
    const route = routesOfScope(resource).find((one) => missing('route', one));
    if (cluster !== undefined) hold('scoped-route', name, 'cluster', cluster);
    else if (route !== undefined) hold('scoped-route', name, 'route', route);
  }
  for (const [name, { resource }] of [...draft.listener]) {
    const cluster = clustersOfListener(resource).find((one) => missing('cluster', one));
    const route = routesOf(resource).find((one) => missing('route', one));
    if (cluster !== undefined) hold('listener', name, 'cluster', cluster);
    else if (route !== undefined) hold('listener', name, 'route', route);
  }
  return reverted;
}

/**
 * Puts clusters back that were taken away while something names them: a listener or route that was held back, or, where
 * changes come in pieces, one whose own change is still to come.
 */
function keepNeeded(
  draft: DraftStore,
  { active, staged, refused, heldBack, whole, isOver, mayGo }: Parts,
): string[] {
  const named = new Set<string>();
  const usedRoutes = neededByStore(draft).route;
  for (const [name, { resource }] of draft.route) {
    if (!usedRoutes.has(name) || (whole && !refused.has('route', name) && !heldBack('route', name))) continue;
    for (const cluster of clustersOfRoutes(resource)) named.add(cluster);
  }
  for (const { resource } of draft['virtual-host'].values())
    for (const cluster of clustersOfHosts([resource.virtualHost])) named.add(cluster);
  for (const { resource } of draft['scoped-route'].values())
    for (const cluster of clustersOfScope(resource)) named.add(cluster);
  for (const [name, { resource }] of draft.listener) {
    if (whole && !refused.has('listener', name) && !heldBack('listener', name)) continue;
    for (const cluster of clustersOfListener(resource)) named.add(cluster);
  }
  const lingering: string[] = [];
  for (const [name, held] of staged.cluster) {
    const before = active.cluster.get(name);
    if (held !== REMOVED || !before || !named.has(name) || isOver('cluster', name) || mayGo(name)) continue;
    draft.cluster.set(name, before);
    lingering.push(name);
  }
  return lingering;
}

/** Route configurations, their virtual hosts and endpoint sets live as long as something names them. */
function prune(draft: DraftStore, { active, staged, refused, isOver }: Parts): void {
  const needed = neededByStore(draft);
  for (const kind of NAMED_KINDS) {
    if (kind === 'virtual-host') continue; // goes with its routes, below
    if (kind === 'scoped-route') {
      // What nobody discovers any more goes; else the server says what does.
      if (needed[kind].size === 0) draft[kind].clear();
      continue;
    }
    for (const name of [...draft[kind].keys()]) {
      // What only a listener or cluster in waiting needs is kept staged, not used.
      if (!needed[kind].has(name)) draft[kind].delete(name);
    }
    for (const name of needed[kind]) {
      if (isOver(kind, name)) continue;
      if (staged[kind].get(name) === REMOVED || refused.has(kind, name)) revert(draft, active, kind, name);
    }
  }
  const routes = discovering(draft);
  for (const name of [...draft['virtual-host'].keys()])
    if (routesOfHost(routes, name) === undefined) draft['virtual-host'].delete(name);
}
