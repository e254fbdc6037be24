import { randomBytes } from 'node:crypto';
import type { Resource } from '@tulle/resources';
import { noMeter } from '@tulle/telemetry';
import { systemClock } from '@tulle/time';
import { ChangeLog } from './changes.ts';
import { isLastEndpoint, type MeshSettings } from './compile/clusters.ts';
import { SharedResources } from './compile/shared.ts';
import type { ControlPlane, ControlPlaneOptions } from './control-plane-types.ts';
import { Disconnected } from './disconnected.ts';
import { JoinedWorkloads } from './joined-workloads.ts';
import { filterPolicyStatus } from './filter-policy-status.ts';
import { conditionsOf, countLeftOut, proxyStatus, serviceStatus } from './mesh-status.ts';
import { mtlsStatus } from './mtls-status.ts';
import { isJoined, REST } from './owners.ts';
import { planeMetrics } from './plane-metrics.ts';
import { Propagation } from './propagation.ts';
import type { ProxySession } from './proxy-session.ts';
import { ProxyStreams } from './proxy-streams.ts';
import { RestResources } from './rest-resources.ts';
import { KeptState } from './saved-state.ts';
import { Sources } from './sources.ts';
import { memoryState, type SavedState } from './state-file.ts';
import { ResourceStatuses } from './status/resource-status.ts';
import { isLastInstance } from './waypoint-workload.ts';
import { World } from './world.ts';

/** @throws TulleError `TULLE_CONFIG_INVALID` when the saved state is damaged */
export function createControlPlane(options: ControlPlaneOptions): ControlPlane {
  const { log } = options;
  const clock = options.clock ?? systemClock();
  const state = options.state ?? memoryState();
  const saved = state.load();
  const mesh: MeshSettings = {
    sessionSecret: saved.sessionSecret ?? randomBytes(16).toString('hex'),
    trustDomain: options.trustDomain,
    suffix: options.suffix ?? 'svc.mesh.local',
    rootNamespace: options.rootNamespace ?? 'tulle-system',
    defaultAction: options.defaultAction ?? 'allow',
    protocol: options.meshProtocol ?? 'auto',
  };
  const maxResources = options.maxResources ?? 100_000;
  const sessions = new Map<string, ProxySession>();
  const world = new World(mesh.rootNamespace, options.mayClaim, (kind, event) =>
    metrics.changed(kind, event),
  );
  const metrics = planeMetrics(options.meter ?? noMeter, {
    proxies: () => sessions.size,
    resources: (kind) => world.count(kind),
    leftOut: () => countLeftOut(world),
    lost: () => joined.lost.length,
    unsaved: () => kept.fault !== undefined,
    faults: () => sources.faultCount,
    pending: () => changes.pendingCount,
  });
  const changes = new ChangeLog(options.maxChanges ?? 1000, clock.epochMs(), metrics);
  const disconnected = new Disconnected({
    keepMs: options.keepDisconnectedMs ?? 600_000,
    max: options.maxDisconnected ?? 1000,
    nowMs: () => clock.epochMs(),
    forgotten: metrics.proxyForgotten,
  });
  const statuses = new ResourceStatuses({ world, mesh, sessions, nowMs: () => clock.epochMs() });

  const savedState = (changed: ReadonlyMap<string, Resource | undefined> = new Map()): SavedState => {
    const all = [...world.entries()].filter(([key]) => !changed.has(key)).map(([, held]) => held);
    return {
      resources: [
        ...all.filter((h) => h.owner === REST).map((h) => h.resource),
        ...[...changed.values()].filter((r) => r !== undefined),
      ],
      workloads: all.filter((h) => isJoined(h.owner)).map((h) => h.resource),
      gatewayAccounts: world.forwarders.proven,
      sessionSecret: mesh.sessionSecret,
      sources: sources.saved,
    };
  };
  const kept = new KeptState({ store: state, clock, log, content: savedState, failed: metrics.saveFailed });
  const learned = (): void => kept.soon();

  const propagation = new Propagation({
    world,
    sessions,
    changes,
    statuses,
    metrics,
    clock,
    debounceMs: options.debounceMs ?? 20,
    settle: (node) => joined.settle(node),
  });
  const joined = new JoinedWorkloads({
    world,
    clock,
    graceMs: options.graceMs ?? 30_000,
    maxHoldMs: options.maxHoldMs ?? 3_600_000,
    touched: () => propagation.touched,
    changed(cause, keys, urgent) {
      propagation.changed(cause, keys, urgent);
      learned();
    },
    anyConnected: () => sessions.size > 0,
    isLast: (workload) => isLastEndpoint(world, workload, mesh) || isLastInstance(world, workload),
  });
  const sources = new Sources({
    world,
    propagation,
    metrics,
    maxResources,
    saved: saved.sources,
    log,
    said: learned,
  });
  const rest = new RestResources({
    rootNamespace: mesh.rootNamespace,
    world,
    propagation,
    sources,
    metrics,
    maxResources,
    save: (changed) => kept.before(savedState(changed)),
  });
  const streams = new ProxyStreams({
    trustDomain: mesh.trustDomain,
    world,
    shared: new SharedResources(world, mesh),
    sessions,
    joined,
    disconnected,
    propagation,
    changes,
    statuses,
    metrics,
    clock,
    learned,
  });

  for (const resource of saved.resources) world.put(resource, REST, propagation.touched);
  joined.restore(saved.workloads);
  world.forwarders.restore(saved.gatewayAccounts ?? []);

  return {
    provider: streams,
    attach: (source) => sources.attach(source),
    apply: (put, remove, how) => rest.apply(put, remove, how),
    resources: () => [...world.entries()].map(([, held]) => held),
    resource: (key) => world.held(key),
    conditions: (key) => conditionsOf(world, sessions, mesh, key),
    resourceStatus: (key) => statuses.of(key),
    status: () => ({
      trustDomain: mesh.trustDomain,
      defaultAction: mesh.defaultAction,
      resources: world.size,
      proxies: [...[...sessions.values()].map(proxyStatus), ...disconnected.list()],
      sources: sources.status,
      filterPolicies: filterPolicyStatus(world, sessions, mesh),
      services: serviceStatus(world, sessions),
      lostWorkloads: joined.lost,
      ...(kept.fault === undefined ? {} : { unsaved: kept.fault }),
    }),
    mtls: () => mtlsStatus(world, sessions.values(), mesh),
    proxyConfig: (id) => sessions.get(id)?.snapshot.config,
    change: (id) => changes.get(id),
    settled: (id, timeoutMs) => propagation.settled(id, timeoutMs),
    flush() {
      propagation.flush();
      kept.flush();
    },
    retire: () => streams.retire(),
    expectReturn: () => joined.expectReturn(),
    async close() {
      streams.close();
      propagation.close();
      joined.close();
      kept.close();
      metrics.close();
      await sources.close();
    },
  };
}
