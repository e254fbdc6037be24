import type { Balancer } from './balancer.ts';
import type { EndpointState } from './endpoint-state.ts';
import { priorityLoads, type PriorityCount } from './priority-loads.ts';

/** See {@link createAggregateBalancer}. */
export interface AggregateOptions<Data> {
  /** Those that are there now, first to last. Asked for each pick, and not kept. */
  parts(): readonly Balancer<Data>[];
  /** Fewer usable endpoints of a priority than this, percent, and health is not believed; 0: never. Default 50. */
  readonly panicThresholdPercent?: number;
  /** Uniform in [0, 1). */
  random(): number;
  /** One of a part was picked. */
  onPick?(part: number): void;
}

/** What an aggregate is asked. */
export type AggregateBalancer<Data> = Pick<
  Balancer<Data>,
  'pick' | 'usable' | 'degraded' | 'size' | 'hashes' | 'readsLoad' | 'endpoints'
>;

const DEFAULT_PANIC_PERCENT = 50;

/**
 * Chooses among the endpoints of several balancers as if the priorities of the second followed those of the first, and so on
 * (Envoy `extensions.clusters.aggregate.v3`); within a part its own policy chooses. Allocates nothing while nothing changes.
 */
export function createAggregateBalancer<Data>(options: AggregateOptions<Data>): AggregateBalancer<Data> {
  const { panicThresholdPercent = DEFAULT_PANIC_PERCENT } = options;
  let seen: (readonly PriorityCount[])[] = [];
  /** Percent of all picks, by whether they are of degraded endpoints, and whether some of a part is in panic. */
  let loads: { percent: number; degradedPercent: number; panic: boolean }[] = [];

  /** Lists of the parts, and all of them in one. */
  let lists: (readonly EndpointState<Data>[])[] = [];
  let all: readonly EndpointState<Data>[] = [];

  /** Another list whenever that of a part is, as of a balancer: whoever keeps something of a set goes by that. */
  function allEndpoints(parts: readonly Balancer<Data>[]): readonly EndpointState<Data>[] {
    if (parts.length === lists.length && parts.every(({ endpoints }, index) => endpoints === lists[index]))
      return all;
    lists = parts.map(({ endpoints }) => endpoints);
    return (all = lists.flat());
  }

  /** Weighs the parts anew where one of them changed. */
  function weigh(parts: readonly Balancer<Data>[], nowMs: number): void {
    let same = parts.length === seen.length;
    for (let index = 0; index < parts.length; index += 1) {
      const part = parts[index] as Balancer<Data>;
      part.refresh(nowMs); // also one that gets nothing now: its ejections end
      if (part.counts !== seen[index]) same = false;
    }
    if (same) return;
    seen = parts.map((part) => part.counts);
    const each = priorityLoads(seen.flat(), panicThresholdPercent);
    let at = 0;
    loads = seen.map((counts) => {
      const own = each.slice(at, (at += counts.length));
      return {
        percent: own.reduce((sum, { percent }) => sum + percent, 0),
        degradedPercent: own.reduce((sum, { degradedPercent }) => sum + degradedPercent, 0),
        panic: own.some(({ panic }) => panic),
      };
    });
  }

  /** A part, or behind those, counted on, a part's degraded endpoints. */
  function draw(): number {
    let point = options.random() * 100;
    for (let index = 0; index < 2 * loads.length; index += 1) {
      const degraded = index >= loads.length;
      const load = loads[degraded ? index - loads.length : index] as (typeof loads)[number];
      point -= degraded ? load.degradedPercent : load.percent;
      if (point < 0) return index;
    }
    return -1;
  }

  return {
    get endpoints() {
      return allEndpoints(options.parts());
    },
    get size() {
      return options.parts().reduce((sum, part) => sum + part.size, 0);
    },
    get usable() {
      return options.parts().reduce((sum, part) => sum + part.usable, 0);
    },
    get degraded() {
      return options.parts().reduce((sum, part) => sum + part.degraded, 0);
    },
    get readsLoad() {
      return options.parts().some((part) => part.readsLoad);
    },
    get hashes() {
      return options.parts().some((part) => part.hashes);
    },
    pick(nowMs, excluded, hash = -1, subset) {
      const parts = options.parts();
      weigh(parts, nowMs);
      const drawn = draw();
      const pickOf = (place: number): EndpointState<Data> | undefined => {
        const degraded = place >= parts.length;
        const index = degraded ? place - parts.length : place;
        const part = parts[index];
        const state =
          // Of a subset the part itself knows what is usable, and what to do where nothing is.
          loads[index]?.panic === true || subset !== undefined
            ? part?.pick(nowMs, excluded, hash, subset)
            : part?.pickUsable(nowMs, excluded, hash, degraded);
        if (state !== undefined) options.onPick?.(index);
        return state;
      };
      const state = drawn < 0 ? undefined : pickOf(drawn);
      if (state !== undefined) return state;
      // Everything of the drawn part is excluded: one of another, whatever load that has.
      for (let place = 0; place < 2 * parts.length; place += 1) {
        const other = place === drawn ? undefined : pickOf(place);
        if (other !== undefined) return other;
      }
      return undefined;
    },
  };
}
