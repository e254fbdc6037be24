import type { EndpointState } from './endpoint-state.ts';
import { sameShares } from './picker.ts';
import type { State } from './state.ts';

/** Draws before the rest is searched in order; each miss means that an excluded endpoint was drawn. */
const TRIES = 4;

/** Draws endpoints at random in proportion to their weights. */
export class WeightedDraw<Data> {
  states: readonly State<Data>[] = [];
  /** Whether all weights are the same. */
  even = true;
  #sums: Float64Array = new Float64Array(0);
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  rebuild(states: readonly State<Data>[]): void {
    this.states = states;
    this.even = sameShares(states);
    let sum = 0;
    this.#sums = Float64Array.from(states, (state) => (sum += state.share));
  }

  /** Index of an endpoint, -1 when there is none. */
  index(): number {
    const count = this.states.length;
    if (this.even || count < 2) return Math.floor(this.#random() * count) - (count === 0 ? 1 : 0);
    const point = this.#random() * (this.#sums[count - 1] as number);
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#sums[middle] as number) > point) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Index of another endpoint than `index`, with even weights and at least two endpoints. */
  otherIndex(index: number): number {
    const other = Math.floor(this.#random() * (this.states.length - 1));
    return other < index ? other : other + 1;
  }

  /** An endpoint that is not excluded, `undefined` when all are. */
  allowed(excluded: readonly EndpointState<Data>[]): State<Data> | undefined {
    let index = this.index();
    if (index === -1) return undefined;
    for (let tries = 1; tries < TRIES; tries += 1) {
      const state = this.states[index] as State<Data>;
      if (!excluded.includes(state)) return state;
      index = this.index();
    }
    for (let tried = 0; tried < this.states.length; tried += 1) {
      const state = this.states[(index + tried) % this.states.length] as State<Data>;
      if (!excluded.includes(state)) return state;
    }
    return undefined;
  }
}
