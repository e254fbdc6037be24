import type { ResourceModels } from '../decode/resource.ts';
import { KINDS, type ResourceKind } from '../wire.ts';
import { type Assembled, REMOVED } from './assemble.ts';
import type { Refusals } from './refusals.ts';
import type { Held } from './store.ts';

/** What came over the stream and is not in use yet, by kind and name. */
export type DraftStaged = {
  readonly [Kind in ResourceKind]: Map<string, Held<ResourceModels[Kind]> | typeof REMOVED>;
};

export function emptyStaged(): DraftStaged {
  return { listener: new Map(), route: new Map(), cluster: new Map(), endpoint: new Map() };
}

export function copyStaged(staged: DraftStaged): DraftStaged {
  return {
    listener: new Map(staged.listener),
    route: new Map(staged.route),
    cluster: new Map(staged.cluster),
    endpoint: new Map(staged.endpoint),
  };
}

export function stagedSize(staged: DraftStaged): number {
  return KINDS.reduce((sum, kind) => sum + staged[kind].size, 0);
}

/** Models that are staged, removals left out. */
export function stagedModels<Kind extends ResourceKind>(
  staged: DraftStaged,
  kind: Kind,
): ResourceModels[Kind][] {
  return [...staged[kind].values()].flatMap((held) => (held === REMOVED ? [] : [held.resource]));
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
