import { createAggregateBalancer, type AggregateBalancer, type Balancer } from '@tulle/balance';
import type { Engine } from '../engine.ts';
import type { ClusterRef, ClusterRuntime } from './cluster.ts';
import type { EndpointPool } from './endpoint-pool.ts';

/** Chooses among the endpoints of other clusters, whatever stands behind their names at the time. */
export function aggregateOf(
  refs: readonly ClusterRef[],
  engine: Engine,
  panicThresholdPercent: number | undefined,
): AggregateBalancer<EndpointPool> {
  const clusters: ClusterRuntime[] = [];
  const balancers: Balancer<EndpointPool>[] = [];
  return createAggregateBalancer<EndpointPool>({
    parts() {
      clusters.length = 0;
      addParts(refs, clusters);
      balancers.length = 0;
      for (let index = 0; index < clusters.length; index++)
        balancers.push((clusters[index] as ClusterRuntime).own);
      return balancers;
    },
    ...(panicThresholdPercent === undefined ? {} : { panicThresholdPercent }),
    random: engine.random,
    onPick(part) {
      const cluster = clusters[part];
      if (cluster !== undefined) cluster.used = true;
    },
  });
}

/** Those with endpoints of their own, also of aggregates among them. The configuration has no circles. */
function addParts(refs: readonly ClusterRef[], into: ClusterRuntime[]): void {
  for (let index = 0; index < refs.length; index++) {
    const cluster = refs[index]?.current;
    if (cluster === undefined) continue;
    if (cluster.parts === undefined) into.push(cluster);
    else addParts(cluster.parts, into);
  }
}
