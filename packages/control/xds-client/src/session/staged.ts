import type { Need } from '../decode/discovery-source.ts';
import type { ResourceModels } from '../decode/resource.ts';
import { KINDS, type ResourceKind } from '../wire.ts';
import { type Assembled, REMOVED } from './assemble.ts';
import type { Refusals } from './refusals.ts';
import type { Held, Store } from './store.ts';
import type { NeedsByName } from './subscriptions.ts';

/** What came over the stream and is not in use yet, by kind and name. */
export type DraftStaged = {
  readonly [Kind in ResourceKind]: Map<string, Held<ResourceModels[Kind]> | typeof REMOVED>;
};

export function emptyStaged(): DraftStaged {
  return {
    listener: new Map(),
    route: new Map(),
    cluster: new Map(),
    endpoint: new Map(),
    secret: new Map(),
  };
}

/** What is fixed and not in use yet. */
export function stagedOf(fixed: Store | undefined, active: Store): DraftStaged {
  const staged = emptyStaged();
  for (const kind of KINDS)
    for (const [name, held] of (fixed?.[kind] ?? new Map()) as ReadonlyMap<string, Held>)
      if (active[kind].get(name) !== held) (staged[kind] as Map<string, Held>).set(name, held);
  return staged;
}

/** Where everything that is named comes from, as what came last says it. */
export function needsOf(staged: DraftStaged, active: Store): NeedsByName {
  const needs = new Map<string, Need>();
  for (const kind of ['listener', 'cluster'] as const) {
    for (const [name, held] of active[kind])
      if (!staged[kind].has(name))
        for (const need of held.needs ?? []) needs.set(`${need.kind} ${need.name}`, need);
    for (const held of staged[kind].values())
      if (held !== REMOVED) for (const need of held.needs ?? []) needs.set(`${need.kind} ${need.name}`, need);
  }
  return needs;
}

export function copyStaged(staged: DraftStaged): DraftStaged {
  return {
    listener: new Map(staged.listener),
    route: new Map(staged.route),
    cluster: new Map(staged.cluster),
    endpoint: new Map(staged.endpoint),
    secret: new Map(staged.secret),
  };
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
