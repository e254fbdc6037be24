import type { TcpHandler } from '@tulle/model';
import type { EngineLimits } from '../limits.ts';
import type { ChainLogs } from '../stream/logs.ts';
import type { ClusterRef } from '../upstream/cluster.ts';
import { criteriaOf } from './compile-routes.ts';
import type { TcpChain } from './compiled-tcp.ts';
import type { FilterSet } from './filter-set.ts';
import type { Issues } from './issues.ts';

/** A chain of bytes. @param path of what says so */
export function compileTcp(
  name: string,
  handler: Omit<TcpHandler, 'kind'>,
  parts: { readonly filters: FilterSet; readonly accessLogs: ChainLogs | undefined },
  path: string,
  context: {
    readonly ref: (cluster: string, path: string) => ClusterRef;
    readonly issues: Issues;
    readonly limits: EngineLimits;
    readonly generation: number;
  },
): TcpChain {
  const shares = handler.clusters.map((share, index) => ({
    ref: context.ref(share.name, `${path}/clusters/${index}/name`),
    weight: share.weight ?? 1,
    subset: criteriaOf(share.subset),
  }));
  if (shares.length === 0) context.issues.add(`${path}/clusters`, 'names no cluster; give at least one');
  return Object.freeze({
    name,
    shares,
    totalWeight: shares.reduce((sum, share) => sum + share.weight, 0),
    filters: parts.filters,
    accessLogs: parts.accessLogs,
    idleTimeoutMs: handler.idleTimeoutMs ?? 3_600_000,
    hashesSource: handler.hash === 'source-ip',
    maxConnectAttempts: handler.maxConnectAttempts ?? context.limits.maxConnectAttempts,
    maxDurationMs: handler.maxDurationMs ?? 0,
    generation: context.generation,
  });
}
