import { status } from '@grpc/grpc-js';
import type { WireResource } from '../encode/wire-resource.ts';
import type { AckReport, ResourceKind, ResumeReport, Snapshot } from '../provider.ts';
import type { Comparer, Named } from './differences.ts';
import { createHeartbeats } from './heartbeats.ts';
import { BY_NAME_RULES, type KindRules, MODEL_RULES } from './kind-rules.ts';
import type { PushHost, PushStrategy, StreamLimits } from './push.ts';
import { createAtomicPush } from './push-atomic.ts';
import { createOrderedPush } from './push-ordered.ts';
import { StreamFault } from './stream-fault.ts';
import {
  ABSENT,
  applyRefusal,
  applySubscriptions,
  type Outstanding,
  type SentResource,
  takeOutstanding,
  type TypeState,
  wants,
} from './type-state.ts';
import { createTypeStates } from './type-states.ts';

/** A delta request, read from protobuf. */
export interface DeltaRequest<Kind extends string = ResourceKind> {
  readonly kind: Kind;
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
export interface DeltaResponse<Kind extends string = ResourceKind> {
  readonly kind: Kind;
  readonly nonce: string;
  readonly changeId: string;
  readonly resources: readonly WireResource[];
  readonly removed: readonly string[];
  /** Of {@link removed}: never was, of a kind where that is said by a resource without content. */
  readonly absent?: readonly string[];
  /** For clients that hold what they get: whether the change is complete with this. */
  readonly last: boolean | undefined;
  /** Says only that {@link resources} are still there, so that their TTL begins anew. */
  readonly heartbeat?: true;
}

/** What a stream works with. Times are monotonic unless they say `epoch`. */
export interface MachineOptions<Kind extends string, Shot> {
  readonly rules: KindRules<Kind, Shot>;
  push(host: PushHost<Kind, Shot>): PushStrategy<Kind>;
  /**
   * Whether a response with listeners or clusters holds all of them, so that what is not in it is gone, and nothing can be
   * said of routes and endpoints that are not there. Default false.
   */
  readonly stateOfTheWorld?: boolean;
  readonly comparer: Comparer<Kind, Shot>;
  readonly limits: StreamLimits;
  /** The newest snapshot. */
  current(): Shot;
  send(response: DeltaResponse<Kind>): void;
  report(report: AckReport<Kind>): void;
  /** The client has some of what it should have from before. */
  resumed?(report: ResumeReport<Kind>): void;
  /** The client asks for other names of a kind than before; {@link current} is looked at after this. */
  asked?(kind: Kind, names: ReadonlySet<string>): void;
  /** Nothing of a kind is left to send or unanswered, up to a change. */
  upToDate?(kind: Kind, changeId: string): void;
  nowMs(): number;
  epochMs(): number;
}

/** What a stream of the data-plane model works with. */
export interface DeltaStreamOptions extends Omit<MachineOptions<ResourceKind, Snapshot>, 'rules' | 'push'> {
  /** Whether the client holds back what it gets until a change is complete. */
  readonly atomic: boolean;
  /** Whether it asks by name for what its resources lead it to, after it took them, as gRPC does. Default false. */
  readonly byName?: boolean;
}

/** One client's stream as a state machine: no sockets, no timers, no protobuf. */
export interface DeltaStream<Kind extends string = ResourceKind> {
  /** @throws StreamFault when a bound or the protocol is broken */
  request(request: DeltaRequest<Kind>): void;
  /** The snapshot changed. */
  changed(): void;
  /** Whether the transport takes more. Nothing is sent while it does not, and what is new then replaces what is old. */
  writable(yes: boolean): void;
  /** When {@link expire} is to be called; `undefined`: not at all. */
  deadlineMs(): number | undefined;
  /** @throws StreamFault when the client is too late */
  expire(): void;
  status(): DeltaStreamStatus<Kind>;
  /** How each resource stands that the client should have, or still has. Costs as much as a comparison of everything. */
  resources(): ResourceStatus<Kind>[];
  /** Types that the client asked for, of which something is to be sent, compared or answered. */
  unsettled(): number;
}

/** How one resource stands at one client. */
export interface ResourceStatus<Kind extends string = ResourceKind> {
  readonly kind: Kind;
  readonly name: string;
  /** Content hash of what it should have; `''` for what is to go. */
  readonly version: string;
  /** `error`: it refused that. `stale`: it has another, or has not answered yet. `not sent`: nothing was sent. */
  readonly state: 'synced' | 'stale' | 'not sent' | 'error';
  readonly error?: { readonly message: string; readonly atMs: number };
}

/** Where a stream stands. */
export interface DeltaStreamStatus<Kind extends string = ResourceKind> {
  /** Newest change that the client answered whole; `undefined` before the first. */
  readonly changeId: string | undefined;
  readonly outstanding: number;
  readonly staleNonces: number;
  readonly subscriptions: Readonly<Record<Kind, { readonly wildcard: boolean; readonly names: number }>>;
  /** Refused and not replaced yet. */
  readonly refused: readonly {
    readonly kind: Kind;
    readonly name: string;
    readonly version: string;
  }[];
}

/** A stream of the data-plane model. */
export function createDeltaStream(options: DeltaStreamOptions): DeltaStream {
  return createMachine({
    ...options,
    rules: options.byName === true ? BY_NAME_RULES : MODEL_RULES,
    push: options.atomic ? createAtomicPush : createOrderedPush,
  });
}

/** A stream of resources of any kinds. */
export function createMachine<Kind extends string, Shot extends { readonly changeId: string }>(
  options: MachineOptions<Kind, Shot>,
): DeltaStream<Kind> {
  const { limits, rules } = options;
  const types = createTypeStates(rules);
  /** By kind and name. Another one of the name is another refusal, though its fault be the same. */
  const reportedUnsendable = new Map<string, Named>();
  /** State of the world: what the last response held, by type and name. */
  const worlds = new Map<Kind, Map<string, WireResource>>();
  const heartbeats = createHeartbeats<Kind>(() => options.nowMs());
  /** Change that the last response of each kind belonged to. */
  const lastChange = new Map<Kind, string>();
  let writable = true;
  let nonces = 0;
  let stale = 0;
  let changeId: string | undefined;

  const { all } = types;
  const outstanding = (): number => all().reduce((sum, state) => sum + state.outstanding.length, 0);

  function worldOf(kind: Kind): Map<string, WireResource> | undefined {
    if (options.stateOfTheWorld !== true || !rules.whole(kind)) return undefined;
    let world = worlds.get(kind);
    if (!world) worlds.set(kind, (world = new Map<string, WireResource>()));
    return world;
  }

  /** Notes a response and hands it on. */
  function write(response: Omit<DeltaResponse<Kind>, 'nonce'>): void {
    const { kind, resources, removed, heartbeat } = response;
    if (outstanding() >= limits.maxOutstanding) {
      throw new StreamFault(
        status.RESOURCE_EXHAUSTED,
        `The client leaves ${limits.maxOutstanding} responses without an answer (maxOutstanding).`,
      );
    }
    const state = types.of(kind);
    const nonce = String(++nonces);
    state.answered = true;
    lastChange.set(kind, response.changeId);
    state.outstanding.push({
      ...(heartbeat && { heartbeat }),
      nonce,
      changeId: response.changeId,
      resources: (heartbeat ? [] : resources).map(({ name, version }) => ({
        name,
        version,
        previous: state.client.get(name),
      })),
      removed,
      sentAtMs: options.epochMs(),
      sentAt: options.nowMs(),
    });
    options.send({ ...response, nonce });
  }

  /** Says of what has a TTL that it is still there, where nothing of its kind waits for an answer. */
  function beat(): void {
    const now = options.nowMs();
    for (const state of all()) {
      const { kind } = state;
      if (!writable || state.outstanding.length > 0) continue;
      const due = heartbeats.due(kind, now).filter(({ name, version }) => state.client.get(name) === version);
      if (due.length === 0) continue;
      heartbeats.refreshed(kind, now);
      const world = worldOf(kind);
      const base = { kind, changeId: lastChange.get(kind) ?? '', removed: [], last: undefined };
      // In the state of the world what is not in a response is gone, so all is said again.
      write(
        world ? { ...base, resources: [...world.values()] } : { ...base, resources: due, heartbeat: true },
      );
    }
  }

  const host: PushHost<Kind, Shot> = {
    types,
    rules,
    comparer: options.comparer,
    limits,
    current: () => options.current(),
    nowMs: () => options.nowMs(),
    canWrite: () => writable,
    outstanding,
    batchBytes: (kind) => (worldOf(kind) ? Infinity : limits.maxResponseBytes),
    send(kind, change, changed, removed, last) {
      const state = types.of(kind);
      const world = worldOf(kind);
      if (options.stateOfTheWorld === true && !world && changed.length === 0 && removed.length > 0) {
        // What cannot be said is as good as said.
        for (const name of removed) noteRemoved(state, name);
        return false;
      }
      const resources = world ? wholeWorld(world, state, changed, removed) : changed;
      const absent = state.namespaces ? removed.filter((name) => !state.client.has(name)) : [];
      write({ kind, changeId: change, resources, removed, last, ...(absent.length > 0 && { absent }) });
      for (const resource of resources) {
        state.client.set(resource.name, resource.version);
        state.refused.delete(resource.name);
        state.claimed.delete(resource.name);
        heartbeats.sent(kind, resource);
      }
      for (const name of removed) noteRemoved(state, name);
      return true;
    },
    resumed(kind, change, held) {
      if (held.length === 0) return;
      const { claimed } = types.of(kind);
      for (const resource of held) {
        claimed.delete(resource.name);
        heartbeats.held(kind, resource);
      }
      options.resumed?.({
        kind,
        changeId: change,
        resources: held.map(({ name, version }) => ({ name, version })),
      });
    },
    unsendable: (change) => (kind, resource, reason) => {
      const { name } = resource;
      const key = `${kind} ${name}`;
      if (reportedUnsendable.get(key) === resource) return;
      reportedUnsendable.set(key, resource);
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

  const strategy = options.push(host);

  function pump(): void {
    strategy.pump();
    for (const { kind, client } of all()) heartbeats.keep(kind, (name) => client.has(name));
    beat();
    if (!options.upToDate || !strategy.idle()) return;
    const snapshot = options.current();
    for (const state of all()) {
      if (state.upToDate?.changeId === snapshot.changeId) continue;
      const resources = rules.resources(snapshot, state.kind);
      if (state.outstanding.length > 0 || !isCompared(state, resources)) continue;
      state.upToDate = { changeId: snapshot.changeId, resources };
      options.upToDate(state.kind, snapshot.changeId);
    }
  }

  function answer(state: TypeState<Kind>, request: DeltaRequest<Kind>): void {
    const sent = takeOutstanding(state, request.nonce);
    if (!sent) {
      stale++;
      return;
    }
    if (sent.heartbeat && !request.error) return;
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
      const state = types.of(request.kind);
      if (request.nonce !== '') answer(state, request);
      applySubscriptions(state, request.subscribe, request.unsubscribe, request.initialVersions);
      if (request.subscribe.length + request.unsubscribe.length > 0) options.asked?.(state.kind, state.names);
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
      const times = [
        late,
        strategy.deadlineMs(),
        heartbeats.nextMs((kind) => !writable || types.of(kind).outstanding.length > 0),
      ].filter((time) => time !== undefined);
      return times.length === 0 ? undefined : Math.min(...times);
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
          ...going.map(([name]): ResourceStatus<Kind> => ({
            kind: state.kind,
            name,
            version: '',
            state: 'stale',
          })),
        ];
      }),
    unsettled() {
      const snapshot = options.current();
      return all().filter(
        (state) =>
          state.requested &&
          (state.outstanding.length > 0 ||
            state.dirty ||
            state.seen !== rules.resources(snapshot, state.kind)),
      ).length;
    },
    status: () => ({
      changeId,
      outstanding: outstanding(),
      staleNonces: stale,
      subscriptions: Object.fromEntries(
        all().map(({ kind, wildcard, names }) => [kind, { wildcard, names: names.size }]),
      ) as DeltaStreamStatus<Kind>['subscriptions'],
      refused: all().flatMap(({ kind, refused }) =>
        [...refused].map(([name, version]) => ({ kind, name, version })),
      ),
    }),
  };
}

