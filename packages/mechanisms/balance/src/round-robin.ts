import type { EndpointState } from './endpoint-state.ts';
import { sameShares, type Picker } from './picker.ts';
import type { State } from './state.ts';

/** An endpoint with the moment of virtual time at which it is next. */
interface Turn<Data> {
  dueAt: number;
  readonly state: State<Data>;
}

/** Virtual time starts anew past this, long before additions of 1/weight lose precision. */
const REBASE_AT = 2 ** 24;

/**
 * Weighted round robin. Equal weights: each in turn. Otherwise earliest deadline first: an endpoint of weight w is next
 * every 1/w, which spreads its turns evenly. Starts at a random turn, so that proxies that start together do not all
 * begin with the first endpoint.
 */
export function roundRobin<Data>(random: () => number): Picker<Data> {
  let states: readonly State<Data>[] = [];
  let turns: Turn<Data>[] | undefined;
  let next = -1;

  function inOrder(excluded: readonly EndpointState<Data>[]): State<Data> | undefined {
    for (let tried = 0; tried < states.length; tried += 1) {
      next = next + 1 < states.length ? next + 1 : 0;
      const state = states[next] as State<Data>;
      if (!excluded.includes(state)) return state;
    }
    return undefined;
  }

  function byDeadline(heap: Turn<Data>[], excluded: readonly EndpointState<Data>[]): State<Data> | undefined {
    let chosen = -1;
    if (excluded.length === 0) {
      chosen = heap.length > 0 ? 0 : -1;
    } else {
      for (let index = 0; index < heap.length; index += 1) {
        const turn = heap[index] as Turn<Data>;
        if (excluded.includes(turn.state)) continue;
        if (chosen === -1 || turn.dueAt < (heap[chosen] as Turn<Data>).dueAt) chosen = index;
      }
    }
    if (chosen === -1) return undefined;
    const turn = heap[chosen] as Turn<Data>;
    turn.dueAt += 1 / turn.state.share;
    if (turn.dueAt > REBASE_AT) {
      const base = (heap[0] as Turn<Data>).dueAt;
      for (const other of heap) other.dueAt -= base;
    }
    siftDown(heap, chosen);
    return turn.state;
  }

  return {
    rebuild(usable) {
      states = usable;
      if (sameShares(usable)) {
        turns = undefined;
        if (next === -1) next = Math.floor(random() * usable.length) - 1;
        else if (usable.length > 0) next %= usable.length;
        return;
      }
      // Who stays keeps its place, so that shares that change little by little do not begin anew each time.
      const before = new Map(turns?.map((turn) => [turn.state, turn.dueAt]));
      const now = turns?.[0]?.dueAt ?? 0;
      turns = usable.map((state) => ({
        state,
        dueAt: before.get(state) ?? now + random() / state.share,
      }));
      turns.sort((a, b) => a.dueAt - b.dueAt);
    },
    pick: (_nowMs, excluded) => (turns === undefined ? inOrder(excluded) : byDeadline(turns, excluded)),
  };
}

function siftDown(heap: Turn<unknown>[], start: number): void {
  const moving = heap[start] as Turn<unknown>;
  let index = start;
  for (;;) {
    let child = 2 * index + 1;
    if (child >= heap.length) break;
    if (
      child + 1 < heap.length &&
      (heap[child + 1] as Turn<unknown>).dueAt < (heap[child] as Turn<unknown>).dueAt
    )
      child += 1;
    if ((heap[child] as Turn<unknown>).dueAt >= moving.dueAt) break;
    heap[index] = heap[child] as Turn<unknown>;
    index = child;
  }
  heap[index] = moving;
}
