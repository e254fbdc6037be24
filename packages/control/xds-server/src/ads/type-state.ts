import { collectionOf } from './resource-collection.ts';

/** One client's subscription to one type, and what is known of what it has. */
export interface TypeState<Kind extends string = string> {
  readonly kind: Kind;
  /** Whether a first request without names means all of them: so it is for listeners and clusters. */
  readonly allByDefault: boolean;
  /** Whether a name stands for all that begin with it and a slash, too. */
  readonly namespaces: boolean;
  /** Whether the client asked for this type at all. */
  requested: boolean;
  /** Whether it was answered, if only by an empty response: a client waits for that before it starts. */
  answered: boolean;
  wildcard: boolean;
  readonly names: Set<string>;
  /** Version by name that the client has, or is being sent. {@link ABSENT}: it was told that there is none. */
  readonly client: Map<string, string>;
  /** Version by name that the client said it has from before, until that was compared with what it should have. */
  readonly claimed: Map<string, string>;
  /** Version by name that the client refused; not sent again until the resource changes. */
  readonly refused: Map<string, string>;
  /** Why, and when, by name; kept as long as it is refused. */
  readonly reasons: Map<string, { readonly message: string; readonly atMs: number }>;
  /** Names of what it should have and cannot be written for it: it keeps what it had of them. */
  unsendable: ReadonlySet<string>;
  /** Responses without an answer yet, oldest first. */
  readonly outstanding: Outstanding[];
  /** Something changed since {@link seen} was compared with what the client has. */
  dirty: boolean;
  /** Resources of the target that were compared last. */
  seen: readonly object[] | undefined;
  /** Up to where the client was reported to have everything; forgotten when its subscriptions change. */
  upToDate: { readonly changeId: string; readonly resources: readonly object[] } | undefined;
}

/** A response that the client has not answered yet. */
export interface Outstanding {
  /** Says only that resources are still good; its answer says nothing of a change. */
  readonly heartbeat?: true;
  readonly nonce: string;
  readonly changeId: string;
  readonly resources: readonly SentResource[];
  readonly removed: readonly string[];
  /** Milliseconds since 1970. */
  readonly sentAtMs: number;
  /** Monotonic. */
  readonly sentAt: number;
}

/** A resource with what the client had of it before. */
export interface SentResource {
  readonly name: string;
  readonly version: string;
  readonly previous: string | undefined;
}

/** In {@link TypeState.client}: the client knows that there is no such resource. */
export const ABSENT = '';
/** In {@link TypeState.client}: refused without saying which resource of several, so anything newer is sent. */
export const UNCERTAIN = '?';

export function createTypeState<Kind extends string>(
  kind: Kind,
  allByDefault: boolean,
  namespaces: boolean = false,
): TypeState<Kind> {
  return {
    kind,
    allByDefault,
    namespaces,
    requested: false,
    answered: false,
    wildcard: false,
    names: new Set(),
    client: new Map(),
    claimed: new Map(),
    refused: new Map(),
    reasons: new Map(),
    unsendable: new Set(),
    outstanding: [],
    dirty: true,
    seen: undefined,
    upToDate: undefined,
  };
}

/** Whether the client wants to hear of a resource. */
export function wants(state: TypeState, name: string): boolean {
  if (state.wildcard || state.names.has(name)) return true;
  const collection = collectionOf(name);
  return (
    (collection !== undefined && state.names.has(collection)) ||
    (state.namespaces && isWithin(state.names, name))
  );
}

function isWithin(names: ReadonlySet<string>, name: string): boolean {
  for (let end = name.indexOf('/'); end >= 0; end = name.indexOf('/', end + 1))
    if (names.has(name.slice(0, end))) return true;
  return false;
}

/** Whether a name that was asked for is one resource's, so that there may be none of it. */
export function isOne(state: TypeState, name: string): boolean {
  return (!state.namespaces || name.includes('/')) && collectionOf(name) !== name;
}

/** Whether what a client asked for may well be nothing, so that it waits to be told. */
export function asksForMany({ wildcard, names }: TypeState): boolean {
  return wildcard || [...names].some((name) => collectionOf(name) === name);
}

/**
 * Takes a request's subscriptions into account (xDS "Incremental xDS"). The first request of a type without names means
 * the wildcard where {@link TypeState.allByDefault} says so, the form that every client knows; `*` does for all types.
 */
export function applySubscriptions(
  state: TypeState,
  subscribe: readonly string[],
  unsubscribe: readonly string[],
  initialVersions: Readonly<Record<string, string>>,
): void {
  const first = !state.requested;
  state.requested = true;
  if (first && subscribe.length === 0 && state.allByDefault) state.wildcard = true;
  for (const name of subscribe) {
    if (name === '*') state.wildcard = true;
    else {
      // Asked for by name, or asked for again: sent, also where it came before (by the wildcard, say).
      forget(state, name);
      state.names.add(name);
    }
  }
  for (const name of unsubscribe) {
    if (name === '*') state.wildcard = false;
    // It may have dropped what it still gets by the wildcard: said once more (xDS "Unsubscribing From Resources").
    else if (state.names.delete(name) && state.wildcard) state.client.set(name, UNCERTAIN);
  }
  if (first) {
    for (const [name, version] of Object.entries(initialVersions)) {
      if (!wants(state, name) || version === ABSENT) continue;
      state.client.set(name, version);
      state.claimed.set(name, version);
    }
  }
  if (unsubscribe.length > 0) {
    for (const name of [...state.client.keys(), ...state.refused.keys()])
      if (!wants(state, name)) forget(state, name);
  }
  if (!first && subscribe.length + unsubscribe.length === 0) return;
  state.dirty = true;
  state.upToDate = undefined;
}

function forget(state: TypeState, name: string): void {
  state.client.delete(name);
  state.claimed.delete(name);
  state.refused.delete(name);
}

/** Removes and returns the response that a nonce answers; `undefined` for a stale one. */
export function takeOutstanding(state: TypeState, nonce: string): Outstanding | undefined {
  const place = state.outstanding.findIndex((one) => one.nonce === nonce);
  return place < 0 ? undefined : state.outstanding.splice(place, 1)[0];
}

/**
 * Notes what the client refused.
 * @param refused names, where the client says which; else everything in the response
 */
export function applyRefusal(
  state: TypeState,
  sent: Outstanding,
  refused: readonly string[] | undefined,
  reason: { readonly message: string; readonly atMs: number },
): void {
  for (const { name, version, previous } of sent.resources) {
    // What was taken before and came along in a whole state is not what is wrong with it.
    if (refused ? !refused.includes(name) : previous === version) continue;
    if (!wants(state, name)) continue;
    state.refused.set(name, version);
    state.reasons.set(name, reason);
    if (state.client.get(name) !== version) continue; // something newer was sent meanwhile
    if (!refused) state.client.set(name, UNCERTAIN);
    else if (previous === undefined) state.client.delete(name);
    else state.client.set(name, previous);
  }
  state.dirty = true;
}
