import { randomBytes } from 'node:crypto';
import {
  formatDiagnostic,
  refOf,
  resourceKey,
  type Diagnostic,
  type Resource,
  type ResourceSource,
  type SourceBatch,
  type SourceUpdate,
} from '@tulle/resources';
import { noMeter } from '@tulle/telemetry';
import { systemClock } from '@tulle/time';
import type { NodeInfo, SnapshotHandle } from '@tulle/xds-server';
import { ChangeLog } from './changes.ts';
import { isLastEndpoint, type MeshSettings } from './compile/clusters.ts';
import { ProxyCompiler } from './compile/proxy.ts';
import { SharedResources } from './compile/shared.ts';
import type { ControlPlane, ControlPlaneOptions } from './control-plane-types.ts';
import { Disconnected } from './disconnected.ts';
import { freeStreamId, serves } from './grpc-streams.ts';
import { JoinedWorkloads } from './joined-workloads.ts';
import { filterPolicyStatus } from './filter-policy-status.ts';
import { conditionsOf, countLeftOut, proxyStatus, serviceStatus } from './mesh-status.ts';
import { mtlsStatus } from './mtls-status.ts';
import { isSameNode, isSameWorkload, readProxyNode, type ProxyNode } from './node.ts';
import { isJoined, REST } from './owners.ts';
import { planeMetrics } from './plane-metrics.ts';
import { ProxySession } from './proxy-session.ts';
import { ownedBy, tooMany } from './refusals.ts';
import { KeptState } from './saved-state.ts';
import { memoryState, type SavedOwner, type SavedState } from './state-file.ts';
import { ResourceStatuses } from './status/resource-status.ts';
import { isInboundTouched, ownGateway } from './touched-proxies.ts';
import { isLastInstance } from './waypoint-workload.ts';
import { nothingTouched, type Touched } from './touched.ts';
import { World } from './world.ts';

/** A source, with what is wrong with what it says. */
interface AttachedSource {
  readonly source: ResourceSource;
  faults: readonly Diagnostic[];
  /** What is refused of what sources want is another. */
  judged(refused: readonly Diagnostic[]): void;
}

