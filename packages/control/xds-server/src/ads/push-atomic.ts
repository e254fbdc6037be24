import type { WireResource } from '../encode/wire-resource.ts';
import type { ResourceKind, Snapshot } from '../provider.ts';
import { ADD_ORDER, REMOVE_ORDER } from '../wire.ts';
import { batches } from './batches.ts';
import type { PushHost, PushStrategy } from './push.ts';
import { resourcesOf } from './differences.ts';

interface Step {
  readonly kind: ResourceKind;
  readonly resources: readonly WireResource[];
  readonly removed: readonly string[];
}

/**
 * For clients that hold what they get until a change is complete, and then take it whole: everything of one snapshot
 * is sent at once, the last response says that it is the last, and no other snapshot is begun before all is answered.
 * What the client asks for meanwhile (endpoints of a new cluster) comes from the same snapshot.
 */
export function createAtomicPush(host: PushHost<ResourceKind, Snapshot>): PushStrategy<ResourceKind> {
  const { types, comparer, limits } = host;
  let target: Snapshot | undefined;
  let queue: Step[] = [];
  let begun = false;

  /** Additions in order, then removals in theirs; marks what was compared. */
  function plan(snapshot: Snapshot): Step[] {
    const additions: Step[] = [];
    const removals = new Map<ResourceKind, Step>();
    for (const kind of ADD_ORDER) {
      const state = types.of(kind);
      const { changed, removed, absent, held } = comparer.compare(
        state,
        snapshot,
        host.unsendable(snapshot.changeId),
      );
      host.resumed(kind, snapshot.changeId, held);
      state.dirty = false;
      state.seen = resourcesOf(snapshot, kind);
      for (const resources of batches(changed, limits.maxResponseBytes))
        additions.push({ kind, resources, removed: [] });
      if (absent.length > 0) additions.push({ kind, resources: [], removed: absent });
      if (removed.length > 0) removals.set(kind, { kind, resources: [], removed });
    }
    return [...additions, ...REMOVE_ORDER.flatMap((kind) => removals.get(kind) ?? [])];
  }

  return {
    pump() {
      // Such a client asks for listeners last, so by then all that it has from before is known.
      if (!types.of('cluster').requested || !types.of('listener').requested) return;
      if (queue.length === 0) {
        if (target === undefined || host.outstanding() === 0) target = host.current();
        queue = plan(target);
        if (queue.length === 0 && !begun) queue = [{ kind: 'listener', resources: [], removed: [] }];
      }
      while (queue.length > 0 && host.canWrite()) {
        const [step] = queue.splice(0, 1) as [Step];
        begun = true;
        host.send(step.kind, target?.changeId ?? '', step.resources, step.removed, queue.length === 0);
      }
    },
    answered() {},
    deadlineMs: () => undefined,
    idle: () => queue.length === 0,
  };
}
