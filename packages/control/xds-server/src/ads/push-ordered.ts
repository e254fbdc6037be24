import type { ResourceKind, Snapshot } from '../provider.ts';
import { ADD_ORDER, REMOVE_ORDER } from '../wire.ts';
import { batches } from './batches.ts';
import type { PushHost, PushStrategy } from './push.ts';
import { type Differences, resourcesOf } from './differences.ts';
import { UNCERTAIN, wants } from './type-state.ts';

/**
 * For any other client: clusters with their endpoints, listeners, routes, each only when the ones before are answered, and
 * removals after everything else (make before break). Always from the newest snapshot: what changes while an answer is
 * awaited is coalesced.
 */
export function createOrderedPush(host: PushHost): PushStrategy {
  const { types, comparer, limits } = host;
  let waitUntil: number | undefined;

  function differences(kind: ResourceKind, snapshot: Snapshot): Differences {
    return comparer.compare(types[kind], snapshot, host.unsendable(snapshot.changeId));
  }

  function settled(kind: ResourceKind, snapshot: Snapshot): void {
    types[kind].dirty = false;
    types[kind].seen = resourcesOf(snapshot, kind);
  }

  /** @returns whether something was sent, or must be answered first */
  function add(kind: ResourceKind, snapshot: Snapshot): boolean {
    const state = types[kind];
    if (state.outstanding.length > 0) return true;
    const { changed, removed, absent, held } = differences(kind, snapshot);
    host.resumed(kind, snapshot.changeId, held);
    const [first, ...more] = batches(changed, host.batchBytes(kind));
    // A wildcard is answered even by nothing, or the client waits for it.
    if (!first && absent.length === 0 && (state.answered || !state.wildcard)) {
      if (removed.length === 0) settled(kind, snapshot);
      return false;
    }
    const sent = host.send(kind, snapshot.changeId, first ?? [], absent, undefined);
    if (kind === 'cluster') sendEndpointsAgain(new Set((first ?? []).map(({ name }) => name)), snapshot);
    if (more.length === 0 && removed.length === 0) settled(kind, snapshot);
    else state.dirty = true;
    return sent;
  }

  /**
   * A cluster that changed is built anew and waits for its endpoints, which the client asked for long ago and does not
   * ask for again (xDS "Eventual consistency considerations": a cluster's update is followed by its endpoints).
   */
  function sendEndpointsAgain(clusters: ReadonlySet<string>, snapshot: Snapshot): void {
    const { client } = types.endpoint;
    for (const { name, discovery } of snapshot.config.clusters) {
      if (discovery.kind !== 'eds' || !clusters.has(name)) continue;
      if (client.delete(discovery.serviceName ?? name)) types.endpoint.dirty = true;
    }
  }

  /** What refused to change may still point at what is to go. */
  function mayRemove(kind: ResourceKind): boolean {
    return (
      kind === 'listener' ||
      kind === 'route' ||
      (types.listener.refused.size === 0 && types.route.refused.size === 0)
    );
  }

  function remove(kind: ResourceKind, snapshot: Snapshot): boolean {
    if (!mayRemove(kind)) return false;
    const { removed } = differences(kind, snapshot);
    if (removed.length === 0) return false;
    const sent = host.send(kind, snapshot.changeId, [], removed, undefined);
    settled(kind, snapshot);
    return sent;
  }

  /** Whether the client has a cluster whose endpoints it has not asked for yet, and may still be about to. */
  function awaitsEndpoints(snapshot: Snapshot): boolean {
    if (waitUntil === undefined) return false;
    if (
      host.nowMs() >= waitUntil ||
      !snapshot.config.clusters.some((cluster) => {
        if (cluster.discovery.kind !== 'eds') return false;
        const version = types.cluster.client.get(cluster.name);
        if (version === undefined || version === UNCERTAIN || types.cluster.refused.has(cluster.name))
          return false;
        return !wants(types.endpoint, cluster.discovery.serviceName ?? cluster.name);
      })
    ) {
      waitUntil = undefined;
    }
    return waitUntil !== undefined;
  }

  return {
    pump() {
      if (!host.canWrite()) return;
      const snapshot = host.current();
      for (const kind of ADD_ORDER) {
        if (add(kind, snapshot)) {
          // Envoy answers clusters only when they are warm, and they are not before their endpoints are there.
          if (kind === 'cluster') add('endpoint', snapshot);
          return;
        }
        if (kind === 'endpoint' && awaitsEndpoints(snapshot)) return;
      }
      for (const kind of REMOVE_ORDER) {
        if (remove(kind, snapshot)) return;
      }
    },
    answered(kind) {
      if (kind === 'cluster' && limits.dependencyWaitMs > 0)
        waitUntil = host.nowMs() + limits.dependencyWaitMs;
    },
    deadlineMs: () => waitUntil,
    idle: () => true,
  };
}
