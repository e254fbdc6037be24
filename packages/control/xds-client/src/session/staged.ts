import type { Need } from '../decode/discovery-source.ts';
import type { ResourceModels } from '../decode/resource.ts';
import { byKind, KINDS, type ResourceKind } from '../wire.ts';
import { type Assembled, REMOVED } from './assemble.ts';
import type { Lifetimes } from './lifetimes.ts';
import type { Refusals } from './refusals.ts';
import { routesOfScope } from './references.ts';
import { ALL_SCOPES } from './scopes.ts';
import type { Held, Store } from './store.ts';
import type { NeedsByName } from './subscriptions.ts';

/** What came over the stream and is not in use yet, by kind and name. */
export type DraftStaged = {
  readonly [Kind in ResourceKind]: Map<string, Held<ResourceModels[Kind]> | typeof REMOVED>;
};

export function emptyStaged(): DraftStaged {
  return byKind<DraftStaged>(() => new Map());
}

/** What is fixed and not in use yet. */
export function stagedOf(fixed: Store | undefined, active: Store): DraftStaged {
  const staged = emptyStaged();
  for (const kind of KINDS)
    for (const [name, held] of (fixed?.[kind] ?? new Map()) as ReadonlyMap<string, Held>)
      if (active[kind].get(name) !== held) (staged[kind] as Map<string, Held>).set(name, held);
  return staged;
}

/** What is to go since its time is over, alone. */
export function stagedOver(staged: DraftStaged, { isOver }: Pick<Lifetimes, 'isOver'>): DraftStaged {
  return byKind<DraftStaged>(
    (kind) => new Map([...staged[kind]].filter(([name]) => isOver(kind, name)) as [string, never][]),
  );
}

/** Where everything that is named comes from, as what came last says it; routes of scopes, as the listener says that discovers those. */
export function needsOf(staged: DraftStaged, active: Store): NeedsByName {
  const needs = new Map<string, Need>();
  for (const kind of ['listener', 'route', 'cluster'] as const) {
    for (const [name, held] of active[kind])
      if (!staged[kind].has(name))
        for (const need of held.needs ?? []) needs.set(`${need.kind} ${need.name}`, need);
    for (const held of staged[kind].values())
      if (held !== REMOVED) for (const need of held.needs ?? []) needs.set(`${need.kind} ${need.name}`, need);
  }
  const { routes } = needs.get(`scoped-route ${ALL_SCOPES}`) ?? {};
  if (routes === undefined || (routes.source.kind === 'ads' && routes.timeoutMs === undefined)) return needs;
  for (const { resource } of [...active['scoped-route'].values(), ...stagedHeld(staged, 'scoped-route')])
    for (const name of routesOfScope(resource))
      needs.set(`route ${name}`, { kind: 'route', name, ...routes });
  return needs;
}

export function copyStaged(staged: DraftStaged): DraftStaged {
  return byKind<DraftStaged>((kind) => new Map(staged[kind] as Map<string, never>));
}

export function stagedSize(staged: DraftStaged): number {
  return KINDS.reduce((sum, kind) => sum + staged[kind].size, 0);
}

/** What is staged, removals left out. */
export function stagedHeld<Kind extends ResourceKind>(
  staged: DraftStaged,
  kind: Kind,
): Held<ResourceModels[Kind]>[] {
  return [...staged[kind].values()].flatMap((held) => (held === REMOVED ? [] : [held]));
}

/** The same with names. */
export function stagedNamed<Kind extends ResourceKind>(
  staged: DraftStaged,
  kind: Kind,
): [name: string, Held<ResourceModels[Kind]>][] {
  return [...staged[kind]].flatMap(([name, held]) => (held === REMOVED ? [] : [[name, held]]));
}

/**
 * Takes out what was decided: used, refused, or gone. What waits stays, and so does what came since the copy was made.
 * @param copy what the decision was made of
 */
export function forgetCommitted(
  staged: DraftStaged,
  copy: DraftStaged,
  { store, warming, lingering }: Assembled,
  refused: Refusals,
): void {
  const waits = new Set(warming.map(({ kind, name }) => `${kind} ${name}`));
  for (const name of lingering) waits.add(`cluster ${name}`);
  for (const kind of KINDS) {
    for (const [name, held] of copy[kind]) {
      if (staged[kind].get(name) !== held || waits.has(`${kind} ${name}`)) continue;
      // A route or an endpoint set that only something in waiting needs stays with it.
      const used = held === REMOVED || store[kind].get(name) === held;
      if (used || refused.has(kind, name)) staged[kind].delete(name);
    }
  }
}
