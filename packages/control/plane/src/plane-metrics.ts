import { KINDS, type Kind } from '@tulle/resources';
import type { Counter, Meter } from '@tulle/telemetry';
import type { ResourceKind } from '@tulle/xds-server';

/** Why proxies are computed anew: a person or a source changed something, endpoints came or went, a proxy connected. */
export type Trigger = 'config' | 'endpoint' | 'proxy';

/** What the metrics show at the moment of a scrape. */
export interface PlaneNumbers {
  proxies(): number;
  resources(kind: Kind): number;
  leftOut(): number;
  lost(): number;
  unsaved(): boolean;
  /** Faults that sources report now. */
  faults(): number;
  /** Changes that some proxy has not confirmed or refused. */
  pending(): number;
}

/** Instruments of the control plane. */
export interface PlaneMetrics {
  triggered(trigger: Trigger): void;
  /** A proxy's configuration was computed. */
  compiled(tookMs: number): void;
  /** It could not be. */
  compileFailed(): void;
  pushed(kind: ResourceKind): void;
  answered(kind: ResourceKind, ok: boolean): void;
  /** One proxy confirmed a change. */
  converged(tookMs: number): void;
  /** All proxies that a change concerns confirmed it. */
  propagated(tookMs: number): void;
  changed(kind: Kind, event: 'add' | 'update' | 'delete'): void;
  saveFailed(): void;
  /** Resources refused for want of room (`maxResources`). */
  refused(resources: number): void;
  /** A change that some proxy had not answered was forgotten (`maxChanges`). */
  forgotten(): void;
  /** A proxy that disconnected is no longer in status (`maxDisconnected`). */
  proxyForgotten(): void;
  close(): void;
}

/** Seconds; with those of 0.1 s and up that dashboards of Istio draw, and the promised 150 ms and 500 ms. */
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 30];
const TYPES = { cluster: 'cds', endpoint: 'eds', listener: 'lds', route: 'rds' } as const;
const RESOURCE_KINDS: readonly ResourceKind[] = ['cluster', 'endpoint', 'listener', 'route'];
const TRIGGERS: readonly Trigger[] = ['config', 'endpoint', 'proxy'];

/** The control plane's own numbers; those named `pilot_` and `galley_` are what dashboards of Istio ask for. */
export function planeMetrics(meter: Meter, now: PlaneNumbers): PlaneMetrics {
  const byKind = (make: (kind: ResourceKind) => Counter): Record<ResourceKind, Counter> =>
    Object.fromEntries(RESOURCE_KINDS.map((kind) => [kind, make(kind)])) as Record<ResourceKind, Counter>;
  const pushes = byKind((kind) =>
    meter.counter('tulle_control_plane_pushes_total', {
      help: 'Responses handed to the streams of proxies',
      labels: { kind },
    }),
  );
  const pilotPushes = byKind((kind) =>
    meter.counter('pilot_xds_pushes', {
      help: 'As tulle_control_plane_pushes_total',
      labels: { type: TYPES[kind] },
    }),
  );
  const acks = byKind((kind) =>
    meter.counter('tulle_control_plane_acks_total', {
      help: 'Responses that proxies confirmed',
      labels: { kind },
    }),
  );
  const nacks = byKind((kind) =>
    meter.counter('tulle_control_plane_nacks_total', {
      help: 'Responses, or parts of them, that proxies refused',
      labels: { kind },
    }),
  );
  const rejects = byKind((kind) =>
    meter.counter('pilot_total_xds_rejects', {
      help: 'As tulle_control_plane_nacks_total',
      labels: { type: TYPES[kind] },
    }),
  );
  const triggers = Object.fromEntries(
    TRIGGERS.map((type) => [
      type,
      meter.counter('pilot_push_triggers', { help: 'Reasons to compute proxies anew', labels: { type } }),
    ]),
  ) as Record<Trigger, Counter>;
  const propagation = meter.histogram('tulle_control_plane_propagation_seconds', {
    help: 'Time from the moment a change is accepted until every proxy that it concerns has confirmed it',
    buckets: SECONDS,
  });
  const convergence = meter.histogram('pilot_proxy_convergence_time', {
    help: 'Seconds from the moment a change is accepted until one proxy has confirmed it',
    buckets: SECONDS,
  });
  const compile = meter.histogram('pilot_xds_push_time', {
    help: 'Seconds to compute the configuration of one proxy',
    buckets: [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 1, 10],
  });
  const internal = meter.counter('pilot_total_xds_internal_errors', {
    help: 'Configurations of proxies that could not be computed',
  });
  const saveFailures = meter.counter('tulle_control_plane_save_failures_total', {
    help: 'Times that the state could not be made durable',
  });
  const refused = meter.counter('tulle_control_plane_resources_refused_total', {
    help: 'Resources refused for want of room',
  });
  const forgotten = meter.counter('tulle_control_plane_changes_forgotten_total', {
    help: 'Changes forgotten before every proxy had answered',
  });
  const proxiesForgotten = meter.counter('tulle_control_plane_disconnected_forgotten_total', {
    help: 'Disconnected proxies that left status early, for want of room',
  });
  const stops = [
    meter.observed('tulle_control_plane_proxies', { help: 'Connected proxies' }, now.proxies),
    meter.observed('pilot_xds', { help: 'As tulle_control_plane_proxies' }, now.proxies),
    ...KINDS.map(({ kind }) =>
      meter.observed('tulle_control_plane_resources', { help: 'Resources held', labels: { kind } }, () =>
        now.resources(kind),
      ),
    ),
    meter.observed(
      'tulle_control_plane_endpoints_left_out',
      { help: 'Workloads that Services select and do not take, by pair' },
      now.leftOut,
    ),
    meter.observed(
      'tulle_control_plane_lost_workloads',
      { help: 'Workloads whose sidecar vanished without a word' },
      now.lost,
    ),
    meter.observed('tulle_control_plane_unsaved', { help: '1 while the newest state is not on disk' }, () =>
      Number(now.unsaved()),
    ),
    meter.observed(
      'tulle_control_plane_invalid_resources',
      { help: 'Faults that sources report now: resources not taken, files not readable' },
      now.faults,
    ),
    meter.observed(
      'tulle_control_plane_pending_changes',
      { help: 'Changes that some proxy has not answered' },
      now.pending,
    ),
  ];
  return {
    triggered: (trigger) => triggers[trigger].add(),
    compiled: (tookMs) => compile.observe(tookMs / 1000),
    compileFailed: () => internal.add(),
    pushed(kind) {
      pushes[kind].add();
      pilotPushes[kind].add();
    },
    answered(kind, ok) {
      if (ok) return acks[kind].add();
      nacks[kind].add();
      rejects[kind].add();
    },
    converged: (tookMs) => convergence.observe(tookMs / 1000),
    propagated: (tookMs) => propagation.observe(tookMs / 1000),
    changed: (kind, event) =>
      meter
        .counter('pilot_k8s_cfg_events', {
          help: 'Resources that came, changed and went, from whatever source',
          labels: { type: kind, event },
        })
        .add(),
    saveFailed: () => saveFailures.add(),
    refused: (resources) => refused.add(resources),
    forgotten: () => forgotten.add(),
    proxyForgotten: () => proxiesForgotten.add(),
    close() {
      for (const stop of stops) stop();
    },
  };
}
