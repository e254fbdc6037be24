import { defineSlot, type Slot } from './slot.ts';
import type { HttpStream } from './stream.ts';

/**
 * What filters put down about a request under keys, as texts: Envoy's filter state. Names come from outside: look them up with
 * `Object.hasOwn`.
 */
export const FILTER_STATE: Slot<Readonly<Record<string, string>>> =
  defineSlot<Readonly<Record<string, string>>>('tulle.filter.state');

/** Keys of {@link FILTER_STATE} whose values stay. */
export const READ_ONLY_FILTER_STATE: Slot<ReadonlySet<string>> = defineSlot<ReadonlySet<string>>(
  'tulle.filter.state.read-only',
);

/**
 * Keys of {@link FILTER_STATE} that a listener of the same process is told when the request goes there: `once`, or `always`, also the
 * listeners behind it (Envoy `shared_with_upstream` ONCE and TRANSITIVE).
 */
export const SHARED_FILTER_STATE: Slot<ReadonlyMap<string, 'once' | 'always'>> =
  defineSlot<ReadonlyMap<string, 'once' | 'always'>>('tulle.filter.state.shared');

/**
 * Puts a value down under a key of {@link FILTER_STATE}. One that is there and read-only stays; one that may be replaced is not made
 * read-only by a later one (Envoy: the two are of different types).
 * @param shared see {@link SHARED_FILTER_STATE}; default: no other listener is told
 */
export function putFilterState(
  stream: HttpStream,
  key: string,
  value: string,
  readOnly = false,
  shared?: 'once' | 'always',
): void {
  const before = stream.get(FILTER_STATE);
  const kept = stream.get(READ_ONLY_FILTER_STATE);
  if (before !== undefined && Object.hasOwn(before, key) && (readOnly || kept?.has(key) === true)) return;
  // No name of a key is one of the prototype's.
  stream.set(FILTER_STATE, Object.assign(Object.create(null), before, { [key]: value }));
  if (readOnly) stream.set(READ_ONLY_FILTER_STATE, new Set(kept).add(key));
  const told = stream.get(SHARED_FILTER_STATE);
  if (told?.get(key) === shared) return;
  const next = new Map(told);
  if (shared === undefined) next.delete(key);
  else next.set(key, shared);
  stream.set(SHARED_FILTER_STATE, next);
}
