import type { EndpointState } from './endpoint-state.ts';
import type { Picker } from './picker.ts';
import { countOf, type HealthRules, priorityLoads, type PriorityCount } from './priority-loads.ts';
import { setShares, setZoneShares } from './shares.ts';
import type { State } from './state.ts';
import type { ZoneRouting } from '@tulle/model';
import type { CallerZones } from './zones.ts';

/** The endpoints of one priority that are degraded, or those that are not, and how one of them is chosen. */
interface Level<Data> {
  readonly priority: number;
  readonly degraded: boolean;
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
  /** How health counts. */
  readonly rules: HealthRules;
  random(): number;
  makePicker(): Picker<Data>;
  onPanicPick(): void;
}

/** Some endpoints by priority, first to last, and how much each priority gets. */
export class LevelSet<Data> {
  readonly #owner: LevelOwner<Data>;
  readonly #localityWeighted: boolean;
  /** Where callers are, where that makes a difference. */
  #zones: { readonly callers: CallerZones; readonly rules: ZoneRouting } | undefined;
  #levels: Level<Data>[] = [];
  /** The one that has all the load. */
  #only: Level<Data> | undefined;
  /** How many may be picked without panic. */
  usable = 0;
  /** How many of them are degraded. */
  degraded = 0;
  /** Whether health is not believed in the first priority. */
  panics = false;
  /** By priority, first to last; another list whenever something changed. */
  counts: readonly PriorityCount[] = [];

  constructor(owner: LevelOwner<Data>, localityWeighted: boolean) {
    this.#owner = owner;
    this.#localityWeighted = localityWeighted;
  }

  /** Where callers are now; counts from the next {@link rebuild} on. */
  setZones(callers: CallerZones | undefined, rules: ZoneRouting): void {
    this.#zones = callers && { callers, rules };
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

  /** As {@link pick}, of degraded endpoints alone or of the others alone, where somebody else decided which. */
  pickKind(
    degraded: boolean,
    nowMs: number,
    excluded: readonly EndpointState<Data>[],
    hash: number,
  ): State<Data> | undefined {
    const levels = this.#levels;
    let sum = 0;
    for (let index = 0; index < levels.length; index += 1)
      if ((levels[index] as Level<Data>).degraded === degraded) sum += (levels[index] as Level<Data>).load;
    let draw = this.#owner.random() * sum;
    let drawn: Level<Data> | undefined;
    for (let index = 0; index < levels.length && drawn === undefined; index += 1) {
      const level = levels[index] as Level<Data>;
      if (level.degraded === degraded && (draw -= level.load) < 0) drawn = level;
    }
    const state = drawn?.picker.pick(nowMs, excluded, hash);
    if (state !== undefined) return state;
    // Nothing of it is left, or none has a load of its own: the first that has an endpoint.
    for (let index = 0; index < levels.length; index += 1) {
      const level = levels[index] as Level<Data>;
      if (level === drawn || level.degraded !== degraded || level.empty) continue;
      const other = level.picker.pick(nowMs, excluded, hash);
      if (other !== undefined) return other;
    }
    return undefined;
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
    const { panicThresholdPercent, rules } = this.#owner;
    const members = Map.groupBy(
      states.filter((state) => state.member),
      ({ priority }) => priority,
    );
    const groups = [...members]
      .toSorted(([a], [b]) => a - b)
      .map(([priority, all]): Group<Data> => {
        const degraded = all.filter((state) => state.degraded);
        const whole = degraded.length === 0 ? all : all.filter((state) => !state.degraded);
        return { priority, all, whole, degraded };
      });
    this.counts = groups.map(({ all, whole, degraded }) =>
      countOf(all, whole.filter(isUsable), degraded.filter(isUsable), rules),
    );
    this.degraded = this.counts.reduce((sum, { degraded }) => sum + degraded, 0);
    this.usable = this.counts.reduce((sum, { usable }) => sum + usable, this.degraded);
    const before = this.#levels;
    this.#levels = [];
    const loads = priorityLoads(this.counts, panicThresholdPercent);
    this.panics = loads[0]?.panic === true;
    for (const [index, { percent, panic }] of loads.entries())
      this.#addLevel(before, groups[index] as Group<Data>, false, percent, panic, partOf);
    for (const [index, { degradedPercent, panic }] of loads.entries()) {
      const group = groups[index] as Group<Data>;
      if (group.degraded.length > 0 && !panic)
        this.#addLevel(before, group, true, degradedPercent, false, partOf);
    }
    this.#only = this.#levels.find(({ load }) => load === 100);
  }

  /** @param panic of its priority: health is not believed */
  #addLevel(
    before: readonly Level<Data>[],
    { priority, all, whole, degraded: degradedOnes }: Group<Data>,
    degraded: boolean,
    load: number,
    panic: boolean,
    partOf: (state: State<Data>) => number,
  ): void {
    const { failsOnPanic, rules } = this.#owner;
    const level: Level<Data> = before.find(
      (known) => known.priority === priority && known.degraded === degraded,
    ) ?? { priority, degraded, picker: this.#owner.makePicker(), load: 0, panic: false, empty: true };
    const believesAll = panic && !failsOnPanic;
    const kind = believesAll ? all : degraded ? degradedOnes : whole;
    const usable = kind.filter(isUsable);
    level.load = load;
    level.panic = believesAll;
    level.empty = !believesAll && usable.length === 0;
    const refuses = panic && failsOnPanic;
    const chosen = refuses ? [] : believesAll || level.picker.ofMembers === true ? kind : usable;
    const states = setShares(chosen, all, this.#localityWeighted, partOf, rules.overprovisioningPercent);
    const zoned = priority === 0 && !degraded && !panic ? this.#zones : undefined;
    level.picker.rebuild(
      zoned === undefined ? states : setZoneShares(states, all, zoned.callers, zoned.rules),
      believesAll,
    );
    this.#levels.push(level);
  }
}

/** The members of one priority. */
interface Group<Data> {
  readonly priority: number;
  readonly all: readonly State<Data>[];
  /** Those that are not degraded, whatever else they are. */
  readonly whole: readonly State<Data>[];
  readonly degraded: readonly State<Data>[];
}

function isUsable({ usable }: State<unknown>): boolean {
  return usable;
}
