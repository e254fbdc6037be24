import type { EndpointState } from '@tulle/balance';
import type { Http2Options } from '@tulle/http2';
import type { HealthCheck, PoolOptions } from '@tulle/model';
import type { ConnectingCluster } from '../connect-endpoint.ts';
import type { HealthCheckMetrics } from './health-check-metrics.ts';
import type { HealthEvents } from './health-events.ts';
import type { Probe, Told } from './probe.ts';

/** An endpoint as far as its checks look at it. */
export type CheckedEndpoint = Pick<
  EndpointState<unknown>,
  'endpoint' | 'address' | 'check' | 'checkedDegraded' | 'ejected'
>;

/** What health checks know of their cluster. */
export interface CheckedCluster extends ConnectingCluster {
  readonly name: string;
  readonly http2: Partial<Http2Options>;
  readonly protocol: NonNullable<PoolOptions['protocol']>;
  readonly alpn: readonly string[] | undefined;
  /** Whether anybody has called it. */
  readonly used: boolean;
  readonly own: {
    readonly endpoints: readonly CheckedEndpoint[];
    checked(state: CheckedEndpoint, passed: boolean, nowMs: number, degraded?: boolean): void;
    warmed(nowMs: number): void;
  };
}

/** What one endpoint's check knows of those who made it. */
export interface CheckOwner {
  readonly cluster: CheckedCluster;
  readonly config: HealthCheck;
  readonly metrics: HealthCheckMetrics;
  readonly events: HealthEvents | undefined;
  probeOf(state: CheckedEndpoint, told: Told): Probe;
  /** An endpoint turned out well, or ill. @param degraded it is well, but should have less to do */
  found(state: CheckedEndpoint, passed: boolean, detail: string, degraded?: boolean): void;
}
