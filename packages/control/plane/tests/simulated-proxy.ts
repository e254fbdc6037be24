import {
  createComparer,
  createDeltaStream,
  createResourceEncoder,
  type DeltaResponse,
  type DeltaStream,
  type EncodeForm,
  type NodeInfo,
  type ResourceKind,
  type SnapshotHandle,
} from '@tulle/xds-server';
import type { ControlPlane } from '../src/index.ts';

const KINDS: readonly ResourceKind[] = ['route', 'endpoint', 'cluster', 'listener'];

/** A proxy at the other end of the real ADS state machine; a test moves its messages one by one. */
export interface SimulatedProxy {
  readonly node: NodeInfo;
  readonly connected: boolean;
  /** Version by name that it has in use. */
  readonly has: Readonly<Record<ResourceKind, Map<string, string>>>;
  /** Change ids in the order in which it took them into use. */
  readonly accepted: string[];
  /** `+name` or `-name` of each resource and removal that reached it, with the kind before it. */
  readonly received: string[];
  /** Resources that it refuses, as `kind name`. */
  readonly refuses: Set<string>;
  /** What it says of a resource that it refuses. Default `no NAMES`. */
  refusal: string | undefined;
  /** Opens a stream, claiming what it has. */
  connect(): void;
  /** Takes the oldest response and, when its change is complete, answers all of it; `false` when there is none. */
  deliver(): boolean;
  settle(): void;
  disconnect(how: 'clean' | 'lost'): void;
}

/**
 * @param plane the control plane of its next stream
 * @param form in which it is told; default as Tulle's own proxies are
 */
export function simulatedProxy(plane: () => ControlPlane, node: NodeInfo, form?: EncodeForm): SimulatedProxy {
  const comparer = createComparer(createResourceEncoder(form), 1 << 20);
  const map = (): Map<string, string> => new Map();
  const has = { listener: map(), route: map(), cluster: map(), endpoint: map() };
  let handle: SnapshotHandle | undefined;
  let machine: DeltaStream | undefined;
  let inbox: DeltaResponse[] = [];
  let held: DeltaResponse[] = [];
  let stopWatching = (): void => {};

  const ask = (kind: ResourceKind, fields: Partial<Parameters<DeltaStream['request']>[0]>): void =>
    machine?.request({ kind, subscribe: [], unsubscribe: [], initialVersions: {}, nonce: '', ...fields });

  function commit(): void {
    const all = held;
    held = [];
    const change = all.at(-1)?.changeId ?? '';
    const answers: (() => void)[] = [];
    for (const { kind, nonce, resources, removed } of all) {
      const refused = resources
        .map(({ name }) => name)
        .filter((name) => proxy.refuses.has(`${kind} ${name}`));
      for (const { name, version } of resources) if (!refused.includes(name)) has[kind].set(name, version);
      for (const name of removed) has[kind].delete(name);
      const error =
        refused.length === 0 ? {} : { error: { message: proxy.refusal ?? `no ${refused.join()}`, refused } };
      answers.push(() => ask(kind, { nonce, ...error }));
    }
    proxy.accepted.push(change);
    for (const answer of answers) answer();
  }

  const proxy: SimulatedProxy = {
    node,
    get connected() {
      return handle !== undefined;
    },
    has,
    accepted: [],
    received: [],
    refuses: new Set(),
    refusal: undefined,
    connect() {
      const opened = plane().provider.open(node);
      handle = opened;
      machine = createDeltaStream({
        atomic: true,
        comparer,
        limits: {
          maxSubscriptions: 1000,
          maxOutstanding: 1000,
          maxResponseBytes: 300,
          ackTimeoutMs: 0,
          dependencyWaitMs: 0,
        },
        current: () => opened.current(),
        send(response) {
          inbox.push(response);
          opened.sent?.({
            ...response,
            resources: response.resources.map(({ name, version }) => ({ name, version })),
          });
        },
        report: (report) => opened.acked(report),
        resumed: (report) => opened.resumed?.(report),
        upToDate: (kind, change) => opened.upToDate?.(kind, change),
        nowMs: () => 0,
        epochMs: () => Date.now(),
      });
      stopWatching = opened.subscribe(() => machine?.changed());
      for (const kind of KINDS)
        ask(kind, { subscribe: ['*'], initialVersions: Object.fromEntries(has[kind]) });
    },
    deliver() {
      const response = inbox.shift();
      if (response === undefined) return false;
      held.push(response);
      const note = (sign: string) => (name: string) =>
        void proxy.received.push(`${response.kind} ${sign}${name}`);
      response.resources.map(({ name }) => name).forEach(note('+'));
      response.removed.forEach(note('-'));
      if (response.last === true) commit();
      return true;
    },
    settle() {
      while (proxy.deliver());
    },
    disconnect(how) {
      if (handle === undefined) return;
      stopWatching();
      inbox = [];
      held = [];
      machine = undefined;
      const open = handle;
      handle = undefined;
      open.closed(how);
    },
  };
  return proxy;
}
