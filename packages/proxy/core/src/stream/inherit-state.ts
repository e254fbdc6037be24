import {
  CONNECTION_METADATA,
  DYNAMIC_METADATA,
  FILTER_STATE,
  READ_ONLY_FILTER_STATE,
  SHARED_FILTER_STATE,
  type Slot,
} from '@tulle/filter';
import type { ConnectionState } from '../internal/connection-state.ts';

/** A stream as far as it takes values over. */
interface Inheriting {
  setSlot<T>(slot: Slot<T>, value: T): void;
}

/** The filter state of a connection is that of each of its streams, and stays there; its metadata is kept apart from theirs. */
export function inheritState(stream: Inheriting, of: ConnectionState): void {
  const metadata = of.get(DYNAMIC_METADATA);
  if (metadata !== undefined) stream.setSlot(CONNECTION_METADATA, metadata);
  const state = of.get(FILTER_STATE);
  if (state === undefined) return;
  stream.setSlot(FILTER_STATE, state);
  stream.setSlot(READ_ONLY_FILTER_STATE, of.keys);
  const shared = of.get(SHARED_FILTER_STATE);
  if (shared !== undefined) stream.setSlot(SHARED_FILTER_STATE, shared);
}
