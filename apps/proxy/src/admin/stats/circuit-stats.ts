import type { Cluster } from '@tulle/model';
import { listOf } from '../ask-front.ts';
import type { ClusterNames } from '../cluster-names.ts';
import type { Stat } from './stat.ts';

type Gauge = Extract<Stat, { readonly kind: 'counter' | 'gauge' }>;

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

/** Of which clusters and priorities it is told how much is left. */
type Tracked = (cluster: string, priority: Priority) => boolean;
type Priority = 'default' | 'high';

/** By what the clusters' limits say. */
export function remainingTracked(
  clusters: readonly Pick<Cluster, 'name' | 'limits' | 'highLimits'>[],
): Tracked {
  const tracked = new Set<string>();
  for (const { name, limits, highLimits } of clusters) {
    if (limits?.trackRemaining) tracked.add(`default ${name}`);
    if (highLimits?.trackRemaining) tracked.add(`high ${name}`);
  }
  return (cluster, priority) => tracked.has(`${priority} ${cluster}`);
}

/**
 * Which circuit breakers are open, 1 where as many are under way as may be, and of clusters that track it how many more may be
 * (Envoy, "Circuit breakers statistics"). Connections of the two priorities are shared; pools are not bounded here, so that theirs
 * never opens and has nothing left to tell; a budget of retries has no such moment.
 * Of clusters that tell together one that is open is enough, and the least that is left of one.
 * @param page of clusters
 */
export function circuitStats(
  page: Readonly<Record<string, unknown>>,
  named: ClusterNames,
  tracked: Tracked,
): Stat[] {
  const stats = new Map<string, Gauge>();
  for (const cluster of listOf<ClusterPart>(page, 'clusters'))
    for (const stat of circuitsOfCluster(cluster, named, tracked)) {
      const before = stats.get(stat.name);
      const isRemainder = stat.tagless.includes('_remaining_');
      if (before === undefined || (isRemainder ? stat.value < before.value : stat.value > before.value))
        stats.set(stat.name, stat);
    }
  return [...stats.values()];
}

function circuitsOfCluster(cluster: ClusterPart, named: ClusterNames, tracked: Tracked): Gauge[] {
  const { pending, requests, retries, highPending, highRequests, highRetries } = cluster;
  const of = { connections: cluster.connections, name: named(cluster.name) };
  return [
    ...circuitsOf(of, 'default', tracked(cluster.name, 'default'), cluster.limits, {
      pending: pending - highPending,
      requests: requests - highRequests,
      retries: retries - highRetries,
    }),
    ...circuitsOf(of, 'high', tracked(cluster.name, 'high'), cluster.highLimits, {
      pending: highPending,
      requests: highRequests,
      retries: highRetries,
    }),
  ];
}

function circuitsOf(
  { name, connections }: Pick<ClusterPart, 'name' | 'connections'>,
  priority: Priority,
  tellsRemaining: boolean,
  { maxConnections, maxPendingRequests, maxRequests, maxRetries }: LimitsPart,
  used: { readonly pending: number; readonly requests: number; readonly retries: number },
): Gauge[] {
  const left: readonly (readonly [circuit: string, remainder: string, left: number])[] = [
    ['cx_open', 'remaining_cx', maxConnections - connections],
    ['rq_open', 'remaining_rq', maxRequests - used.requests],
    ['rq_pending_open', 'remaining_pending', maxPendingRequests - used.pending],
    ...(maxRetries === undefined
      ? []
      : [['rq_retry_open', 'remaining_retries', maxRetries - used.retries] as const]),
  ];
  const values: readonly (readonly [name: string, value: number])[] = [
    ['cx_pool_open', 0],
    ...left.map(([circuit, , rest]) => [circuit, rest <= 0 ? 1 : 0] as const),
    ...(tellsRemaining ? left.map(([, remainder, rest]) => [remainder, Math.max(0, rest)] as const) : []),
  ];
  return values.map(([circuit, value]) => ({
    kind: 'gauge',
    name: `cluster.${name}.circuit_breakers.${priority}.${circuit}`,
    tagless: `cluster_circuit_breakers_${priority}_${circuit}`,
    tags: { cluster_name: name },
    value,
  }));
}
