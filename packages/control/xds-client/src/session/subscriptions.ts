import { type DiscoverySource, type Need, sourceKey } from '../decode/discovery-source.ts';
import { NAMED_KINDS, type NamedKind, TYPE_URLS } from '../wire.ts';
import { type ClientRequest, clientRequest } from './messages.ts';
import type { Needed } from './references.ts';
import type { Store } from './store.ts';

/** What streams were asked for by name, and which one. */
export interface Subscriptions {
  /** Source by name; `undefined` is the stream of the session. */
  readonly named: { readonly [Kind in NamedKind]: Map<string, DiscoverySource | undefined> };
  /** Kinds and sources for which a first request was made. */
  readonly begun: Set<string>;
}

export function createSubscriptions(): Subscriptions {
  return {
    named: {
      route: new Map(),
      'virtual-host': new Map(),
      'scoped-route': new Map(),
      endpoint: new Map(),
      secret: new Map(),
      extension: new Map(),
    },
    begun: new Set(),
  };
}

/** Where what is needed is to be had, by kind and name. */
export type NeedsByName = ReadonlyMap<string, Need>;

/** The same, asked for; `undefined`: it is to be had of the session's own stream. */
export type NeedOf = (kind: NamedKind, name: string) => Need | undefined;

/**
 * Changes what is asked for to what is needed.
 * @param known what is here, claimed by version in the first request of a type
 * @returns the requests that say so: none when nothing changed
 */
export function subscribeTo(
  subscriptions: Subscriptions,
  needed: Needed,
  known: Store,
  needOf: NeedOf,
): ClientRequest[] {
  return NAMED_KINDS.flatMap((kind) => {
    const current = subscriptions.named[kind];
    const changes = new Map<
      string,
      { source: DiscoverySource | undefined; subscribe: string[]; unsubscribe: string[] }
    >();
    const changesOf = (
      source: DiscoverySource | undefined,
    ): { subscribe: string[]; unsubscribe: string[] } => {
      const key = keyOf(source);
      const found = changes.get(key) ?? { source, subscribe: [], unsubscribe: [] };
      changes.set(key, found);
      return found;
    };
    for (const [name, source] of current)
      if (!needed[kind].has(name) || keyOf(source) !== keyOf(needOf(kind, name)?.source)) {
        changesOf(source).unsubscribe.push(name);
        current.delete(name);
      }
    for (const name of needed[kind]) {
      if (current.has(name)) continue;
      const source = needOf(kind, name)?.source;
      changesOf(source).subscribe.push(name);
      current.set(name, source);
    }
    // A first request without names would mean all of them to some servers.
    return [...changes.values()].map(({ source, subscribe, unsubscribe }) => {
      const key = `${kind} ${keyOf(source)}`;
      const first = !subscriptions.begun.has(key);
      subscriptions.begun.add(key);
      const all = kind === 'scoped-route';
      const initialVersions = first ? versionsOf(known, kind, all ? undefined : subscribe) : {};
      return clientRequest(TYPE_URLS[kind], {
        // All of a type is what is asked for by no name.
        subscribe: all && first ? [] : subscribe,
        unsubscribe,
        initialVersions,
        ...(source && { source }),
      });
    });
  });
}

const keyOf = (source: DiscoverySource | undefined): string =>
  source === undefined ? 'ads' : sourceKey(source);

/** Version by name, of the given names or of all; what no server gave has none. */
export function versionsOf(
  store: Store,
  kind: keyof Store,
  names: Iterable<string> = store[kind].keys(),
): Record<string, string> {
  const versions: [string, string][] = [];
  for (const name of names) {
    const held = store[kind].get(name);
    if (held && held.fixed !== true) versions.push([name, held.version]);
  }
  return Object.fromEntries(versions);
}
