import { refOf, resourceKey, type Diagnostic, type Resource } from '@tulle/resources';
import type { ApplyResult, ControlPlane } from './control-plane-types.ts';
import { REST } from './owners.ts';
import type { PlaneMetrics } from './plane-metrics.ts';
import type { Propagation } from './propagation.ts';
import { ownedBy, tooMany } from './refusals.ts';
import { isEndpoints } from './slices.ts';
import type { Sources } from './sources.ts';
import { nothingTouched } from './touched.ts';
import { World } from './world.ts';

/** What {@link RestResources} works with. */
export interface RestResourcesParts {
  readonly rootNamespace: string;
  readonly world: World;
  readonly propagation: Propagation;
  readonly sources: Sources;
  readonly metrics: PlaneMetrics;
  readonly maxResources: number;
  /**
   * Saves the state as it will be with these, `undefined` where one goes.
   * @throws TulleError `TULLE_STATE_UNSAVED`
   */
  readonly save: (changed: ReadonlyMap<string, Resource | undefined>) => void;
}

/** What an apply would do. */
interface Trial {
  readonly differs: readonly string[];
  readonly unchanged: readonly string[];
  readonly refused: readonly Diagnostic[];
}

/** The resources that people apply, by the REST API or in code. */
export class RestResources {
  readonly #parts: RestResourcesParts;

  constructor(parts: RestResourcesParts) {
    this.#parts = parts;
  }

  /** As `ControlPlane.apply`. */
  apply(
    put: readonly Resource[],
    remove: readonly string[],
    { cause = 'apply', dryRun = false }: NonNullable<Parameters<ControlPlane['apply']>[2]> = {},
  ): ApplyResult {
    const { world, propagation, sources } = this.#parts;
    const { differs, unchanged, refused } = this.#try(put, remove);
    if (refused.length > 0 || dryRun || differs.length === 0) return { changed: differs, unchanged, refused };
    const urgent = put.some(isEndpoints) || remove.some(isEndpointsKey);
    this.#parts.save(
      new Map<string, Resource | undefined>([
        ...put.map((resource): [string, Resource] => [resourceKey(refOf(resource)), resource]),
        ...remove.map((key): [string, undefined] => [key, undefined]),
      ]),
    );
    const { touched } = propagation;
    for (const resource of put) world.put(resource, REST, touched);
    for (const key of remove) world.remove(key, touched);
    const changeId = propagation.changed(cause, differs, urgent);
    if (remove.length > 0) sources.takeGivenUp(cause);
    return { changeId, changed: differs, unchanged, refused };
  }

  #try(put: readonly Resource[], remove: readonly string[]): Trial {
    const { rootNamespace, world, maxResources, metrics } = this.#parts;
    const refused: Diagnostic[] = [];
    const differs: string[] = [];
    const unchanged: string[] = [];
    const trial = new World(rootNamespace);
    for (const resource of put) {
      const key = resourceKey(refOf(resource));
      const held = world.held(key);
      if (held !== undefined && held.owner !== REST) refused.push(ownedBy(resource, held.owner));
      trial.put(resource, REST, nothingTouched());
      (held?.version === trial.held(key)?.version ? unchanged : differs).push(key);
    }
    for (const key of remove) {
      const held = world.held(key);
      if (held === undefined) continue;
      if (held.owner !== REST) refused.push(ownedBy(held.resource, held.owner));
      differs.push(key);
    }
    const news = put.filter((resource) => world.held(resourceKey(refOf(resource))) === undefined);
    if (world.size + news.length > maxResources) {
      metrics.refused(news.length);
      refused.push(tooMany(maxResources));
    }
    return { differs, unchanged, refused };
  }
}

function isEndpointsKey(key: string): boolean {
  return key.startsWith('Workload/') || key.startsWith('EndpointSlice/');
}
