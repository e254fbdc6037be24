import type { RetryFilterConfig } from './filters/retry.ts';

/**
 * Whether failed attempts at a cluster are made again, whatever routes and virtual hosts say (Envoy `HttpProtocolOptions.retry_policy`).
 * How long an attempt may take stays the route's matter, as in Envoy. A chain without the retry filter retries nothing.
 */
export interface ClusterRetry {
  readonly policy: RetryFilterConfig;
  /** In place of `ForwardAction.avoidOnRetry`. Default none. */
  readonly avoidOnRetry?: readonly Readonly<Record<string, string>>[];
  /** In place of `ForwardAction.newPriorityEvery`. Default 0. */
  readonly newPriorityEvery?: number;
}
