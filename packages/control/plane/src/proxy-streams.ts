import type { Clock } from '@tulle/time';
import type { NodeInfo, SnapshotHandle, SnapshotProvider } from '@tulle/xds-server';
import type { ChangeLog } from './changes.ts';
import { ProxyCompiler } from './compile/proxy.ts';
import type { SharedResources } from './compile/shared.ts';
import type { Disconnected } from './disconnected.ts';
import { freeStreamId, serves } from './grpc-streams.ts';
import type { JoinedWorkloads } from './joined-workloads.ts';
import { proxyStatus } from './mesh-status.ts';
import { isSameNode, isSameWorkload, readProxyNode, type ProxyNode } from './node.ts';
import type { PlaneMetrics } from './plane-metrics.ts';
import type { Propagation } from './propagation.ts';
import { ProxySession } from './proxy-session.ts';
import type { ResourceStatuses } from './status/resource-status.ts';
import { ownGateway } from './touched-proxies.ts';
import type { World } from './world.ts';

/** What {@link ProxyStreams} works with. */
export interface ProxyStreamsParts {
  readonly trustDomain: string;
  readonly world: World;
  readonly shared: SharedResources;
  readonly sessions: Map<string, ProxySession>;
  readonly joined: JoinedWorkloads;
  readonly disconnected: Disconnected;
  readonly propagation: Propagation;
  readonly changes: ChangeLog;
  readonly statuses: ResourceStatuses;
  readonly metrics: PlaneMetrics;
  readonly clock: Clock;
  /** What survives a restart is another. */
  readonly learned: () => void;
}

/** The streams of proxies: each connects, says what it is, confirms or refuses what it gets, and goes. */
export class ProxyStreams implements SnapshotProvider {
  readonly #parts: ProxyStreamsParts;
  #retired = false;
  #closed = false;

  constructor(parts: ProxyStreamsParts) {
    this.#parts = parts;
  }

  /** Streams that are lost from now on say nothing of their proxies. As `ControlPlane.retire`. */
  retire(): void {
    this.#retired = true;
  }

  close(): void {
    this.#closed = true;
  }

  open(info: NodeInfo): SnapshotHandle {
    const session = this.#connected(info);
    const { changes, propagation, metrics } = this.#parts;
    return {
      current: () => session.snapshot,
      subscribe: (listener) => session.subscribe(listener),
      replaceable: (end) => void (session.end = end),
      described: (said) => this.#described(session, said),
      asked: (kind, names) => {
        if (!session.node.grpc || kind !== 'listener') return;
        session.compiler.ask(names);
        metrics.triggered('proxy');
        propagation.changedOf(session, `${session.node.id} asks for ${names.size} listeners`);
      },
      sent(report) {
        session.sent(report);
        metrics.pushed(report.kind);
      },
      resumed: (report) => session.resumed(report),
      acked: (report) => {
        const { node } = session;
        session.acked(report);
        metrics.answered(report.kind, report.ok);
        if (!report.ok) changes.refused(node.id, changes.sequence(report.changeId), report.error ?? '');
        if (node.grpc && report.kind === 'listener') this.#reviewServer(session);
        propagation.look();
      },
      upToDate: (kind, changeId) => {
        const sequence = changes.sequence(changeId);
        if (!session.upToDate(kind, sequence)) return;
        this.#confirmed(session, changeId, sequence);
      },
      closed: (how) => this.#left(session, how),
    };
  }

