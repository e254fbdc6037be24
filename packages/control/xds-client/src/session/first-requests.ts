import { canonicalName } from '../decode/resource-name.ts';
import { TYPE_URLS } from '../wire.ts';
import type { Roots } from './contract.ts';
import type { Demand, Demands } from './demands.ts';
import { type ClientRequest, clientRequest } from './messages.ts';
import type { Store } from './store.ts';
import { versionsOf } from './subscriptions.ts';

/**
 * What a new stream is asked for that nothing here names: all listeners and clusters, and the clusters that requests asked for.
 * Listeners come after clusters: a server that sends changes whole begins when it has seen what is here.
 */
export function firstRequests(roots: Roots | undefined, active: Store, demands: Demands): ClientRequest[] {
  // A server that has these under no other name would say that they are gone: they are asked for by themselves.
  const given = [...active.cluster.keys()].filter((name) => demands.find('cluster', name) === undefined);
  const versions = {
    cluster: versionsOf(active, 'cluster', given),
    listener: versionsOf(active, 'listener'),
  };
  const all = (['cluster', 'listener'] as const).flatMap((kind) => {
    const root = roots?.[kind];
    if (root === 'none') return [];
    const source = root && 'collection' in root ? root.source : root;
    return [
      clientRequest(TYPE_URLS[kind], {
        ...(root && 'collection' in root && { subscribe: [canonicalName(root.collection)] }),
        initialVersions: versions[kind],
        ...(source && { source }),
      }),
    ];
  });
  return [...all, ...[...demands.of('cluster')].map((demand) => clusterRequest(demand, active))];
}

/** Asks for a cluster by its name. */
export function clusterRequest({ name, source }: Demand, active: Store): ClientRequest {
  return clientRequest(TYPE_URLS.cluster, {
    subscribe: [name],
    initialVersions: versionsOf(active, 'cluster', [name]),
    ...(source && { source }),
  });
}

/** Asks no more for a cluster by its name. */
export function clusterRelease({ name, source }: Demand): ClientRequest {
  return clientRequest(TYPE_URLS.cluster, { unsubscribe: [name], ...(source && { source }) });
}
