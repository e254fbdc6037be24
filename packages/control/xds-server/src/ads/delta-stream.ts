import { status } from '@grpc/grpc-js';
import type { EncodedResource } from '../encode/resource.ts';
import type { AckReport, ResourceKind, ResumeReport, Snapshot } from '../provider.ts';
import { ADD_ORDER } from '../wire.ts';
import { type Comparer, resourcesOf } from './differences.ts';
import type { PushHost, PushStrategy, StreamLimits } from './push.ts';
import { createAtomicPush } from './push-atomic.ts';
import { createOrderedPush } from './push-ordered.ts';
import { StreamFault } from './stream-fault.ts';
import {
  ABSENT,
  applyRefusal,
  applySubscriptions,
  createTypeState,
  type Outstanding,
  type SentResource,
  takeOutstanding,
  type TypeState,
  wants,
} from './type-state.ts';

/** A delta request, read from protobuf. */
export interface DeltaRequest {
  readonly kind: ResourceKind;
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  /** Version by name that the client has from before; read in the first request of a type only. */
  readonly initialVersions: Readonly<Record<string, string>>;
  /** Of the response that this answers; `''` for none. */
  readonly nonce: string;
  /** Set when the response is refused. */
  readonly error?: {
    readonly message: string;
    /** Names that were refused, where the client says; the response's others were taken. */
    readonly refused?: readonly string[];
  };
}

/** A delta response, to be written as protobuf. */
export interface DeltaResponse {
  readonly kind: ResourceKind;
  readonly nonce: string;
  readonly changeId: string;
  readonly resources: readonly EncodedResource[];
  readonly removed: readonly string[];
  /** For clients that hold what they get: whether the change is complete with this. */
  readonly last: boolean | undefined;
}

/** What a stream works with. Times are monotonic unless they say `epoch`. */
export interface DeltaStreamOptions {
  /** Whether the client holds back what it gets until a change is complete. */
  readonly atomic: boolean;
  /**
   * Whether a response with listeners or clusters holds all of them, so that what is not in it is gone, and nothing can be
   * said of routes and endpoints that are not there. Default false.
   */
  readonly stateOfTheWorld?: boolean;
  readonly comparer: Comparer;
  readonly limits: StreamLimits;
  /** The newest snapshot. */
  current(): Snapshot;
  send(response: DeltaResponse): void;
  report(report: AckReport): void;
  /** The client has some of what it should have from before. */
  resumed?(report: ResumeReport): void;
  /** Nothing of a kind is left to send or unanswered, up to a change. */
  upToDate?(kind: ResourceKind, changeId: string): void;
  nowMs(): number;
  epochMs(): number;
}

/** One client's stream as a state machine: no sockets, no timers, no protobuf. */
export interface DeltaStream {
  /** @throws StreamFault when a bound or the protocol is broken */
  request(request: DeltaRequest): void;
  /** The snapshot changed. */
  changed(): void;
  /** Whether the transport takes more. Nothing is sent while it does not, and what is new then replaces what is old. */
  writable(yes: boolean): void;
  /** When {@link expire} is to be called; `undefined`: not at all. */
  deadlineMs(): number | undefined;
  /** @throws StreamFault when the client is too late */
  expire(): void;
  status(): DeltaStreamStatus;
  /** How each resource stands that the client should have, or still has. Costs as much as a comparison of everything. */
  resources(): ResourceStatus[];
}

/** How one resource stands at one client. */
export interface ResourceStatus {
  readonly kind: ResourceKind;
  readonly name: string;
  /** Content hash of what it should have; `''` for what is to go. */
  readonly version: string;
  /** `error`: it refused that. `stale`: it has another, or has not answered yet. `not sent`: nothing was sent. */
  readonly state: 'synced' | 'stale' | 'not sent' | 'error';
  readonly error?: { readonly message: string; readonly atMs: number };
}

/** Where a stream stands. */
export interface DeltaStreamStatus {
  /** Newest change that the client answered whole; `undefined` before the first. */
  readonly changeId: string | undefined;
  readonly outstanding: number;
  readonly staleNonces: number;
  readonly subscriptions: Readonly<
    Record<ResourceKind, { readonly wildcard: boolean; readonly names: number }>
  >;
  /** Refused and not replaced yet. */
  readonly refused: readonly {
    readonly kind: ResourceKind;
    readonly name: string;
    readonly version: string;
  }[];
}

