import type { Picker } from './picker.ts';
import { WeightedDraw } from './weighted-draw.ts';

/** Weighted random choice. */
export function randomPick<Data>(random: () => number): Picker<Data> {
  const draw = new WeightedDraw<Data>(random);
  return {
    rebuild: (states) => draw.rebuild(states),
    pick: (_nowMs, excluded) => draw.allowed(excluded),
  };
}
