import type { Log } from '@tulle/filter';
import type { ProxyConfig } from '@tulle/model';
import type { Diagnostic, Resource, ResourceSource } from '@tulle/resources';
import type { Meter } from '@tulle/telemetry';
import type { Clock } from '@tulle/time';
import type { SnapshotProvider } from '@tulle/xds-server';
import type { ChangeRecord } from './changes.ts';
import type { MayClaim } from './endpoint-right.ts';
import type { Condition } from './condition.ts';
import type { MeshStatus } from './mesh-status.ts';
import type { ResourceStatus } from './status/resource-status.ts';
import type { MtlsPort } from './mtls-status.ts';
import type { StateStore } from './state-file.ts';
import type { Held } from './world.ts';

/** Options of `createControlPlane`. */
export interface ControlPlaneOptions {
  readonly trustDomain: string;
  /** Default: nothing survives a restart. `fileState(path)` keeps REST's resources and joined Workloads. */
  readonly state?: StateStore;
  /** DNS suffix of Services. Default `svc.mesh.local`. */
  readonly suffix?: string;
  /** Policies without target in this namespace hold for the mesh. Default `tulle-system`. */
  readonly rootNamespace?: string;
  /** What a workload without ALLOW policies does with authenticated callers (decision D20). Default `allow`. */
  readonly defaultAction?: 'allow' | 'deny';
  /**
   * Between proxies of the mesh, whatever the applications speak: `auto` HTTP/2 where the called proxy takes it, `http1`
   * HTTP/1.1 but where an application speaks HTTP/2. A TrafficPolicy may say otherwise of a Service. Default `auto`.
   */
  readonly meshProtocol?: 'auto' | 'http1';
  /** Changes are gathered this long; removals of endpoints never wait. Default 20: far below the promised 150 ms. */
  readonly debounceMs?: number;
  /** A Workload whose sidecar vanished without a word is unhealthy at once and removed after this. Default 30,000: a restart of host or network usually takes less. */
  readonly graceMs?: number;
  /** How long vanished Workloads are kept beyond that, where they would be missed: the last one of a Service, and all while no sidecar is connected, since then the network failed, not they. Default 3,600,000. */
  readonly maxHoldMs?: number;
  /** A proxy whose stream ended stays in status this long. Default 600,000: an operator who is called looks within minutes. */
  readonly keepDisconnectedMs?: number;
  /** Disconnected proxies in status; the longest gone goes first. Default 1,000. */
  readonly maxDisconnected?: number;
  /** Changes remembered. Default 1,000. */
  readonly maxChanges?: number;
  /** Resources held. Default 100,000; past it an apply is refused, and what a source has more is not taken. */
  readonly maxResources?: number;
  /**
   * Whether a service account (`namespace/name`) may claim labels: what its join tokens granted. A Service that names no
   * service accounts takes such Workloads beside those of its own account. Default: nobody may claim any.
   */
  readonly mayClaim?: MayClaim;
  readonly clock?: Clock;
  readonly log?: Log;
  /** Where its numbers go. Default: nowhere. */
  readonly meter?: Meter;
}

/** What an apply did. */
export interface ApplyResult {
  /** `undefined` when nothing changed or something was refused. */
  readonly changeId?: string;
  readonly changed: readonly string[];
  readonly unchanged: readonly string[];
  /** Not empty: nothing was applied. */
  readonly refused: readonly Diagnostic[];
}

/** Sources to graph to snapshots. */
export interface ControlPlane {
  /** For `addAdsService`. */
  readonly provider: SnapshotProvider;
  /** Reads a source and follows it. */
  attach(source: ResourceSource): Promise<void>;
  /**
   * Puts and removes resources of REST, all or none; durable when it returns.
   * @throws TulleError `TULLE_STATE_UNSAVED` when it could not be made durable; then nothing was applied
   */
  apply(
    put: readonly Resource[],
    remove: readonly string[],
    options?: { readonly cause?: string; readonly dryRun?: boolean },
  ): ApplyResult;
  resources(): Held[];
  resource(key: string): Held | undefined;
  /**
   * What holds of a resource beside what it says: of a Service, whether all that it selects is taken; of a FilterPolicy,
   * whether the proxies that it is for have its filter.
   */
  conditions(key: string): readonly Condition[];
  /** `status` of a Gateway or route as Gateway API writes it; `undefined` for other kinds. */
  resourceStatus(key: string): ResourceStatus | undefined;
  status(): MeshStatus;
  /** What is asked of callers, by port of each connected workload, and who comes without it. */
  mtls(): readonly MtlsPort[];
  /** What a proxy should have now. */
  proxyConfig(id: string): ProxyConfig | undefined;
  change(id: string): ChangeRecord | undefined;
  /**
   * Waits until every connected proxy that a change concerns has confirmed or refused it, at most for `timeoutMs`.
   * @returns `undefined` when the change is not remembered; `settled: false` when the time was over first
   */
  settled(id: string, timeoutMs: number): Promise<(ChangeRecord & { readonly settled: boolean }) | undefined>;
  /** Sends and saves what is gathered at once. */
  flush(): void;
  /**
   * It is about to end its streams itself: one that is lost from now on says nothing of its proxy, which goes on serving. So
   * a successor with the saved state begins with every Workload as it was.
   */
  retire(): void;
  /**
   * Connections end now for what they stand on, e.g. as a root is removed, and are made anew: who vanishes within the next
   * 5 s is unhealthy only when it is not back 5 s later.
   */
  expectReturn(): void;
  close(): Promise<void>;
}
