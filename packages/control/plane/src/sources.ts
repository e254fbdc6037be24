import type { Log } from '@tulle/filter';
import {
  formatDiagnostic,
  refOf,
  resourceKey,
  type Diagnostic,
  type ResourceSource,
  type SourceBatch,
  type SourceUpdate,
} from '@tulle/resources';
import { isEndpoints } from './slices.ts';
import type { PlaneMetrics } from './plane-metrics.ts';
import type { Propagation } from './propagation.ts';
import { ownedBy, tooMany } from './refusals.ts';
import type { SavedOwner, SavedState } from './state-file.ts';
import type { World } from './world.ts';

/** What {@link Sources} work with. */
export interface SourcesParts {
  readonly world: World;
  readonly propagation: Propagation;
  readonly metrics: PlaneMetrics;
  readonly maxResources: number;
  /** What they said before a restart. */
  readonly saved: SavedState['sources'];
  readonly log: Log | undefined;
  /** What they say is another: it is to be saved. */
  readonly said: () => void;
}

/** A source, with what is wrong with what it says. */
interface AttachedSource {
  readonly source: ResourceSource;
  faults: readonly Diagnostic[];
  /** What is refused of what sources want is another. */
  judged(refused: readonly Diagnostic[]): void;
}

/** Where resources come from, beside REST. A resource belongs to one owner; what another wants waits until that one gives it up (D16). */
export class Sources {
  readonly #parts: SourcesParts;
  readonly #attached: AttachedSource[] = [];
  /** What each owner wants, so that it gets what another one gives up. */
  readonly #wanted: Map<string, SourceUpdate> = new Map<string, SourceUpdate>();
  /** What each attached source says, by owner. */
  readonly #said: Map<string, Map<string, SourceUpdate>> = new Map<string, Map<string, SourceUpdate>>();

  constructor(parts: SourcesParts) {
    this.#parts = parts;
  }

  /** Faults that they report now. */
  get faultCount(): number {
    return this.#attached.reduce((sum, { faults }) => sum + faults.length, 0);
  }

  /** As the status shows them. */
  get status(): { readonly id: string; readonly faults: readonly Diagnostic[] }[] {
    return this.#attached.map(({ source, faults }) => ({ id: source.id, faults }));
  }

  /** What they say, to be held after a restart; of those that are not attached, what they said before. */
  get saved(): NonNullable<SavedState['sources']> {
    return { ...this.#parts.saved, ...Object.fromEntries([...this.#said].map(savedSource)) };
  }

  async attach(source: ResourceSource): Promise<void> {
    const { propagation, log, saved, said } = this.#parts;
    let own: readonly Diagnostic[] = [];
    let refused: readonly Diagnostic[] = [];
    const record: AttachedSource = {
      source,
      faults: [],
      judged(anew) {
        refused = anew;
        report();
      },
    };
    this.#attached.push(record);
    const report = (): void => {
      const known = new Set(record.faults.map(formatDiagnostic));
      record.faults = [...own, ...refused];
      for (const line of record.faults.map(formatDiagnostic))
        if (!known.has(line)) log?.warn(line, { source: source.id });
    };
    const held = (saved?.[source.id] ?? []).map(heldUpdate);
    const says = new Map(held.map((update) => [update.owner, update]));
    this.#said.set(source.id, says);
    if (held.length > 0) refused = this.#take({ cause: `${source.id} as it was last`, updates: held });
    await source.start({
      held,
      apply: (batch) => {
        refused = this.#take(batch);
        for (const update of batch.updates)
          if (update.resources.length === 0) says.delete(update.owner);
          else says.set(update.owner, update);
        said();
        report();
        return refused;
      },
      faults(diagnostics) {
        own = diagnostics;
        report();
      },
    });
    propagation.flush();
  }

  /** Somebody gave resources up: whoever wanted them gets them. */
  takeGivenUp(cause: string): void {
    const refused = this.#take({ cause: `${cause}: sources get what was given up`, updates: [] });
    for (const source of this.#attached) source.judged(refused);
  }

  /** Takes what owners say. @returns what is refused of what they all want */
  #take(batch: SourceBatch): Diagnostic[] {
    const { world, propagation, metrics, maxResources } = this.#parts;
    const { touched } = propagation;
    const refused: Diagnostic[] = [];
    const keys: string[] = [];
    let urgent = false;
    for (const update of batch.updates) {
      if (update.resources.length === 0) this.#wanted.delete(update.owner);
      else this.#wanted.set(update.owner, update);
      const kept = new Set(update.resources.map((r) => resourceKey(refOf(r.resource))));
      for (const [key, held] of [...world.entries()]) {
        if (held.owner !== update.owner || kept.has(key)) continue;
        world.remove(key, touched);
        keys.push(key);
        urgent ||= isEndpoints(held.resource);
      }
    }
    for (const update of this.#wanted.values()) {
      for (const located of update.resources) {
        const key = resourceKey(refOf(located.resource));
        const owner = world.held(key)?.owner;
        if (owner !== undefined && owner !== update.owner) {
          refused.push(ownedBy(located.resource, owner, located.locate('/metadata/name')));
        } else if (owner === undefined && world.size >= maxResources) {
          metrics.refused(1);
          refused.push(tooMany(maxResources, refOf(located.resource), located.locate('/metadata/name')));
        } else if (world.put(located.resource, update.owner, touched)) {
          keys.push(key);
          urgent ||= isEndpoints(located.resource);
        }
      }
    }
    if (keys.length > 0) propagation.changed(batch.cause, keys, urgent);
    return refused;
  }

  async close(): Promise<void> {
    for (const { source } of this.#attached) await source.close();
  }
}

function savedSource([id, says]: [string, ReadonlyMap<string, SourceUpdate>]): [string, SavedOwner[]] {
  return [
    id,
    [...says.values()].map(({ owner, resources }) => ({
      owner,
      resources: resources.map((r) => r.resource),
    })),
  ];
}

/** What a source said before a restart. The text is gone, so that places are those of the whole. */
function heldUpdate({ owner, resources }: SavedOwner): SourceUpdate {
  return {
    owner,
    resources: resources.map((resource) => ({ resource, file: owner, locate: () => undefined })),
  };
}
