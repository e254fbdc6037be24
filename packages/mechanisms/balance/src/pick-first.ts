import type { EndpointState } from './endpoint-state.ts';
import type { Picker } from './picker.ts';
import type { State } from './state.ts';

/**
 * The first endpoint that may be picked (gRPC's `pick_first`, gRFC A62).
 * @param shuffle in an order by chance, which an endpoint keeps as long as it is there
 */
export function pickFirst<Data>(random: () => number, shuffle: boolean): Picker<Data> {
  const places = new WeakMap<State<Data>, number>();
  const placeOf = (state: State<Data>): number => {
    let place = places.get(state);
    if (place === undefined) places.set(state, (place = random()));
    return place;
  };
  let order: readonly State<Data>[] = [];
  return {
    rebuild(states) {
      order = shuffle ? states.toSorted((a, b) => placeOf(a) - placeOf(b)) : states;
    },
    pick(_nowMs, excluded: readonly EndpointState<Data>[]) {
      for (let index = 0; index < order.length; index += 1) {
        const state = order[index] as State<Data>;
        if (!excluded.includes(state)) return state;
      }
      return undefined;
    },
  };
}
