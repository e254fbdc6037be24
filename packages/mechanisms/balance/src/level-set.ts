import type { EndpointState } from './endpoint-state.ts';
import type { Picker } from './picker.ts';
import { priorityLoads, type PriorityCount } from './priority-loads.ts';
import { setShares } from './shares.ts';
import type { State } from './state.ts';

/** The endpoints of one priority, and how one of them is chosen. */
interface Level<Data> {
  readonly priority: number;
  readonly picker: Picker<Data>;
  /** Percent of all picks. */
  load: number;
  panic: boolean;
  /** None of it may be picked. */
  empty: boolean;
}

/** What a set of levels asks of the balancer that it belongs to. */
export interface LevelOwner<Data> {
  readonly panicThresholdPercent: number;
  /** In panic nothing is picked, instead of anything. */
  readonly failsOnPanic: boolean;
  random(): number;
  makePicker(): Picker<Data>;
  onPanicPick(): void;
}

/** Some endpoints by priority, first to last, and how much each priority gets. */
export class LevelSet<Data> {
  readonly #owner: LevelOwner<Data>;
  readonly #localityWeighted: boolean;
  #levels: Level<Data>[] = [];
  /** The one that has all the load. */
  #only: Level<Data> | undefined;
  /** How many may be picked without panic. */
  usable = 0;
  /** By priority, first to last; another list whenever something changed. */
  counts: readonly PriorityCount[] = [];

  constructor(owner: LevelOwner<Data>, localityWeighted: boolean) {
    this.#owner = owner;
    this.#localityWeighted = localityWeighted;
  }

  /** Another policy is in force: everybody begins anew. */
  reset(): void {
    this.#levels = [];
  }

  pick(nowMs: number, excluded: readonly EndpointState<Data>[], hash: number): State<Data> | undefined {
    const level = this.#only ?? this.#draw();
    if (level === undefined) return undefined;
    const state = level.picker.pick(nowMs, excluded, hash);
    if (state === undefined) return this.#pickElsewhere(level, nowMs, excluded, hash);
    if (level.panic) this.#owner.onPanicPick();
    return state;
  }

  #draw(): Level<Data> | undefined {
    let draw = this.#owner.random() * 100;
    for (let index = 0; index < this.#levels.length; index += 1) {
      const level = this.#levels[index] as Level<Data>;
      draw -= level.load;
      if (draw < 0) return level;
    }
    return undefined;
  }

  /** Every endpoint of the drawn priority is excluded: one of another, whatever load that has. */
  #pickElsewhere(
    drawn: Level<Data>,
    nowMs: number,
    excluded: readonly EndpointState<Data>[],
    hash: number,
  ): State<Data> | undefined {
    for (let index = 0; index < this.#levels.length; index += 1) {
      const level = this.#levels[index] as Level<Data>;
      const state = level === drawn || level.empty ? undefined : level.picker.pick(nowMs, excluded, hash);
      if (state !== undefined) return state;
    }
    return undefined;
  }

  /**
   * What may be picked of each priority, and how much each gets.
   * @param states all that are here, whatever their health @param partOf the part of its weight that one has now
   */
  rebuild(states: readonly State<Data>[], partOf: (state: State<Data>) => number): void {
    const { panicThresholdPercent, failsOnPanic } = this.#owner;
    const members = Map.groupBy(
      states.filter((state) => state.member),
      ({ priority }) => priority,
    );
    const groups = [...members]
      .toSorted(([a], [b]) => a - b)
      .map(([priority, all]) => ({ priority, all, usable: all.filter(({ usable }) => usable) }));
    this.usable = groups.reduce((sum, { usable }) => sum + usable.length, 0);
    this.counts = groups.map(({ all, usable }) => ({ members: all.length, usable: usable.length }));
    const loads = priorityLoads(this.counts, panicThresholdPercent);
    this.#levels = groups.map(({ priority, all, usable }, index) => {
      const { percent, panic } = loads[index] as (typeof loads)[number];
      const level: Level<Data> = this.#levels.find((known) => known.priority === priority) ?? {
        priority,
        picker: this.#owner.makePicker(),
        load: 0,
        panic: false,
        empty: true,
      };
      const believesAll = panic && !failsOnPanic;
      level.load = percent;
      level.panic = believesAll;
      level.empty = !believesAll && usable.length === 0;
      const refuses = panic && failsOnPanic;
      const chosen = refuses ? [] : believesAll || level.picker.ofMembers === true ? all : usable;
      level.picker.rebuild(setShares(chosen, all, this.#localityWeighted, partOf), believesAll);
      return level;
    });
    this.#only = this.#levels.find(({ load }) => load === 100);
  }
}
