/**
 * A typed place on a stream through which one filter hands a value to a later one, e.g. verified JWT claims.
 * Compared by `name`, so two copies of a package agree. Filters list what they `provide` and `require`; a missing
 * provider is an error when the chain is built, by name, never at request time.
 */
export interface Slot<T> {
  /** `tulle.<area>.<name>` for Tulle's own, your package's name for yours. */
  readonly name: string;
  /** Type carrier only; never present. */
  readonly __type?: T;
}

/** Makes a slot. @param name unique, see {@link Slot.name} */
export function defineSlot<T>(name: string): Slot<T> {
  return Object.freeze({ name });
}
