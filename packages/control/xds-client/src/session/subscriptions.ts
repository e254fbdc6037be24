import { TYPE_URLS } from '../wire.ts';
import { type ClientRequest, clientRequest } from './messages.ts';
import type { Needed } from './references.ts';
import type { Store } from './store.ts';

/** What one stream has asked for by name. */
export interface Subscriptions {
  readonly route: Set<string>;
  readonly endpoint: Set<string>;
  /** Types for which a first request was made on this stream. */
  readonly begun: Set<'route' | 'endpoint'>;
}

export function createSubscriptions(): Subscriptions {
  return { route: new Set(), endpoint: new Set(), begun: new Set() };
}

/**
 * Changes what is asked for to what is needed.
 * @param known what is here, claimed by version in the first request of a type
 * @returns the requests that say so: none when nothing changed
 */
export function subscribeTo(subscriptions: Subscriptions, needed: Needed, known: Store): ClientRequest[] {
  return (['endpoint', 'route'] as const).flatMap((kind) => {
    const current = subscriptions[kind];
    const subscribe = [...needed[kind]].filter((name) => !current.has(name));
    const unsubscribe = [...current].filter((name) => !needed[kind].has(name));
    // A first request without names would mean all of them to some servers.
    if (subscribe.length + unsubscribe.length === 0) return [];
    for (const name of subscribe) current.add(name);
    for (const name of unsubscribe) current.delete(name);
    const first = !subscriptions.begun.has(kind);
    subscriptions.begun.add(kind);
    const initialVersions = first ? versionsOf(known, kind, subscribe) : {};
    return [clientRequest(TYPE_URLS[kind], { subscribe, unsubscribe, initialVersions })];
  });
}

/** Version by name, of the given names or of all. */
export function versionsOf(
  store: Store,
  kind: keyof Store,
  names: Iterable<string> = store[kind].keys(),
): Record<string, string> {
  const versions: [string, string][] = [];
  for (const name of names) {
    const held = store[kind].get(name);
    if (held) versions.push([name, held.version]);
  }
  return Object.fromEntries(versions);
}
