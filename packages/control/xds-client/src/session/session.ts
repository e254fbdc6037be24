import type { ConfigIssue } from '@tulle/filter';
import type { ProxyConfig, RouteConfig } from '@tulle/model';

import {
  kindOfTypeUrl,
  NAMED_KINDS,
  type NamedKind,
  isNamed,
  type ResourceKind,
  TYPE_URLS,
} from '../wire.ts';
import type { Session, SessionOptions } from './contract.ts';
import { createLifetimes } from './lifetimes.ts';
import { assemble, type Assembled, REMOVED } from './assemble.ts';
import { clientRequest, type ServerResponse } from './messages.ts';
import { type DiscoverySource, type Need, sourceKey } from '../decode/discovery-source.ts';
import { readResources } from './receive.ts';
import { neededBy, neededByStore } from './references.ts';
import { canonicalName } from '../decode/resource-name.ts';
import { createChangeTimes, resourceStates } from './resource-state.ts';
import { resourcesAtFault } from './resources-at-fault.ts';
import { createRefusals, type Refusal, refusalText, type Refusals } from './refusals.ts';
import {
  copyStaged,
  type DraftStaged,
  emptyStaged,
  needsOf,
  forgetCommitted,
  stagedHeld,
  stagedOf,
  stagedSize,
} from './staged.ts';
import { configOf, type Held, sameStore, type Store, storeSize } from './store.ts';
import {
  createSubscriptions,
  type NeedsByName,
  type Subscriptions,
  subscribeTo,
  versionsOf,
} from './subscriptions.ts';

/** A response without an answer yet. */
interface Pending {
  readonly kind: ResourceKind;
  readonly source: DiscoverySource | undefined;
  readonly nonce: string;
  readonly names: readonly string[];
  /** What could not be read of it. */
  readonly unread: readonly Refusal[];
}

/** A configuration that the engine looks at. */
interface Flight {
  readonly changeId: string;
  readonly assembled: Assembled;
  readonly config: ProxyConfig;
  readonly staged: DraftStaged;
  readonly refused: Refusals;
  readonly whole: boolean;
  pending: readonly Pending[];
}

