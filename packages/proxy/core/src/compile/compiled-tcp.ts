import type { SubsetCriteria } from '@tulle/balance';
import type { ChainLogs } from '../stream/logs.ts';
import type { ClusterRef } from '../upstream/cluster.ts';
import type { FilterSet } from './filter-set.ts';

/** A cluster that connections of a TCP chain go to. */
export interface TcpShare {
  readonly ref: ClusterRef;
  readonly weight: number;
  /** Labels that the endpoint must have, where the cluster has subsets; `undefined`: none. */
  readonly subset: SubsetCriteria | undefined;
}

/** A TCP chain of one configuration generation. */
export interface TcpChain {
  readonly name: string;
  readonly shares: readonly TcpShare[];
  readonly totalWeight: number;
  readonly filters: FilterSet;
  readonly accessLogs: ChainLogs | undefined;
  readonly idleTimeoutMs: number;
  readonly hashesSource: boolean;
  readonly maxConnectAttempts: number;
  /** 0: any. */
  readonly maxDurationMs: number;
  readonly generation: number;
}
