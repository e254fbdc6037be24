import type { Cluster, EndpointSet, ProxyConfig } from '@tulle/model';
import type { Snapshot } from '../provider.ts';

/** Gives snapshots in which all endpoints of a cluster are reached in one way. */
export type OneKindOfTls = (snapshot: Snapshot) => Snapshot;

/**
 * A proxy reaches some endpoints of a Service by mutual TLS and others in clear, as each of them says. gRPC has one way for
 * all: in clear where none of them has a proxy or is one, else mutual TLS to those that can, and the others are left out.
 */
export function createOneKindOfTls(): OneKindOfTls {
  // Weak, by what they were made of: what did not change stays the same object, and is neither encoded nor sent again.
  const plain = new WeakMap<Cluster, Cluster>();
  const proven = new WeakMap<EndpointSet, EndpointSet>();
  const snapshots = new WeakMap<ProxyConfig, Snapshot>();

  function inClear(cluster: Cluster): Cluster {
    let made = plain.get(cluster);
    if (made === undefined) {
      const { tls: _, ...rest } = cluster;
      plain.set(cluster, (made = rest));
    }
    return made;
  }

  function withTls(set: EndpointSet): EndpointSet {
    let made = proven.get(set);
    if (made === undefined) {
      const endpoints = set.endpoints.filter(({ mode }) => mode !== 'none');
      made = endpoints.length === set.endpoints.length ? set : { ...set, endpoints };
      proven.set(set, made);
    }
    return made;
  }

  function make({ changeId, config }: Snapshot): Snapshot {
    const sets = new Map(config.endpoints.map((set) => [set.name, set]));
    const clusters = config.clusters.map((cluster) => {
      const { tls, discovery, name } = cluster;
      if (tls?.trust.kind !== 'mesh' || discovery.kind !== 'eds') return cluster;
      const key = discovery.serviceName ?? name;
      const set = sets.get(key);
      if (set === undefined) return cluster;
      if (set.endpoints.length > 0 && set.endpoints.every(({ mode }) => mode === 'none'))
        return inClear(cluster);
      sets.set(key, withTls(set));
      return cluster;
    });
    return { changeId, config: { ...config, clusters, endpoints: [...sets.values()] } };
  }

  return (snapshot) => {
    let made = snapshots.get(snapshot.config);
    if (made?.changeId !== snapshot.changeId) snapshots.set(snapshot.config, (made = make(snapshot)));
    return made;
  };
}