export function createSession(options: SessionOptions): Session {
  let active: Store = options.initial;
  let emitted = storeSize(options.initial) > 0;
  let activeChange = '';
  /** Refused and still not replaced: outlives its change. */
  let rejected: Refusals = createRefusals();
  let flight: Flight | undefined;
  let proposals = 0;

  /** Until when resources are good that were given for a time: also without a stream. */
  const lifetimes = createLifetimes();
  const times = createChangeTimes();

  // Of one stream.
  let open = false;
  let begun = false;
  let staged: DraftStaged = emptyStaged();
  let refused: Refusals = createRefusals();
  let pending: Pending[] = [];
  let subscriptions: Subscriptions = createSubscriptions();
  let marked = false;
  let complete = false;
  let holdUntil: number | undefined;
  let changeId = '';
  let warming: Assembled['warming'] = [];
  /** Of names asked for and not here yet: when to go on without. */
  let deadlines = new Map<string, number>();
  let absent = new Set<string>();
  let givenUp = new Set<string>();
  let lingerUntil = new Map<string, number>();
  let needs: NeedsByName = new Map();

  const key = (kind: ResourceKind, name: string): string => `${kind} ${name}`;

  function resetStream(): void {
    staged = stagedOf(options.fixed, active);
    refused = createRefusals();
    pending = [];
    subscriptions = createSubscriptions();
    marked = false;
    complete = stagedSize(staged) > 0; // what is fixed waits for nobody
    holdUntil = undefined;
    warming = [];
    deadlines = new Map();
    absent = new Set();
    givenUp = new Set();
    lingerUntil = new Map();
  }

  function begin(): void {
    begun = true;
    // The server says anew what it wants otherwise than it is here; of what it wants as it is it says nothing. Listeners and
    // routes stay noted: what is in use of them still names clusters that no one else does.
    for (const { kind, name } of [...rejected])
      if (kind === 'cluster' || kind === 'endpoint' || kind === 'secret') rejected.delete(kind, name);
    subscribe();
    // Listeners last: a server that sends changes whole begins when it has seen what is here.
    for (const kind of ['cluster', 'listener'] as const) {
      const root = options.roots?.[kind];
      if (root === 'none') continue;
      const source = root && 'collection' in root ? root.source : root;
      options.send(
        clientRequest(TYPE_URLS[kind], {
          ...(root && 'collection' in root && { subscribe: [canonicalName(root.collection)] }),
          initialVersions: versionsOf(active, kind),
          ...(source && { source }),
        }),
      );
    }
    commit();
  }

  function subscribe(): void {
    const used = neededByStore(active);
    const coming = neededBy(stagedHeld(staged, 'listener'), stagedHeld(staged, 'cluster'));
    const needed = {
      route: new Set([...used.route, ...coming.route]),
      endpoint: new Set([...used.endpoint, ...coming.endpoint]),
      secret: new Set([...used.secret, ...coming.secret]),
    };
    needs = needsOf(staged, active);
    for (const request of subscribeTo(subscriptions, needed, active, needs)) options.send(request);
    for (const kind of NAMED_KINDS) {
      for (const name of staged[kind].keys()) if (!needed[kind].has(name)) staged[kind].delete(name);
      for (const name of needed[kind]) {
        if (isHere(kind, name)) givenUp.delete(key(kind, name));
        if (isHere(kind, name) || isAbsent(kind, name)) deadlines.delete(key(kind, name));
        else if (!deadlines.has(key(kind, name)) && !givenUp.has(key(kind, name)))
          deadlines.set(key(kind, name), options.nowMs() + patience(needs.get(key(kind, name))));
      }
    }
    // Who asks for it no more has no word on it either; not every server says that it is gone.
    for (const { kind, name } of [...rejected])
      if (isNamed(kind) && !needed[kind].has(name)) rejected.delete(kind, name);
    for (const waited of [...deadlines.keys(), ...givenUp, ...absent]) {
      const [kind, name] = split(waited);
      if (needed[kind].has(name)) continue;
      deadlines.delete(waited);
      givenUp.delete(waited);
      absent.delete(waited);
    }
  }

  function patience(need: Need | undefined): number {
    const timeoutMs = need?.timeoutMs ?? options.warmingMs;
    return timeoutMs === 0 ? Number.POSITIVE_INFINITY : timeoutMs;
  }

  function isHere(kind: NamedKind, name: string): boolean {
    const held = staged[kind].get(name);
    return (held !== undefined && held !== REMOVED) || active[kind].has(name);
  }

  /** Whether the server said that there is none. One that sends changes whole means it. */
  function isAbsent(kind: NamedKind, name: string): boolean {
    return marked && absent.has(key(kind, name));
  }

  function awaits(kind: NamedKind, name: string): boolean {
    if (isHere(kind, name) || refused.has(kind, name)) return false;
    if (isAbsent(kind, name)) return false;
    const until = deadlines.get(key(kind, name));
    return until !== undefined && options.nowMs() < until;
  }

  /** Whether a complete change still lacks something that it names. */
  function lacksSomething(): boolean {
    return [...deadlines.keys()].some((waited) => awaits(...split(waited)));
  }

  function mayGo(cluster: string): boolean {
    if (marked) return false;
    const until = lingerUntil.get(cluster) ?? options.nowMs() + options.warmingMs;
    lingerUntil.set(cluster, until);
    return options.nowMs() >= until;
  }

  function commit(): void {
    if (flight || ((!open || !complete || (marked && lacksSomething())) && !lifetimes.someAreOver)) return;
    if (pending.length === 0 && stagedSize(staged) === 0) return;
    const all = pending;
    pending = [];
    const taken = refused;
    refused = createRefusals();
    propose(changeId, copyStaged(staged), taken, all, marked);
  }

  /** Offers the engine what has changed; where nothing has, answers at once. */
  function propose(
    change: string,
    from: DraftStaged,
    taken: Refusals,
    all: readonly Pending[],
    whole: boolean,
  ): void {
    const assembled = assemble({
      active,
      staged: from,
      refused: taken,
      heldBack: (kind, name) => rejected.has(kind, name),
      whole,
      awaits,
      isOver: (kind, name) => lifetimes.isOver(kind, name),
      mayGo,
    });
    const version = change === '' ? `local-${++proposals}` : change; // some servers name no change
    flight = {
      changeId: change,
      assembled,
      config: configOf(withEmpty(assembled.store), version),
      staged: from,
      refused: taken,
      whole,
      pending: all,
    };
    if (emitted && sameStore(assembled.store, active)) settle(flight);
    else options.apply(flight.config);
  }

  /** A listener whose routes did not come in time answers 404 to everything rather than not at all. */
  function withEmpty(store: Store): Store {
    const missing = marked ? [] : [...neededByStore(store).route].filter((name) => !store.route.has(name));
    if (missing.length === 0) return store;
    return {
      ...store,
      route: new Map([
        ...store.route,
        ...missing.map((name): [string, Held<RouteConfig>] => [
          name,
          { version: '', resource: { name, virtualHosts: [] } },
        ]),
      ]),
    };
  }

  /** The assembled state is in use: answers what led to it. */
  function settle(done: Flight): void {
    flight = undefined;
    emitted = true;
    times.note(active, done.assembled.store, done.refused, options.epochMs());
    active = done.assembled.store;
    activeChange = done.changeId === '' ? activeChange : done.changeId;
    lifetimes.forget(done.staged);
    forgetCommitted(staged, done.staged, done.assembled, done.refused);
    rejected = stillRejected(rejected, done);
    for (const response of done.pending) answer(response, done.refused);
    if (open && begun) {
      warming = done.assembled.warming;
      for (const cluster of lingerUntil.keys())
        if (!done.assembled.lingering.includes(cluster)) lingerUntil.delete(cluster);
      subscribe();
    }
    const list = [...done.refused];
    if (list.length > 0) options.refused(list, done.changeId);
    options.accepted({ changeId: activeChange, store: active, refused: list });
    if (pending.length > 0) commit();
  }

  function answer({ kind, source, nonce, names, unread }: Pending, refusals: Refusals): void {
    const own = createRefusals(unread);
    for (const name of names) own.add(kind, name, ...(refusals.get(kind, name)?.reasons ?? []));
    const list = [...own].filter(({ reasons }) => reasons.length > 0);
    const error = list.length === 0 ? {} : { error: { message: refusalText(list), refusals: list } };
    options.send(clientRequest(TYPE_URLS[kind], { nonce, ...error, ...(source && { source }) }));
  }

  /** Offers the engine what is left without the resources that it does not like. */
  function goBack(done: Flight, issues: readonly ConfigIssue[]): void {
    const faults = resourcesAtFault(done.config, done.assembled.store, active, issues);
    const progress = faults.some(({ kind, name }) => !done.refused.has(kind, name));
    for (const { kind, name, reason } of faults) done.refused.add(kind, name, reason);
    if (!progress) {
      options.warn('The engine refuses a configuration in which nothing is left to take back', {
        change: done.changeId,
        issues,
      });
      settle({ ...done, assembled: { store: active, warming: [], lingering: [] } });
      return;
    }
    flight = undefined;
    propose(done.changeId, done.staged, done.refused, done.pending, done.whole);
  }

  function stage(kind: ResourceKind, response: ServerResponse): void {
    const room = options.maxResources - storeSize(active);
    const read = readResources(kind, response, {
      decoder: options.decoder,
      ...(options.fixedSecret && { fixedSecret: options.fixedSecret }),
      active,
      room,
      wanted: (name) => isWanted(kind, name) && isFrom(kind, name, response.source),
    });
    for (const [name, held] of read.taken) {
      staged[kind].set(name, held as never);
      refused.delete(kind, name);
      absent.delete(key(kind, name));
    }
    for (const { name, reasons } of read.refused) {
      refused.add(kind, name, ...reasons);
      staged[kind].delete(name);
    }
    for (const { name, ttlMs } of response.resources)
      if (isWanted(kind, name) && isFrom(kind, name, response.source))
        lifetimes.note(kind, name, ttlMs, options.nowMs());
    for (const name of response.removed) {
      lifetimes.note(kind, name, undefined, 0);
      if (!isWanted(kind, name) || !isFrom(kind, name, response.source)) continue;
      staged[kind].set(name, REMOVED);
      if (isNamed(kind)) absent.add(key(kind, name));
    }
    const unread = read.refused.map((one) => ({ kind, ...one }));
    const names = [...read.taken.map(([name]) => name), ...response.removed];
    pending.push({ kind, source: response.source, nonce: response.nonce, names, unread });
  }

  /** Takes away what is over. */
  function endLifetimes(): void {
    for (const { kind, name } of lifetimes.end(options.nowMs())) {
      if (!active[kind].has(name) && !staged[kind].has(name)) {
        lifetimes.note(kind, name, undefined, 0); // nothing is there that could go
        continue;
      }
      options.warn('The time of a resource is over: it was not said again within its TTL', { kind, name });
      staged[kind].set(name, REMOVED);
    }
  }

  function isWanted(kind: ResourceKind, name: string): boolean {
    return !isNamed(kind) || subscriptions[kind].has(name);
  }

  /** A resource has one source: what another one sends under its name was never asked for there. */
  function isFrom(kind: ResourceKind, name: string, source: DiscoverySource | undefined): boolean {
    if (!isNamed(kind)) return true;
    const asked = subscriptions[kind].get(name);
    return (asked ? sourceKey(asked) : 'ads') === (source ? sourceKey(source) : 'ads');
  }

  return {
    connected() {
      resetStream();
      open = true;
      begun = false;
      if (!flight) begin(); // else when the engine has said what is in use
    },
    disconnected() {
      open = false;
      resetStream();
      if (flight) flight.pending = [];
    },
    response(response) {
      if (!open) return;
      const kind = kindOfTypeUrl(response.typeUrl);
      if (!kind) {
        const message = `The type ${response.typeUrl === '' ? '(none)' : response.typeUrl} was never asked for.`;
        options.warn('Response of a type that was never asked for', { typeUrl: response.typeUrl });
        options.send(
          clientRequest(response.typeUrl, {
            nonce: response.nonce,
            error: { message, refusals: [] },
            ...(response.source && { source: response.source }),
          }),
        );
        return;
      }
      stage(kind, response);
      changeId = response.changeId;
      if (response.last !== undefined) marked = true;
      // One source's answer says nothing of a change of another.
      complete = response.last ?? (marked ? complete : true);
      holdUntil = complete ? undefined : (holdUntil ?? options.nowMs() + options.holdMs);
      subscribe();
      commit();
    },
    applied(result) {
      const done = flight;
      if (!done) return;
      if (result.ok) settle(done);
      else goBack(done, result.issues);
      if (!flight && open && !begun) begin();
    },
    deadlineMs() {
      if (flight) return undefined;
      if (!open) return lifetimes.nextMs();
      const all = [
        ...(lifetimes.nextMs() === undefined ? [] : [lifetimes.nextMs() as number]),
        ...[...deadlines.values()].filter((until) => until < Number.POSITIVE_INFINITY),
        ...lingerUntil.values(),
        ...(holdUntil === undefined ? [] : [holdUntil]),
      ];
      return all.length === 0 ? undefined : Math.min(...all);
    },
    expire() {
      if (flight) return;
      const now = options.nowMs();
      endLifetimes();
      if (!open) {
        commit();
        return;
      }
      if (holdUntil !== undefined && now >= holdUntil) {
        options.abandon(
          `The change "${changeId}" was not completed within ${options.holdMs} ms (changeHoldMs); what came of it is dropped.`,
        );
        return;
      }
      for (const [waited, until] of deadlines) {
        if (now < until) continue;
        deadlines.delete(waited);
        givenUp.add(waited);
        options.warn('Resource did not come in time', {
          resource: waited,
          initialFetchTimeoutMs: options.warmingMs,
        });
      }
      commit();
    },
    resources: () =>
      resourceStates({
        active,
        staged,
        subscriptions,
        rejected,
        times,
        isAbsent: (kind, name) => absent.has(key(kind, name)),
      }),
    status: () => ({
      changeId: activeChange,
      synced: open && complete && !flight && pending.length === 0 && warming.length === 0,
      resources: {
        listener: active.listener.size,
        route: active.route.size,
        cluster: active.cluster.size,
        endpoint: active.endpoint.size,
        secret: active.secret.size,
      },
      warming: warming.map(({ kind, name }) => key(kind, name)),
      refused: [...rejected],
      applying: flight !== undefined,
    }),
  };
}

function split(waited: string): [NamedKind, string] {
  const space = waited.indexOf(' ');
  return [waited.slice(0, space) as NamedKind, waited.slice(space + 1)];
}

/** Refusals of before that nothing has replaced, and those of this change. */
function stillRejected(before: Refusals, done: Flight): Refusals {
  const { staged, refused } = done;
  const kept = [...before].filter(
    ({ kind, name }) => staged[kind].get(name) === undefined && !refused.has(kind, name),
  );
  return createRefusals([...kept, ...refused]);
}