function statusOf<Kind extends string>(
  state: TypeState<Kind>,
  name: string,
  version: string,
): ResourceStatus<Kind> {
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
    resources.every(({ name }) => wants(state, name))
  );
}

/** Everything that a client has of a type after a change, and is still subscribed to. */
function wholeWorld(
  world: Map<string, WireResource>,
  state: TypeState,
  changed: readonly WireResource[],
  removed: readonly string[],
): WireResource[] {
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
function reportsOf<Kind extends string>(
  sent: Outstanding,
  { kind, error }: DeltaRequest<Kind>,
  ackedAtMs: number,
): AckReport<Kind>[] {
  const { nonce, changeId, sentAtMs } = sent;
  const base = { kind, changeId, nonce, sentAtMs, ackedAtMs };
  const named = (list: readonly SentResource[]): AckReport<Kind>['resources'] =>
    list.map(({ name, version }) => ({ name, version }));
  if (!error) return [{ ...base, resources: named(sent.resources), removed: sent.removed, ok: true }];
  const { refused, message } = error;
  const isRefused = (name: string): boolean => refused?.includes(name) ?? true;
  const taken: AckReport<Kind> = {
    ...base,
    resources: named(sent.resources.filter(({ name }) => !isRefused(name))),
    removed: sent.removed.filter((name) => !isRefused(name)),
    ok: true,
  };
  const rest: AckReport<Kind> = {
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
