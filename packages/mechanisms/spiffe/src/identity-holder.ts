import type { IdentitySnapshot, IdentitySource } from '@tulle/model';

/** An identity source whose snapshot is set by hand: files read at start, an agent's message, a test. */
export interface IdentityHolder extends IdentitySource {
  /** Replaces the snapshot and tells the subscribers, in the order in which they subscribed. */
  set(snapshot: IdentitySnapshot): void;
}

export function identityHolder(initial?: IdentitySnapshot): IdentityHolder {
  let current = initial;
  const subscribers = new Set<(snapshot: IdentitySnapshot) => void>();
  return {
    current: () => current,
    subscribe(fn) {
      const own = (snapshot: IdentitySnapshot): void => fn(snapshot);
      subscribers.add(own);
      return () => void subscribers.delete(own);
    },
    set(snapshot) {
      current = snapshot;
      for (const fn of [...subscribers]) fn(snapshot);
    },
  };
}
