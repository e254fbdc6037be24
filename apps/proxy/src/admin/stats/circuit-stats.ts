import { listOf } from '../ask-front.ts';
import type { ClusterNames } from './cluster-names.ts';
import type { Stat } from './stat.ts';

/** Bounds of a cluster, of all engine processes together. */
interface LimitsPart {
  readonly maxConnections: number;
  readonly maxPendingRequests: number;
  readonly maxRequests: number;
  /** Where retries are bounded by a number. */
  readonly maxRetries?: number;
}

/** What the engine tells of a cluster, likewise. */
interface ClusterPart {
  readonly name: string;
  readonly connections: number;
  readonly pending: number;
  readonly requests: number;
  readonly retries: number;
  /** Of these those of the priority HIGH. */
  readonly highPending: number;
  readonly highRequests: number;
  readonly highRetries: number;
  readonly limits: LimitsPart;
  readonly highLimits: LimitsPart;
}

/**
 * Which circuit breakers are open: 1 where as many are under way as may be (Envoy, "Circuit breakers statistics"). Connections of the two
 * priorities are shared; pools are not bounded here, so that theirs never opens; a budget of retries has no such moment.
 * Of clusters that tell together one that is open is enough.
 * @param page of clusters
 */
export function circuitStats(page: Readonly<Record<string, unknown>>, named: ClusterNames): Stat[] {
  const stats = new Map<string, Stat>();
  for (const stat of listOf<ClusterPart>(page, 'clusters').flatMap((cluster) =>
    circuitsOfCluster(cluster, named),
  )) {
    const before = stats.get(stat.name);
    if (before?.kind !== 'gauge' || before.value === 0) stats.set(stat.name, stat);
  }
  return [...stats.values()];
}

function circuitsOfCluster(cluster: ClusterPart, named: ClusterNames): Stat[] {
  const { pending, requests, retries, highPending, highRequests, highRetries } = cluster;
  return [
    ...circuitsOf({ ...cluster, name: named(cluster.name) }, 'default', cluster.limits, {
      pending: pending - highPending,
      requests: requests - highRequests,
      retries: retries - highRetries,
    }),
    ...circuitsOf({ ...cluster, name: named(cluster.name) }, 'high', cluster.highLimits, {
      pending: highPending,
      requests: highRequests,
      retries: highRetries,
    }),
  ];
}

function circuitsOf(
  { name, connections }: ClusterPart,
  priority: 'default' | 'high',
  { maxConnections, maxPendingRequests, maxRequests, maxRetries }: LimitsPart,
  used: { readonly pending: number; readonly requests: number; readonly retries: number },
): Stat[] {
  const open: readonly (readonly [circuit: string, isOpen: boolean])[] = [
    ['cx_open', connections >= maxConnections],
    ['cx_pool_open', false],
    ['rq_open', used.requests >= maxRequests],
    ['rq_pending_open', used.pending >= maxPendingRequests],
    ...(maxRetries === undefined ? [] : [['rq_retry_open', used.retries >= maxRetries] as const]),
  ];
  return open.map(([circuit, isOpen]) => ({
    kind: 'gauge',
    name: `cluster.${name}.circuit_breakers.${priority}.${circuit}`,
    tagless: `cluster_circuit_breakers_${priority}_${circuit}`,
    tags: { cluster_name: name },
    value: isOpen ? 1 : 0,
  }));
}
