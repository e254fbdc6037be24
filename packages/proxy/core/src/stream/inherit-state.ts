import { FILTER_STATE, READ_ONLY_FILTER_STATE, SHARED_FILTER_STATE, type Slot } from '@tulle/filter';
import type { Passed } from '../internal/passed.ts';

/** A stream as far as it takes values over. */
interface Inheriting {
  setSlot<T>(slot: Slot<T>, value: T): void;
}

/** The filter state that a connection brought along is that of each of its streams. */
export function inheritState(stream: Inheriting, { filterState, keys, transitive }: Passed): void {
  if (filterState === undefined) return;
  stream.setSlot(FILTER_STATE, filterState);
  stream.setSlot(READ_ONLY_FILTER_STATE, keys);
  if (transitive !== undefined) stream.setSlot(SHARED_FILTER_STATE, transitive);
}
