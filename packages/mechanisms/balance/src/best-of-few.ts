import type { EndpointState } from './endpoint-state.ts';
import type { Picker } from './picker.ts';
import type { State } from './state.ts';
import { WeightedDraw } from './weighted-draw.ts';

/**
 * The best of a few endpoints drawn at random (Mitzenmacher's power of two choices): nearly as good as the best of all,
 * without everybody running to the same one. Draws are in proportion to weights; of equally good ones the first drawn
 * wins, so that weights hold exactly where load and latency say nothing.
 *
 * Equal weights draw different endpoints; unequal ones draw independently, or of two endpoints the lighter would be in
 * every comparison and its weight mean nothing.
 */
function bestOfFew<Data>(
  random: () => number,
  choices: number,
  load: (state: State<Data>, nowMs: number) => number,
): Picker<Data> {
  const draw = new WeightedDraw<Data>(random);
  return {
    rebuild: (states) => draw.rebuild(states),
    pick(nowMs, excluded: readonly EndpointState<Data>[]) {
      const { states } = draw;
      if (excluded.length === 0 && draw.even && choices === 2 && states.length > 1) {
        const index = draw.index();
        const first = states[index] as State<Data>;
        const second = states[draw.otherIndex(index)] as State<Data>;
        return load(second, nowMs) < load(first, nowMs) ? second : first;
      }
      let best = draw.allowed(excluded);
      if (best === undefined || states.length === 1) return best;
      let bestLoad = load(best, nowMs);
      for (let drawn = 1; drawn < choices; drawn += 1) {
        const other = draw.allowed(excluded) as State<Data>;
        if (other === best) continue;
        const otherLoad = load(other, nowMs);
        if (otherLoad < bestLoad) {
          best = other;
          bestLoad = otherLoad;
        }
      }
      return best;
    },
  };
}

/**
 * Fewest active requests for its weight.
 * @param bias how much requests count against weights; at 1 an endpoint of twice the weight has twice the requests
 */
export function leastRequest<Data>(random: () => number, choices: number, bias = 1): Picker<Data> {
  return bestOfFew(random, choices, loadOf(bias));
}

/** The least loaded of all; of equally good ones that which is found first from a point drawn at random. */
export function leastOfAll<Data>(random: () => number, bias = 1): Picker<Data> {
  const load = loadOf<Data>(bias);
  let all: readonly State<Data>[] = [];
  return {
    rebuild(states) {
      all = states;
    },
    pick(_nowMs, excluded: readonly EndpointState<Data>[]) {
      let best: State<Data> | undefined;
      let bestLoad = Infinity;
      const start = Math.floor(random() * all.length);
      for (let step = 0; step < all.length; step += 1) {
        const state = all[(start + step) % all.length] as State<Data>;
        const itsLoad = load(state);
        if (itsLoad >= bestLoad || excluded.includes(state)) continue;
        best = state;
        bestLoad = itsLoad;
      }
      return best;
    },
  };
}

/** With another bias than 1 weights must count where nobody has a request, too. */
function loadOf<Data>(bias: number): (state: State<Data>) => number {
  return bias === 1
    ? (state) => state.active / state.share
    : (state) => (state.active + 1) ** bias / state.share;
}

/** Least expected latency times load. */
export function peakEwma<Data>(random: () => number): Picker<Data> {
  return bestOfFew(random, 2, (state, nowMs) => state.cost(nowMs));
}