export function createDeltaStream(options: DeltaStreamOptions): DeltaStream {
  const { limits } = options;
  const types: Record<ResourceKind, TypeState> = {
    cluster: createTypeState('cluster'),
    endpoint: createTypeState('endpoint'),
    listener: createTypeState('listener'),
    route: createTypeState('route'),
  };
  const reportedUnsendable = new Map<string, string>();
  /** State of the world: what the last response held, by type and name. */
  const world: Readonly<Record<ResourceKind, Map<string, EncodedResource> | undefined>> = {
    cluster: options.stateOfTheWorld === true ? new Map() : undefined,
    listener: options.stateOfTheWorld === true ? new Map() : undefined,
    endpoint: undefined,
    route: undefined,
  };
  let writable = true;
  let nonces = 0;
  let stale = 0;
  let changeId: string | undefined;

  const all = (): TypeState[] => ADD_ORDER.map((kind) => types[kind]);
  const outstanding = (): number => all().reduce((sum, state) => sum + state.outstanding.length, 0);

  const host: PushHost = {
    types,
    comparer: options.comparer,
    limits,
    current: () => options.current(),
    nowMs: () => options.nowMs(),
    canWrite: () => writable,
    outstanding,
    batchBytes: (kind) => (world[kind] ? Infinity : limits.maxResponseBytes),
    send(kind, change, changed, removed, last) {
      const state = types[kind];
      const all = world[kind];
      if (options.stateOfTheWorld === true && !all && changed.length === 0) {
        // What cannot be said is as good as said.
        for (const name of removed) noteRemoved(state, name);
        return false;
      }
      if (outstanding() >= limits.maxOutstanding) {
        throw new StreamFault(
          status.RESOURCE_EXHAUSTED,
          `The client leaves ${limits.maxOutstanding} responses without an answer (maxOutstanding).`,
        );
      }
      const resources = all ? wholeWorld(all, state, changed, removed) : changed;
      const nonce = String(++nonces);
      state.answered = true;
      state.outstanding.push({
        nonce,
        changeId: change,
        resources: resources.map(({ name, version }) => ({
          name,
          version,
          previous: state.client.get(name),
        })),
        removed,
        sentAtMs: options.epochMs(),
        sentAt: options.nowMs(),
      });
      for (const { name, version } of resources) {
        state.client.set(name, version);
        state.refused.delete(name);
        state.claimed.delete(name);
      }
      for (const name of removed) noteRemoved(state, name);
      options.send({ kind, nonce, changeId: change, resources, removed, last });
      return true;
    },
    resumed(kind, change, held) {
      if (held.length === 0) return;
      for (const { name } of held) types[kind].claimed.delete(name);
      options.resumed?.({ kind, changeId: change, resources: held });
    },
    unsendable: (change) => (kind, name, reason) => {
      const key = `${kind} ${name}`;
      if (reportedUnsendable.get(key) === reason) return;
      reportedUnsendable.set(key, reason);
      const now = options.epochMs();
      options.report({
        kind,
        changeId: change,
        nonce: '',
        resources: [{ name, version: '' }],
        removed: [],
        ok: false,
        error: reason,
        sentAtMs: now,
        ackedAtMs: now,
      });
    },
  };

  const strategy: PushStrategy = options.atomic ? createAtomicPush(host) : createOrderedPush(host);

  function pump(): void {
    strategy.pump();
    if (!options.upToDate || !strategy.idle()) return;
    const snapshot = options.current();
    for (const state of all()) {
      if (state.upToDate?.changeId === snapshot.changeId) continue;
      const resources = resourcesOf(snapshot, state.kind);
      if (state.outstanding.length > 0 || !isCompared(state, resources)) continue;
      state.upToDate = { changeId: snapshot.changeId, resources };
      options.upToDate(state.kind, snapshot.changeId);
    }
  }

  function answer(state: TypeState, request: DeltaRequest): void {
    const sent = takeOutstanding(state, request.nonce);
    if (!sent) {
      stale++;
      return;
    }
    if (request.error) {
      const { message, refused } = request.error;
      applyRefusal(state, sent, refused, { message, atMs: options.epochMs() });
    }
    for (const name of state.reasons.keys()) if (!state.refused.has(name)) state.reasons.delete(name);
    for (const report of reportsOf(sent, request, options.epochMs())) options.report(report);
    strategy.answered(state.kind);
    if (outstanding() === 0) changeId = sent.changeId;
  }

  return {
    request(request) {
      const state = types[request.kind];
      if (request.nonce !== '') answer(state, request);
      applySubscriptions(state, request.subscribe, request.unsubscribe, request.initialVersions);
      const names = all().reduce((sum, one) => sum + one.names.size, 0);
      if (names > limits.maxSubscriptions) {
        throw new StreamFault(
          status.RESOURCE_EXHAUSTED,
          `The client subscribes to ${names} names; at most maxSubscriptions = ${limits.maxSubscriptions} are allowed.`,
        );
      }
      pump();
    },
    changed: () => pump(),
    writable(yes) {
      writable = yes;
      if (yes) pump();
    },
    deadlineMs() {
      const oldest = all().flatMap((state) => state.outstanding.slice(0, 1).map(({ sentAt }) => sentAt));
      const late =
        limits.ackTimeoutMs > 0 && oldest.length > 0 ? Math.min(...oldest) + limits.ackTimeoutMs : undefined;
      const wait = strategy.deadlineMs();
      return late === undefined ? wait : wait === undefined ? late : Math.min(late, wait);
    },
    expire() {
      const now = options.nowMs();
      for (const state of all()) {
        const [first] = state.outstanding;
        if (first && limits.ackTimeoutMs > 0 && now - first.sentAt >= limits.ackTimeoutMs) {
          throw new StreamFault(
            status.DEADLINE_EXCEEDED,
            `No answer to nonce ${first.nonce} (${state.kind}, change ${first.changeId}) for ${limits.ackTimeoutMs} ms (ackTimeoutMs).`,
          );
        }
      }
      pump();
    },
    resources: () =>
      all().flatMap((state) => {
        const wanted = options.comparer.versions(state, options.current());
        const going = [...state.client].filter(([name, version]) => version !== ABSENT && !wanted.has(name));
        return [
          ...[...wanted].map(([name, version]) => statusOf(state, name, version)),
          ...going.map(([name]): ResourceStatus => ({ kind: state.kind, name, version: '', state: 'stale' })),
        ];
      }),
    status: () => ({
      changeId,
      outstanding: outstanding(),
      staleNonces: stale,
      subscriptions: Object.fromEntries(
        all().map(({ kind, wildcard, names }) => [kind, { wildcard, names: names.size }]),
      ) as DeltaStreamStatus['subscriptions'],
      refused: all().flatMap(({ kind, refused }) =>
        [...refused].map(([name, version]) => ({ kind, name, version })),
      ),
    }),
  };
}

