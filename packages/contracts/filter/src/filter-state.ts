import { defineSlot, type Slot } from './slot.ts';
import type { HttpStream } from './stream.ts';

/**
 * What filters put down about a request under keys, as texts: Envoy's filter state. Names come from outside: look them up with
 * `Object.hasOwn`.
 */
export const FILTER_STATE: Slot<Readonly<Record<string, string>>> =
  defineSlot<Readonly<Record<string, string>>>('tulle.filter.state');

/** Keys of {@link FILTER_STATE} whose values stay. */
const READ_ONLY: Slot<ReadonlySet<string>> = defineSlot<ReadonlySet<string>>('tulle.filter.state.read-only');

/**
 * Puts a value down under a key of {@link FILTER_STATE}. One that is there and read-only stays; one that may be replaced is not made
 * read-only by a later one (Envoy: the two are of different types).
 */
export function putFilterState(stream: HttpStream, key: string, value: string, readOnly = false): void {
  const before = stream.get(FILTER_STATE);
  const kept = stream.get(READ_ONLY);
  if (before !== undefined && Object.hasOwn(before, key) && (readOnly || kept?.has(key) === true)) return;
  // No name of a key is one of the prototype's.
  stream.set(FILTER_STATE, Object.assign(Object.create(null), before, { [key]: value }));
  if (readOnly) stream.set(READ_ONLY, new Set(kept).add(key));
}
