import { batches } from './batches.ts';
import type { PushHost, PushStrategy } from './push.ts';
import type { Differences } from './differences.ts';
import { ABSENT, asksForMany, UNCERTAIN, wants } from './type-state.ts';

/**
 * For any other client: clusters with their endpoints, listeners, routes, each only when the ones before are answered, and
 * removals after everything else (make before break). Always from the newest snapshot: what changes while an answer is
 * awaited is coalesced.
 */
export function createOrderedPush<Kind extends string, Shot extends { readonly changeId: string }>(
  host: PushHost<Kind, Shot>,
): PushStrategy<Kind> {
  const { types, rules, comparer, limits } = host;
  let waitUntil: number | undefined;
  let removeAt: number | undefined;

  function differences(kind: Kind, snapshot: Shot): Differences {
    const state = types.of(kind);
    const found = comparer.compare(state, snapshot, host.unsendable(snapshot.changeId));
    if (found.unsendable !== undefined) state.unsendable = found.unsendable;
    return rules.keepsNamed?.(kind) === true && found.removed.length > 0
      ? { ...found, removed: found.removed.filter((name) => !state.names.has(name)) }
      : found;
  }

  function settled(kind: Kind, snapshot: Shot): void {
    const state = types.of(kind);
    state.dirty = false;
    state.seen = rules.resources(snapshot, kind);
  }

  /** Whether the client has not said yet what leads to the kind. */
  function isEarly(kind: Kind): boolean {
    return rules.root !== undefined && kind !== rules.root && !types.of(rules.root).requested;
  }

  /** @returns whether something was sent, or must be answered first */
  function add(kind: Kind, snapshot: Shot): boolean {
    if (isEarly(kind)) return false;
    const state = types.of(kind);
    if (state.outstanding.length > 0) return true;
    const { changed, removed, absent, held } = differences(kind, snapshot);
    host.resumed(kind, snapshot.changeId, held);
    const [first, ...more] = batches(changed, host.batchBytes(kind));
    // A wildcard is answered even by nothing, or the client waits for it; so is a directory.
    if (!first && absent.length === 0 && (state.answered || !asksForMany(state))) {
      if (removed.length === 0) settled(kind, snapshot);
      return false;
    }
    const swapped = rules.swaps?.(kind) === true ? removed : [];
    const sent = host.send(kind, snapshot.changeId, first ?? [], [...absent, ...swapped], undefined);
    if (kind === rules.cluster) sendEndpointsAgain(new Set((first ?? []).map(({ name }) => name)), snapshot);
    if (more.length === 0 && removed.length === swapped.length) settled(kind, snapshot);
    else state.dirty = true;
    return sent;
  }

  /**
   * A cluster that changed is built anew and waits for its endpoints, which the client asked for long ago and does not
   * ask for again (xDS "Eventual consistency considerations": a cluster's update is followed by its endpoints).
   */
  function sendEndpointsAgain(clusters: ReadonlySet<string>, snapshot: Shot): void {
    const state = types.of(rules.endpoint);
    for (const { cluster, endpoints } of rules.discovered(snapshot))
      if (clusters.has(cluster) && state.client.delete(endpoints)) state.dirty = true;
  }

  /** What refused to change, or could not be told to, may still point at what is to go. */
  function mayRemove(kind: Kind): boolean {
    return (
      rules.points(kind) ||
      types
        .all()
        .every((state) => !rules.points(state.kind) || state.refused.size + state.unsendable.size === 0)
    );
  }

  function remove(kind: Kind, snapshot: Shot): boolean {
    if (!mayRemove(kind)) return false;
    const { removed } = differences(kind, snapshot);
    if (removed.length === 0) return false;
    const sent = host.send(kind, snapshot.changeId, [], removed, undefined);
    settled(kind, snapshot);
    return sent;
  }

  /** Whether the client has a cluster whose endpoints it has not asked for yet, and may still be about to. */
  function awaitsEndpoints(snapshot: Shot): boolean {
    if (waitUntil === undefined) return false;
    if (host.nowMs() >= waitUntil || !hasUnasked(snapshot)) waitUntil = undefined;
    return waitUntil !== undefined;
  }

  function hasUnasked(snapshot: Shot): boolean {
    const { client, refused } = types.of(rules.cluster);
    for (const { cluster, endpoints } of rules.discovered(snapshot)) {
      const version = client.get(cluster);
      if (version === undefined || version === UNCERTAIN || refused.has(cluster)) continue;
      if (!wants(types.of(rules.endpoint), endpoints)) return true;
    }
    return false;
  }

  /**
   * Whether the client is about to ask for what it was led to, or to give up clusters that it asked for by name. Until then
   * it may still use what is to go: gRPC answers a listener first and asks for its routes after, it is the routes that lead
   * it to other clusters, and calls that are under way hold the clusters of before.
   */
  function mayStillUse(snapshot: Shot): boolean {
    if (removeAt === undefined) return false;
    if (host.nowMs() >= removeAt || !(hasUnfollowed(snapshot) || holdsCluster(snapshot)))
      removeAt = undefined;
    return removeAt !== undefined;
  }

  function holdsCluster(snapshot: Shot): boolean {
    const { names } = types.of(rules.cluster);
    return names.size > 0 && differences(rules.cluster, snapshot).removed.some((name) => names.has(name));
  }

  function hasUnfollowed(snapshot: Shot): boolean {
    for (const { kind, name, to } of rules.leads?.(snapshot) ?? []) {
      const version = types.of(kind).client.get(name);
      if (version === undefined || version === ABSENT || version === UNCERTAIN) continue;
      if (!wants(types.of(to.kind), to.name)) return true;
    }
    return false;
  }

  return {
    pump() {
      // Also where nothing can be sent now: a time that is over is none to wait for.
      const now = host.nowMs();
      if (waitUntil !== undefined && now >= waitUntil) waitUntil = undefined;
      if (removeAt !== undefined && now >= removeAt) removeAt = undefined;
      if (!host.canWrite()) return;
      const snapshot = host.current();
      for (const stage of types.stages()) {
        let busy = false;
        // All of a stage, though one is not answered: Envoy answers clusters only when they are warm, and they are not
        // before their endpoints are there.
        for (const kind of stage) if (add(kind, snapshot)) busy = true;
        if (busy || (stage.includes(rules.endpoint) && awaitsEndpoints(snapshot))) return;
      }
      if (mayStillUse(snapshot)) return;
      for (const kind of types.removals()) if (remove(kind, snapshot)) return;
    },
    answered(kind) {
      if (limits.dependencyWaitMs === 0) return;
      const until = host.nowMs() + limits.dependencyWaitMs;
      if (kind === rules.cluster) waitUntil = until;
      // From the first answer on: those that follow do not put removals off for ever.
      if (rules.leads) removeAt ??= until;
    },
    deadlineMs: () =>
      waitUntil === undefined || removeAt === undefined
        ? (waitUntil ?? removeAt)
        : Math.min(waitUntil, removeAt),
    idle: () => true,
  };
}
