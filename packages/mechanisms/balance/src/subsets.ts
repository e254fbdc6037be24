import type { SubsetFallback, SubsetRules } from '@tulle/model';
import type { LevelSet } from './level-set.ts';
import type { State } from './state.ts';

/** Labels that endpoints must have to be picked, made ready by {@link subsetCriteria}. */
export interface SubsetCriteria {
  /** Keys and values, sorted; the same text for the same labels. */
  readonly text: string;
  readonly keys: string;
  readonly labels: ReadonlyMap<string, string>;
}

/** @param labels at least one */
export function subsetCriteria(labels: Readonly<Record<string, string>>): SubsetCriteria {
  const entries = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.freeze({
    text: JSON.stringify(entries.flat()),
    keys: JSON.stringify(entries.map(([key]) => key)),
    labels: new Map(entries),
  });
}

interface Selector {
  readonly keys: readonly string[];
  /** As in {@link SubsetCriteria.keys}. */
  readonly text: string;
  readonly fallback: SubsetFallback;
  /** As {@link keys}; for the fallback `keys`. */
  readonly fallbackKeys: readonly string[];
  readonly singleHost: boolean;
}

/** Nobody fits. */
const NOBODY = null;

/**
 * Endpoints grouped by labels (Envoy `LbSubsetConfig`): one set of levels for each combination of values that endpoints
 * have for the keys of a selector.
 */
export class Subsets<Data> {
  readonly #fallback: SubsetRules['fallback'];
  readonly #default: SubsetCriteria | undefined;
  readonly #selectors: ReadonlyMap<string, Selector>;
  readonly #make: () => LevelSet<Data>;
  readonly #all: LevelSet<Data>;
  #sets: Map<string, LevelSet<Data>> = new Map<string, LevelSet<Data>>();
  #defaultSet: LevelSet<Data> | null = NOBODY;
  /** What criteria without a set of their own came to, since the last change. */
  readonly #resolved: Map<string, LevelSet<Data> | null> = new Map<string, LevelSet<Data> | null>();

  /** @param all every endpoint of the cluster @param make an empty set */
  constructor(rules: SubsetRules, all: LevelSet<Data>, make: () => LevelSet<Data>) {
    const { fallback = 'none', defaultSubset = {}, selectors } = rules;
    this.#fallback = fallback;
    this.#default = Object.keys(defaultSubset).length === 0 ? undefined : subsetCriteria(defaultSubset);
    this.#all = all;
    this.#make = make;
    this.#selectors = new Map(
      selectors.map((selector) => {
        const keys = selector.keys.toSorted();
        const text = JSON.stringify(keys);
        return [
          text,
          {
            keys,
            text,
            fallback: selector.fallback ?? fallback,
            fallbackKeys: (selector.fallbackKeys ?? []).toSorted(),
            singleHost: selector.singleHost === true,
          },
        ];
      }),
    );
  }

  reset(): void {
    for (const set of this.#sets.values()) set.reset();
    this.#defaultSet?.reset();
  }

  rebuild(states: readonly State<Data>[], partOf: (state: State<Data>) => number): void {
    const before = this.#sets;
    this.#sets = new Map();
    this.#resolved.clear();
    for (const { keys, singleHost } of this.#selectors.values()) {
      const groups = Map.groupBy(states, (state) => textOf(state, keys));
      for (const [text, members] of groups) {
        if (text === undefined) continue;
        const set = before.get(text) ?? this.#make();
        set.rebuild(singleHost ? members.slice(0, 1) : members, partOf);
        this.#sets.set(text, set);
      }
    }
    const wanted = this.#default;
    const members = wanted === undefined ? states : states.filter((state) => hasAll(state, wanted));
    if (members.length === 0) this.#defaultSet = NOBODY;
    else (this.#defaultSet ??= this.#make()).rebuild(members, partOf);
  }

  /** The endpoints for a request; `null`: none. @param criteria `undefined`: it asks for no labels */
  find(criteria: SubsetCriteria | undefined): LevelSet<Data> | null {
    if (criteria === undefined) return this.#fallBack(this.#fallback);
    const set = this.#sets.get(criteria.text) ?? this.#resolved.get(criteria.text);
    if (set !== undefined) return set;
    const resolved = this.#resolve(criteria);
    this.#resolved.set(criteria.text, resolved);
    return resolved;
  }

  #resolve({ keys, labels }: SubsetCriteria): LevelSet<Data> | null {
    const selector = this.#selectors.get(keys);
    if (selector?.fallback !== 'keys') return this.#fallBack(selector?.fallback ?? this.#fallback);
    const { fallbackKeys } = selector;
    const fewer = fallbackKeys.flatMap((key): [string, string][] => {
      const value = labels.get(key);
      return value === undefined ? [] : [[key, value]];
    });
    // Fewer keys each time, so that this ends.
    return fewer.length === 0 || fewer.length >= labels.size
      ? NOBODY
      : this.find(subsetCriteria(Object.fromEntries(fewer)));
  }

  #fallBack(fallback: SubsetFallback | undefined): LevelSet<Data> | null {
    if (fallback === 'any') return this.#all;
    return fallback === 'default' ? this.#defaultSet : NOBODY;
  }
}

function textOf(state: State<unknown>, keys: readonly string[]): string | undefined {
  const { labels } = state.endpoint;
  if (labels === undefined || !keys.every((key) => Object.hasOwn(labels, key))) return undefined;
  return JSON.stringify(keys.flatMap((key) => [key, labels[key]]));
}

function hasAll(state: State<unknown>, { labels: wanted }: SubsetCriteria): boolean {
  const { labels = {} } = state.endpoint;
  for (const [key, value] of wanted) if (!Object.hasOwn(labels, key) || labels[key] !== value) return false;
  return true;
}