/** @throws TulleError `TULLE_CONFIG_INVALID` when the saved state is damaged */
export function createControlPlane(options: ControlPlaneOptions): ControlPlane {
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
  const world = new World(mesh.rootNamespace, options.mayClaim, (kind, event) =>
    metrics.changed(kind, event),
  );
  const shared = new SharedResources(world, mesh);
  const sessions = new Map<string, ProxySession>();
  const statuses = new ResourceStatuses({ world, mesh, sessions, nowMs: () => clock.epochMs() });
  /** The process of a Gateway came, went or confirmed something. */
  const noteGateway = ({ gateway, namespace, serviceAccount }: ProxyNode): void => {
    if (gateway !== undefined) statuses.note([ownGateway({ namespace, serviceAccount })]);
  };
  const sources: AttachedSource[] = [];
  /** What each owner wants, so that it gets what another one gives up. */
  const wanted = new Map<string, SourceUpdate>();
  let touched: Touched = nothingTouched();
  let waiting: string[] = [];
  let cancelFlush: (() => void) | undefined;
  /** Whoever waits for a change to get somewhere. */
  const watchers = new Set<() => void>();
  const metrics = planeMetrics(options.meter ?? noMeter, {
    proxies: () => sessions.size,
    resources: (kind) => world.count(kind),
    leftOut: () => countLeftOut(world),
    lost: () => joined.lost.length,
    unsaved: () => kept.fault !== undefined,
    faults: () => sources.reduce((sum, { faults }) => sum + faults.length, 0),
    pending: () => changes.pendingCount,
  });
  const changes = new ChangeLog(options.maxChanges ?? 1000, clock.epochMs(), metrics);
  const disconnected = new Disconnected({
    keepMs: options.keepDisconnectedMs ?? 600_000,
    max: options.maxDisconnected ?? 1000,
    nowMs: () => clock.epochMs(),
    forgotten: metrics.proxyForgotten,
  });
  let closed = false;
  let retired = false;
  const look = (): void => {
    for (const watch of [...watchers]) watch();
  };

  /** What each attached source says, by owner. */
  const said = new Map<string, Map<string, SourceUpdate>>();
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
      sources: { ...saved.sources, ...Object.fromEntries([...said].map(savedSource)) },
    };
  };
  const kept = new KeptState({
    store: state,
    clock,
    log: options.log,
    content: savedState,
    failed: metrics.saveFailed,
  });

  const flush = (): void => {
    cancelFlush?.();
    cancelFlush = undefined;
    // A Gateway that became a waypoint, or is none any more, is found by its processes' Workloads, or not.
    for (const session of sessions.values()) {
      const { node } = session;
      if (node.gateway === undefined || !touched.services.has(ownGateway(node))) continue;
      try {
        joined.settle(node);
      } catch (error) {
        // Its Workload is somebody else's, as it is told again where it comes back.
        session.end?.(error instanceof Error ? error.message : String(error));
      }
    }
    const now = touched;
    const ids = waiting;
    touched = nothingTouched();
    waiting = [];
    const id = ids.at(-1);
    if (id === undefined) return;
    for (const session of sessions.values()) {
      const inbound = isInboundTouched(world, session.node, now);
      if (inbound) session.compiler.forgetInbound(now);
      if (inbound || [...now.services].some((service) => session.services.has(service)))
        recompute(session, id, ids);
    }
    statuses.note(now.services);
    look();
  };

  const recompute = (session: ProxySession, id: string, ids: readonly string[]): void => {
    const startedMs = clock.nowMs();
    let compiled;
    try {
      compiled = session.compiler.compile();
    } catch (error) {
      metrics.compileFailed();
      throw error;
    }
    metrics.compiled(clock.nowMs() - startedMs);
    if (!session.update(compiled, id, changes.sequence(id))) return;
    for (const one of ids) changes.concerns(one, session.node.id);
    session.announce();
  };

  const changed = (cause: string, keys: readonly string[], urgent: boolean): string => {
    const id = changes.add(cause, clock.epochMs(), keys);
    waiting.push(id);
    metrics.triggered(urgent ? 'endpoint' : 'config');
    if (urgent) flush();
    else
      cancelFlush ??= clock.setTimer(options.debounceMs ?? 20, () => {
        cancelFlush = undefined;
        flush();
      });
    return id;
  };

  const applyUpdates = (batch: SourceBatch): Diagnostic[] => {
    const refused: Diagnostic[] = [];
    const keys: string[] = [];
    let urgent = false;
    for (const update of batch.updates) {
      if (update.resources.length === 0) wanted.delete(update.owner);
      else wanted.set(update.owner, update);
      const kept = new Set(update.resources.map((r) => resourceKey(refOf(r.resource))));
      for (const [key, held] of [...world.entries()]) {
        if (held.owner !== update.owner || kept.has(key)) continue;
        world.remove(key, touched);
        keys.push(key);
        urgent ||= isEndpoints(held.resource);
      }
    }
    for (const update of wanted.values()) {
      for (const located of update.resources) {
        const key = resourceKey(refOf(located.resource));
        const owner = world.held(key)?.owner;
        if (owner !== undefined && owner !== update.owner) {
          refused.push(ownedBy(located.resource, owner, located.locate('/metadata/name')));
        } else if (owner === undefined && world.size >= maxResources) {
          metrics.refused(1);
          refused.push(tooMany(maxResources, refOf(located.resource), located.locate('/metadata/name')));
        } else if (world.put(located.resource, update.owner, touched)) {
          keys.push(key);
          urgent ||= isEndpoints(located.resource);
        }
      }
    }
    if (keys.length > 0) changed(batch.cause, keys, urgent);
    return refused;
  };

  const joined = new JoinedWorkloads({
    world,
    clock,
    graceMs: options.graceMs ?? 30_000,
    maxHoldMs: options.maxHoldMs ?? 3_600_000,
    touched: () => touched,
    changed(cause, keys, urgent) {
      changed(cause, keys, urgent);
      kept.soon();
    },
    anyConnected: () => sessions.size > 0,
    isLast: (workload) => isLastEndpoint(world, workload, mesh) || isLastInstance(world, workload),
  });

  for (const resource of saved.resources) world.put(resource, REST, touched);
  joined.restore(saved.workloads);
  world.forwarders.restore(saved.gatewayAccounts ?? []);

  /** Sidecars take another's word than before for who called. */
  const believedAnew = ({ namespace, serviceAccount }: ProxyNode): void => {
    touched.inbound.add('*');
    changed(
      `whether ${namespace}/${serviceAccount} speaks for a Gateway is another`,
      [ownGateway({ namespace, serviceAccount })],
      false,
    );
    kept.soon();
  };

  /** A gRPC program took a listener, or gave it up: its servers may take calls now, or not any more. */
  const reviewServer = (session: ProxySession): void => {
    const ready = serves(session.node, sessions.values());
    if (ready === session.node.ready) return;
    session.node = { ...session.node, ready };
    if (ready) joined.settle(session.node);
    else joined.left(session.node);
  };

  const open = (info: NodeInfo): SnapshotHandle => {
    const read = readProxyNode(info, mesh.trustDomain);
    const node = read.grpc ? freeStreamId(read, sessions) : read;
    const session = new ProxySession(node, new ProxyCompiler(shared, node), clock.epochMs());
    if (!node.grpc) joined.settle(node);
    if (world.forwarders.joined(node)) believedAnew(node);
    if (node.gateway !== undefined) kept.soon(); // that it is proven holds also where it is not believed yet
    flush();
    const older = sessions.get(node.id);
    sessions.set(node.id, session);
    disconnected.remove(node.id);
    changes.back(node.id);
    older?.end?.(
      `another stream of ${node.id} took its place; if two sidecars run under that id, give each an instance and a state directory of its own`,
    );
    const id = changes.add(`${node.id} connected`, clock.epochMs(), []);
    metrics.triggered('proxy');
    recompute(session, id, [id]);
    return {
      current: () => session.snapshot,
      subscribe: (listener) => session.subscribe(listener),
      replaceable: (end) => void (session.end = end),
      described(said) {
        const before = session.node;
        session.node = readProxyNode(said, mesh.trustDomain);
        // Its id is the stream's own, and that it serves it says in another way.
        if (before.grpc) session.node = { ...session.node, id: before.id, ready: before.ready };
        if (isSameNode(before, session.node)) return;
        session.compiler = new ProxyCompiler(shared, session.node, session.compiler);
        if (sessions.get(node.id) !== session) return;
        // By another name it makes another Workload: the one before would stay, as well as ever.
        if (!isSameWorkload(before, session.node)) joined.left(before);
        if (!session.node.grpc || session.node.ready) joined.settle(session.node);
        if (before.serviceAccount !== session.node.serviceAccount && world.forwarders.left(before))
          believedAnew(before);
        if (world.forwarders.joined(session.node)) believedAnew(session.node);
        const change = changes.add(`${node.id} says something new of itself`, clock.epochMs(), []);
        recompute(session, change, [change]);
      },
      asked(kind, names) {
        if (!node.grpc || kind !== 'listener') return;
        session.compiler.ask(names);
        const change = changes.add(`${node.id} asks for ${names.size} listeners`, clock.epochMs(), []);
        metrics.triggered('proxy');
        recompute(session, change, [change]);
      },
      sent(report) {
        session.sent(report);
        metrics.pushed(report.kind);
      },
      resumed: (report) => session.resumed(report),
      acked(report) {
        session.acked(report);
        metrics.answered(report.kind, report.ok);
        if (!report.ok) changes.refused(node.id, changes.sequence(report.changeId), report.error ?? '');
        if (node.grpc && report.kind === 'listener') reviewServer(session);
        look();
      },
      upToDate(kind, changeId) {
        const sequence = changes.sequence(changeId);
        if (!session.upToDate(kind, sequence)) return;
        const propagationMs = changes.settled(node.id, sequence, clock.epochMs()).at(-1);
        if (propagationMs !== undefined) session.lastChange = { id: changeId, propagationMs };
        noteGateway(session.node);
        look();
      },
      closed(how) {
        if (sessions.get(node.id) !== session) return; // a newer stream of the same proxy has taken over
        sessions.delete(node.id);
        disconnected.add(proxyStatus(session), how);
        changes.left(node.id);
        noteGateway(session.node);
        look();
        if (session.node.grpc && (!session.node.ready || serves(session.node, sessions.values()))) {
          // Another stream of the process, whose server is none the worse.
        } else if (how === 'clean') joined.left(session.node);
        else if (!retired) joined.vanished(session.node);
        if (!closed && world.forwarders.left(session.node)) believedAnew(session.node);
      },
    };
  };

  return {
    provider: { open },
    async attach(source) {
      let refused: readonly Diagnostic[] = [];
      const record: AttachedSource = {
        source,
        faults: [],
        judged(anew) {
          refused = anew;
          report();
        },
      };
      sources.push(record);
      let own: readonly Diagnostic[] = [];
      const report = (): void => {
        const known = new Set(record.faults.map(formatDiagnostic));
        record.faults = [...own, ...refused];
        for (const line of record.faults.map(formatDiagnostic))
          if (!known.has(line)) options.log?.warn(line, { source: source.id });
      };
      const held = (saved.sources?.[source.id] ?? []).map(heldUpdate);
      const says = new Map(held.map((update) => [update.owner, update]));
      said.set(source.id, says);
      if (held.length > 0) refused = applyUpdates({ cause: `${source.id} as it was last`, updates: held });
      await source.start({
        held,
        apply(batch) {
          refused = applyUpdates(batch);
          for (const update of batch.updates)
            if (update.resources.length === 0) says.delete(update.owner);
            else says.set(update.owner, update);
          kept.soon();
          report();
          return refused;
        },
        faults(diagnostics) {
          own = diagnostics;
          report();
        },
      });
      flush();
    },
    apply(put, remove, { cause = 'apply', dryRun = false } = {}) {
      const refused: Diagnostic[] = [];
      const differs: string[] = [];
      const unchanged: string[] = [];
      const trial = new World(mesh.rootNamespace);
      for (const resource of put) {
        const key = resourceKey(refOf(resource));
        const held = world.held(key);
        if (held !== undefined && held.owner !== REST) refused.push(ownedBy(resource, held.owner));
        trial.put(resource, REST, nothingTouched());
        (held?.version === trial.held(key)?.version ? unchanged : differs).push(key);
      }
      for (const key of remove) {
        const held = world.held(key);
        if (held === undefined) continue;
        if (held.owner !== REST) refused.push(ownedBy(held.resource, held.owner));
        differs.push(key);
      }
      const news = put.filter((resource) => world.held(resourceKey(refOf(resource))) === undefined);
      if (world.size + news.length > maxResources) {
        metrics.refused(news.length);
        refused.push(tooMany(maxResources));
      }
      if (refused.length > 0 || dryRun || differs.length === 0)
        return { changed: differs, unchanged, refused };
      const endpoints =
        put.some(isEndpoints) ||
        remove.some((k) => k.startsWith('Workload/') || k.startsWith('EndpointSlice/'));
      kept.before(
        savedState(
          new Map<string, Resource | undefined>([
            ...put.map((resource): [string, Resource] => [resourceKey(refOf(resource)), resource]),
            ...remove.map((key): [string, undefined] => [key, undefined]),
          ]),
        ),
      );
      for (const resource of put) world.put(resource, REST, touched);
      for (const key of remove) world.remove(key, touched);
      const changeId = changed(cause, differs, endpoints);
      if (remove.length > 0) {
        const anew = applyUpdates({ cause: `${cause}: sources get what was given up`, updates: [] });
        for (const source of sources) source.judged(anew);
      }
      return { changeId, changed: differs, unchanged, refused };
    },
    resources: () => [...world.entries()].map(([, held]) => held),
    resource: (key) => world.held(key),
    conditions: (key) => conditionsOf(world, sessions, mesh, key),
    resourceStatus: (key) => statuses.of(key),
    status: () => ({
      trustDomain: mesh.trustDomain,
      defaultAction: mesh.defaultAction,
      resources: world.size,
      proxies: [...[...sessions.values()].map(proxyStatus), ...disconnected.list()],
      sources: sources.map(({ source, faults }) => ({ id: source.id, faults })),
      filterPolicies: filterPolicyStatus(world, sessions, mesh),
      services: serviceStatus(world, sessions),
      lostWorkloads: joined.lost,
      ...(kept.fault === undefined ? {} : { unsaved: kept.fault }),
    }),
    mtls: () => mtlsStatus(world, sessions.values(), mesh),
    proxyConfig: (id) => sessions.get(id)?.snapshot.config,
    change: (id) => changes.get(id),
    async settled(id, timeoutMs) {
      const isSettled = (): boolean => !waiting.includes(id) && changes.answered(id);
      if (!isSettled()) {
        await new Promise<void>((resolve) => {
          const done = (): void => {
            watchers.delete(watch);
            cancel();
            resolve();
          };
          const watch = (): void => {
            if (closed || isSettled()) done();
          };
          const cancel = clock.setTimer(timeoutMs, done);
          watchers.add(watch);
        });
      }
      const record = changes.get(id);
      return record && { ...record, settled: isSettled() };
    },
    flush() {
      flush();
      kept.flush();
    },
    retire() {
      retired = true;
    },
    async close() {
      closed = true;
      look();
      cancelFlush?.();
      joined.close();
      kept.close();
      metrics.close();
      for (const { source } of sources) await source.close();
    },
  };
}

function savedSource([id, says]: [string, ReadonlyMap<string, SourceUpdate>]): [string, SavedOwner[]] {
  return [
    id,
    [...says.values()].map(({ owner, resources }) => ({
      owner,
      resources: resources.map((r) => r.resource),
    })),
  ];
}

/** What a source said before a restart. The text is gone, so that places are those of the whole. */
function heldUpdate({ owner, resources }: SavedOwner): SourceUpdate {
  return {
    owner,
    resources: resources.map((resource) => ({ resource, file: owner, locate: () => undefined })),
  };
}

function isEndpoints(resource: Resource): boolean {
  return resource.kind === 'Workload' || resource.kind === 'EndpointSlice';
}
