import { defineSlot, type Slot } from './slot.ts';

/**
 * What filters put down about a request, or a connection, under keys, as texts: Envoy's filter state. Requests have that of their
 * connection, and put no other values down under its keys. Names come from outside: look them up with `Object.hasOwn`.
 */
export const FILTER_STATE: Slot<Readonly<Record<string, string>>> =
  defineSlot<Readonly<Record<string, string>>>('tulle.filter.state');

/** Keys of {@link FILTER_STATE} whose values stay. */
export const READ_ONLY_FILTER_STATE: Slot<ReadonlySet<string>> = defineSlot<ReadonlySet<string>>(
  'tulle.filter.state.read-only',
);

/**
 * Keys of {@link FILTER_STATE} that a listener of the same process is told when the request, or the bytes of the connection, go there:
 * `once`, or `always`, also the listeners behind it (Envoy `shared_with_upstream` ONCE and TRANSITIVE).
 */
export const SHARED_FILTER_STATE: Slot<ReadonlyMap<string, 'once' | 'always'>> =
  defineSlot<ReadonlyMap<string, 'once' | 'always'>>('tulle.filter.state.shared');

/** Something that filter state belongs to: a stream or a connection. */
export interface HoldsSlots {
  get<T>(slot: Slot<T>): T | undefined;
  set<T>(slot: Slot<T>, value: T): void;
}

/**
 * Puts a value down under a key of {@link FILTER_STATE}. One that is there and read-only stays; one that may be replaced is not made
 * read-only by a later one (Envoy: the two are of different types).
 * @param shared see {@link SHARED_FILTER_STATE}; default: no other listener is told
 */
export function putFilterState(
  of: HoldsSlots,
  key: string,
  value: string,
  readOnly = false,
  shared?: 'once' | 'always',
): void {
  const before = of.get(FILTER_STATE);
  const kept = of.get(READ_ONLY_FILTER_STATE);
  if (before !== undefined && Object.hasOwn(before, key) && (readOnly || kept?.has(key) === true)) return;
  // No name of a key is one of the prototype's.
  of.set(FILTER_STATE, Object.assign(Object.create(null), before, { [key]: value }));
  if (readOnly) of.set(READ_ONLY_FILTER_STATE, new Set(kept).add(key));
  const told = of.get(SHARED_FILTER_STATE);
  if (told?.get(key) === shared) return;
  const next = new Map(told);
  if (shared === undefined) next.delete(key);
  else next.set(key, shared);
  of.set(SHARED_FILTER_STATE, next);
}