function statusOf(state: TypeState, name: string, version: string): ResourceStatus {
  const base = { kind: state.kind, name, version };
  if (state.refused.get(name) === version) {
    const error = state.reasons.get(name);
    return { ...base, state: 'error', ...(error && { error }) };
  }
  const has = state.client.get(name);
  if (has === undefined || has === ABSENT) return { ...base, state: 'not sent' };
  const open = state.outstanding.some(({ resources }) => resources.some((one) => one.name === name));
  return { ...base, state: has === version && !open ? 'synced' : 'stale' };
}

/** Whether what a client has was compared with these resources, and it asked for all of them. */
function isCompared(state: TypeState, resources: readonly { readonly name: string }[]): boolean {
  if (!state.requested) return resources.length === 0;
  if (state.dirty || state.seen !== resources) return false;
  return (
    state.wildcard ||
    state.upToDate?.resources === resources ||
    resources.every(({ name }) => state.names.has(name))
  );
}

/** Everything that a client has of a type after a change, and is still subscribed to. */
function wholeWorld(
  world: Map<string, EncodedResource>,
  state: TypeState,
  changed: readonly EncodedResource[],
  removed: readonly string[],
): EncodedResource[] {
  for (const name of removed) world.delete(name);
  for (const name of [...world.keys()]) if (!wants(state, name)) world.delete(name);
  for (const resource of changed) world.set(resource.name, resource);
  return [...world.values()];
}

/** A client that asked by name remembers that there is none; one with a wildcard just forgets. */
function noteRemoved(state: TypeState, name: string): void {
  state.refused.delete(name);
  if (state.names.has(name)) state.client.set(name, ABSENT);
  else state.client.delete(name);
}

/** One report; two when the client took a part and refused the rest. */
function reportsOf(sent: Outstanding, { kind, error }: DeltaRequest, ackedAtMs: number): AckReport[] {
  const { nonce, changeId, sentAtMs } = sent;
  const base = { kind, changeId, nonce, sentAtMs, ackedAtMs };
  const named = (list: readonly SentResource[]): AckReport['resources'] =>
    list.map(({ name, version }) => ({ name, version }));
  if (!error) return [{ ...base, resources: named(sent.resources), removed: sent.removed, ok: true }];
  const { refused, message } = error;
  const isRefused = (name: string): boolean => refused?.includes(name) ?? true;
  const taken: AckReport = {
    ...base,
    resources: named(sent.resources.filter(({ name }) => !isRefused(name))),
    removed: sent.removed.filter((name) => !isRefused(name)),
    ok: true,
  };
  const rest: AckReport = {
    ...base,
    // Of a whole state only what is new in it.
    resources: named(
      sent.resources.filter(
        ({ name, version, previous }) => isRefused(name) && (refused !== undefined || previous !== version),
      ),
    ),
    removed: sent.removed.filter(isRefused),
    ok: false,
    error: message,
  };
  return taken.resources.length + taken.removed.length > 0 ? [taken, rest] : [rest];
}