  #connected(info: NodeInfo): ProxySession {
    const { trustDomain, world, shared, sessions, joined, disconnected, propagation, changes, clock } =
      this.#parts;
    const read = readProxyNode(info, trustDomain);
    const node = read.grpc ? freeStreamId(read, sessions) : read;
    const session = new ProxySession(node, new ProxyCompiler(shared, node), clock.epochMs());
    if (!node.grpc) joined.settle(node);
    if (world.forwarders.joined(node)) this.#believedAnew(node);
    if (node.gateway !== undefined) this.#parts.learned(); // that it is proven holds also where it is not believed yet
    propagation.flush();
    const older = sessions.get(node.id);
    sessions.set(node.id, session);
    disconnected.remove(node.id);
    changes.back(node.id);
    older?.end?.(
      `another stream of ${node.id} took its place; if two sidecars run under that id, give each an instance and a state directory of its own`,
    );
    this.#parts.metrics.triggered('proxy');
    propagation.changedOf(session, `${node.id} connected`);
    return session;
  }

  /** Says more of itself, or another thing than before. */
  #described(session: ProxySession, said: NodeInfo): void {
    const { trustDomain, world, shared, sessions, joined, propagation } = this.#parts;
    const before = session.node;
    const { id } = before;
    session.node = readProxyNode(said, trustDomain);
    // Its id is the stream's own, and that it serves it says in another way.
    if (before.grpc) session.node = { ...session.node, id, ready: before.ready };
    if (isSameNode(before, session.node)) return;
    session.compiler = new ProxyCompiler(shared, session.node, session.compiler);
    if (sessions.get(id) !== session) return;
    // By another name it makes another Workload: the one before would stay, as well as ever.
    if (!isSameWorkload(before, session.node)) joined.left(before);
    if (!session.node.grpc || session.node.ready) joined.settle(session.node);
    if (before.serviceAccount !== session.node.serviceAccount && world.forwarders.left(before))
      this.#believedAnew(before);
    if (world.forwarders.joined(session.node)) this.#believedAnew(session.node);
    propagation.changedOf(session, `${id} says something new of itself`);
  }

  /** It has everything up to a change. */
  #confirmed(session: ProxySession, changeId: string, sequence: number): void {
    const { changes, propagation, clock } = this.#parts;
    const propagationMs = changes.settled(session.node.id, sequence, clock.epochMs()).at(-1);
    if (propagationMs !== undefined) session.lastChange = { id: changeId, propagationMs };
    this.#noteGateway(session.node);
    propagation.look();
  }

  #left(session: ProxySession, how: 'clean' | 'lost'): void {
    const { world, sessions, joined, disconnected, changes, propagation } = this.#parts;
    const { node } = session;
    if (sessions.get(node.id) !== session) return; // a newer stream of the same proxy has taken over
    sessions.delete(node.id);
    disconnected.add(proxyStatus(session), how);
    changes.left(node.id);
    this.#noteGateway(node);
    propagation.look();
    if (node.grpc && (!node.ready || serves(node, sessions.values()))) {
      // Another stream of the process, whose server is none the worse.
    } else if (how === 'clean') joined.left(node);
    else if (!this.#retired) joined.vanished(node);
    if (!this.#closed && world.forwarders.left(node)) this.#believedAnew(node);
  }

  /** The process of a Gateway came, went or confirmed something. */
  #noteGateway({ gateway, namespace, serviceAccount }: ProxyNode): void {
    if (gateway !== undefined) this.#parts.statuses.note([ownGateway({ namespace, serviceAccount })]);
  }

  /** Sidecars take another's word than before for who called. */
  #believedAnew({ namespace, serviceAccount }: ProxyNode): void {
    const { propagation } = this.#parts;
    propagation.touched.inbound.add('*');
    propagation.changed(
      `whether ${namespace}/${serviceAccount} speaks for a Gateway is another`,
      [ownGateway({ namespace, serviceAccount })],
      false,
    );
    this.#parts.learned();
  }

  /** A gRPC program took a listener, or gave it up: its servers may take calls now, or not any more. */
  #reviewServer(session: ProxySession): void {
    const { sessions, joined } = this.#parts;
    const ready = serves(session.node, sessions.values());
    if (ready === session.node.ready) return;
    session.node = { ...session.node, ready };
    if (ready) joined.settle(session.node);
    else joined.left(session.node);
  }
}
