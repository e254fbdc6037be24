import type { Cluster, Endpoint, EndpointSet, ProxyConfig } from '@tulle/model';
import type { Snapshot } from '../provider.ts';

/** Gives snapshots in which each cluster says itself whom to expect. */
export type ExpectedIds = (snapshot: Snapshot) => Snapshot;

/** Options of {@link createExpectedIds}. */
export interface ExpectedIdsOptions {
  /**
   * Whether ids of the endpoints of before stay until the next change of ids: a client that takes cluster and endpoints apart
   * may still, or already, connect to those of the other state. Where nobody is left, nobody is believed at once. Default false.
   */
  readonly overlap?: boolean;
}

/**
 * Tulle's data plane checks the id that each endpoint is expected to prove. Other clients know only the list of the
 * cluster, and without one they believe anybody in the mesh. So for them a cluster with mesh trust and without
 * `allowedIds` is given the ids of its endpoints; one whose endpoints have none is given an empty list, which is nobody.
 */
export function createExpectedIds({ overlap = false }: ExpectedIdsOptions = {}): ExpectedIds {
  // Weak, by what they were made of: what did not change stays the same object, and is neither encoded nor sent again.
  const clusters = new WeakMap<
    Cluster,
    { readonly key: string; readonly ids: readonly string[]; readonly cluster: Cluster }
  >();
  const lists = new WeakMap<
    readonly Cluster[],
    { readonly endpoints: readonly EndpointSet[]; readonly clusters: readonly Cluster[] }
  >();
  const snapshots = new WeakMap<ProxyConfig, Snapshot>();

  function withIds(cluster: Cluster, sets: ReadonlyMap<string, EndpointSet>): Cluster {
    const { tls, discovery, name } = cluster;
    if (tls?.trust.kind !== 'mesh' || tls.allowedIds !== undefined) return cluster;
    const endpoints: readonly Endpoint[] =
      discovery.kind === 'eds'
        ? (sets.get(discovery.serviceName ?? name)?.endpoints ?? [])
        : 'endpoints' in discovery
          ? discovery.endpoints
          : [];
    const ids = [
      ...new Set(
        endpoints.flatMap(({ identity, mode }) =>
          identity === undefined || mode === 'none' ? [] : [identity],
        ),
      ),
    ].sort();
    const key = ids.join(' ');
    const known = clusters.get(cluster);
    if (known?.key === key) return known.cluster;
    const allowedIds =
      overlap && ids.length > 0 && known !== undefined ? [...new Set([...known.ids, ...ids])].sort() : ids;
    const made: Cluster = { ...cluster, tls: { ...tls, allowedIds } };
    clusters.set(cluster, { key, ids, cluster: made });
    return made;
  }

  function clustersOf({ clusters: given, endpoints }: ProxyConfig): readonly Cluster[] {
    const known = lists.get(given);
    if (known?.endpoints === endpoints) return known.clusters;
    const sets = new Map(endpoints.map((set) => [set.name, set]));
    const made = given.map((cluster) => withIds(cluster, sets));
    lists.set(given, { endpoints, clusters: made });
    return made;
  }

  return (snapshot) => {
    const known = snapshots.get(snapshot.config);
    if (known?.changeId === snapshot.changeId) return known;
    const made: Snapshot = {
      ...snapshot,
      config: { ...snapshot.config, clusters: clustersOf(snapshot.config) },
    };
    snapshots.set(snapshot.config, made);
    return made;
  };
}
