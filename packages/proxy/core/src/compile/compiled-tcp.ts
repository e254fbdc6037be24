import type { SubsetCriteria } from '@tulle/balance';
import type { Render } from '@tulle/record-format';
import type { BackoffOptions } from '@tulle/time';
import type { Tlv } from '../listener/proxied-fields.ts';
import type { ChainLogs } from '../stream/logs.ts';
import type { ClusterRef } from '../upstream/cluster.ts';
import type { CompiledEdits, ForwardTarget, HttpChain } from './compiled.ts';
import type { FilterSet } from './filter-set.ts';

/** A cluster that connections of a TCP chain go to. */
export interface TcpShare {
  readonly ref: ClusterRef;
  readonly weight: number;
  /** Labels that the endpoint must have, where the cluster has subsets; `undefined`: none. */
  readonly subset: SubsetCriteria | undefined;
  /** The same, for the request by which an endpoint is asked for a tunnel. */
  readonly target: ForwardTarget;
}

/** How endpoints are asked to connect on. */
export interface CompiledTunnel {
  /** Of the requests by which they are asked. */
  readonly chain: HttpChain;
  readonly authority: Render;
  /** Of a POST; `undefined`: they are asked by CONNECT. */
  readonly postPath: string | undefined;
  readonly edits: readonly CompiledEdits[];
  /** What of an answer is kept for logs. */
  readonly keepsHead: boolean;
  readonly keepsTrailers: boolean;
}

/** Fields of the PROXY protocol that a chain adds. */
export interface CompiledTlvs {
  readonly adds: readonly { readonly type: number; readonly value: Tlv['value'] | Render }[];
  readonly where: 'absent' | 'replace' | 'append';
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
  /** Between them; `undefined`: no wait. */
  readonly connectBackoff: BackoffOptions | undefined;
  /** 0: any. */
  readonly maxDurationMs: number;
  readonly durationJitterPercent: number;
  /** `undefined`: endpoints get the bytes as they are. */
  readonly tunnel: CompiledTunnel | undefined;
  /** When there is a line about a connection that goes on; `everyMs` 0: not by time. */
  readonly logMoments: { readonly start: boolean; readonly connected: boolean; readonly everyMs: number };
  /** What endpoints are told besides what callers' headers say; `undefined`: nothing. */
  readonly tlvs: CompiledTlvs | undefined;
  readonly generation: number;
}
