import type { Log } from '@tulle/filter';
import type { ProxyConfig } from '@tulle/model';
import type { TelemetryPlugin } from '@tulle/telemetry';
import type { Clock } from '@tulle/time';
import type { Engine } from '../engine.ts';
import type { Registry } from '../compile/compile-filters.ts';
import type { UdpListeners } from '../udp/udp-listeners.ts';
import type { ListenerRuntime } from '../listener/listener.ts';
import type { Transport } from '../ports.ts';
import type { ClusterRef } from '../upstream/cluster.ts';

/** What the admin interface shows and does: a proxy, as far as it is its business. */
export interface AdminSubject {
  readonly engine: Engine;
  readonly state: string;
  readonly config: ProxyConfig;
  readonly stats: object;
  readonly startedEpochMs: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly transport: Transport;
  readonly registry: Registry;
  readonly telemetry: readonly TelemetryPlugin[];
  readonly listeners: ReadonlyMap<string, ListenerRuntime>;
  /** Those of datagrams. */
  readonly udp: Pick<UdpListeners, 'describe'>;
  readonly refs: ReadonlyMap<string, ClusterRef>;
  failHealthChecks(fail: boolean): void;
  drain(options: { readonly windowMs: number }): Promise<void>;
}
