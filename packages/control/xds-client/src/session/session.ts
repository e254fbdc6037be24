import type { ConfigIssue } from '@tulle/filter';
import type { ProxyConfig } from '@tulle/model';

import { byKind, kindOfTypeUrl, NAMED_KINDS, type NamedKind, isNamed, type ResourceKind } from '../wire.ts';
import type { Session, SessionOptions, SessionStatus } from './contract.ts';
import { answerTo, type Pending } from './answers.ts';
import { createDemands, type DemandedKind } from './demands.ts';
import { clusterRelease, clusterRequest, firstRequests } from './first-requests.ts';
import { createLifetimes } from './lifetimes.ts';
import { assemble, type Assembled, REMOVED } from './assemble.ts';
import { clientRequest, type ServerResponse } from './messages.ts';
import { type DiscoverySource, type Need, sourceKey } from '../decode/discovery-source.ts';
import { readResources } from './receive.ts';
import { neededBy, withEmptyRoutes } from './references.ts';
import { createChangeTimes, resourceStates } from './resource-state.ts';
import { resourcesAtFault } from './resources-at-fault.ts';
import { createRefusals, type Refusals } from './refusals.ts';
import {
  copyStaged,
  type DraftStaged,
  emptyStaged,
  needsOf,
  forgetCommitted,
  stagedHeld,
  stagedNamed,
  stagedOf,
  stagedOver,
  stagedSize,
} from './staged.ts';
import { configOf, sameStore, type Store, storeSize } from './store.ts';
import { createSubscriptions, type NeedsByName, type Subscriptions, subscribeTo } from './subscriptions.ts';
import { ALL_SCOPES } from './scopes.ts';
import { routesOfHost, withoutEmpty } from './virtual-hosts.ts';
import { createWaiting, type Waiting } from './waiting.ts';

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
  /** What requests wait for: also without a stream. */
  const demands = createDemands({
    max: options.maxDemands,
    full: () =>
      options.warn('No more clusters and virtual hosts are asked for on demand (maxDemands)', {
        maxDemands: options.maxDemands,
      }),
    // Virtual hosts go with what is subscribed to.
    forgotten(demand) {
      if (demand.kind === 'cluster' && open && begun) options.send(clusterRelease(demand));
    },
    waits: (kind, name) => staged[kind].has(name),
  });

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
  let waiting: Waiting = newWaiting();
  let lingerUntil = new Map<string, number>();
  let needs: NeedsByName = new Map();
  /** Route configurations whose virtual hosts are discovered. */
  let hostRoots = new Set<string>();

  const key = (kind: ResourceKind, name: string): string => `${kind} ${name}`;

  function newWaiting(): Waiting {
    return createWaiting({ warmingMs: options.warmingMs, isHere, heeds: () => marked });
  }

  function resetStream(): void {
    staged = stagedOf(options.fixed, active);
    refused = createRefusals();
    pending = [];
    subscriptions = createSubscriptions();
    marked = false;
    complete = stagedSize(staged) > 0; // what is fixed waits for nobody
    holdUntil = undefined;
    warming = [];
    waiting = newWaiting();
    lingerUntil = new Map();
  }

  function begin(): void {
    begun = true;
    // The server says anew what it wants otherwise than it is here; of what it wants as it is it says nothing. Listeners and
    // routes stay noted: what is in use of them still names clusters that no one else does.
    for (const { kind, name } of [...rejected])
      if (kind !== 'listener' && kind !== 'route' && kind !== 'virtual-host') rejected.delete(kind, name);
    subscribe();
    for (const request of firstRequests(options.roots, active, demands)) options.send(request);
    demands.askAgain();
    commit();
  }

  function subscribe(): void {
    const needed = neededBy(
      {
        listeners: [...active.listener.values(), ...stagedHeld(staged, 'listener')],
        scopes: [...active['scoped-route'].values(), ...stagedHeld(staged, 'scoped-route')],
        routes: [...active.route, ...stagedNamed(staged, 'route')],
        clusters: [...active.cluster.values(), ...stagedHeld(staged, 'cluster')],
      },
      hostsOf,
    );
    needs = needsOf(staged, active);
    hostRoots = new Set(
      [...needs.values()].flatMap(({ kind, name }) => (kind === 'virtual-host' ? [name] : [])),
    );
    for (const request of subscribeTo(subscriptions, needed, active, needOf)) options.send(request);
    for (const kind of NAMED_KINDS)
      for (const name of staged[kind].keys()) if (!isWanted(kind, name)) staged[kind].delete(name);
    const awaited = { ...needed, 'virtual-host': hostRoots };
    waiting.follow(awaited, needOf, options.nowMs());
    // Who asks for it no more has no word on it either; not every server says that it is gone.
    for (const { kind, name } of [...rejected])
      if (isNamed(kind) && !isWanted(kind, name)) rejected.delete(kind, name);
  }

  /** Names of virtual hosts that requests asked for. */
  function hostsOf(routes: string): string[] {
    return [...demands.of('virtual-host')].flatMap(({ name }) =>
      name.startsWith(`${routes}/`) ? [name] : [],
    );
  }

  /** A virtual host comes from where all of its route configuration do. */
  function needOf(kind: NamedKind, name: string): Need | undefined {
    const own = needs.get(key(kind, name));
    if (own !== undefined || kind !== 'virtual-host') return own;
    const routes = routesOfHost(hostRoots, name);
    return routes === undefined ? undefined : needs.get(key(kind, routes));
  }

  function isHere(kind: NamedKind, name: string): boolean {
    const held = staged[kind].get(name);
    return (held !== undefined && held !== REMOVED) || active[kind].has(name);
  }

  function awaits(kind: NamedKind, name: string): boolean {
    if (isHere(kind, name) || refused.has(kind, name)) return false;
    return waiting.awaits(kind, name, options.nowMs());
  }

  function mayGo(cluster: string): boolean {
    if (marked) return false;
    const until = lingerUntil.get(cluster) ?? options.nowMs() + options.warmingMs;
    lingerUntil.set(cluster, until);
    return options.nowMs() >= until;
  }

  function commit(): void {
    if (flight) return;
    if (!open || !complete || (marked && waiting.any(awaits))) {
      if (lifetimes.someAreOver) propose('', stagedOver(staged, lifetimes), createRefusals(), [], marked);
      return;
    }
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
      config: configOf(marked ? assembled.store : withEmptyRoutes(assembled.store), version),
      staged: from,
      refused: taken,
      whole,
      pending: all,
    };
    if (emitted && sameStore(assembled.store, active)) settle(flight);
    else options.apply(flight.config);
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
    for (const response of done.pending) options.send(answerTo(response, done.refused));
    demands.settle();
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

  function stage(kind: ResourceKind, given: ServerResponse): void {
    const response = kind === 'virtual-host' ? withoutEmpty(given) : given;
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
      if (isNamed(kind)) waiting.arrived(kind, name);
    }
    for (const { name, reasons } of read.refused) {
      refused.add(kind, name, ...reasons);
      staged[kind].delete(name);
    }
    for (const { name, ttlMs } of response.resources)
      if (isWanted(kind, name) && isFrom(kind, name, response.source))
        lifetimes.note(kind, name, ttlMs, options.nowMs());
    for (const name of response.removed) {
      if (!isWanted(kind, name) || !isFrom(kind, name, response.source)) continue;
      // Who was never asked for a cluster has no word on whether it is there.
      const demand = kind === 'cluster' ? demands.find(kind, name) : undefined;
      if (demand && !sameSource(demand.source, response.source)) continue;
      lifetimes.note(kind, name, undefined, 0);
      if (isDemanded(kind)) demands.absent(kind, name);
      staged[kind].set(name, REMOVED);
      if (isNamed(kind)) waiting.absent(kind, name);
    }
    hear(kind, response);
    const unread = read.refused.map((one) => ({ kind, ...one }));
    const names = [...read.taken.map(([name]) => name), ...response.removed];
    pending.push({ kind, source: response.source, nonce: response.nonce, names, unread });
  }

  /** What a response means to those who wait for it. */
  function hear(kind: ResourceKind, { resources, source }: ServerResponse): void {
    if (kind === 'scoped-route' && isFrom(kind, ALL_SCOPES, source)) waiting.answered(kind, ALL_SCOPES);
    if (!isDemanded(kind)) return;
    for (const { name, aliases = [] } of resources)
      for (const one of [name, ...aliases]) demands.answered(kind, one, name);
    if (kind !== 'virtual-host') return;
    for (const routes of hostRoots) if (isFrom(kind, routes, source)) waiting.answered(kind, routes);
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
    if (!isNamed(kind) || subscriptions.named[kind].has(name)) return true;
    if (kind === 'scoped-route') return subscriptions.named[kind].has(ALL_SCOPES);
    return kind === 'virtual-host' && routesOfHost(hostRoots, name) !== undefined;
  }

  /** A resource has one source: what another one sends under its name was never asked for there. */
  function isFrom(kind: ResourceKind, name: string, source: DiscoverySource | undefined): boolean {
    if (!isNamed(kind)) return true;
    if (kind === 'scoped-route') return sameSource(subscriptions.named[kind].get(ALL_SCOPES), source);
    return sameSource(subscriptions.named[kind].get(name) ?? needOf(kind, name)?.source, source);
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
    demand(demand, done) {
      if (demand.kind === 'cluster' && active.cluster.has(demand.name)) return done();
      const isNew = demands.add(demand, options.nowMs(), done);
      if (!isNew || !open || !begun) return;
      if (demand.kind === 'cluster') options.send(clusterRequest(demand, active));
      else subscribe();
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
      if (!open) return earliest(lifetimes.nextMs(), demands.nextMs());
      return earliest(
        lifetimes.nextMs(),
        waiting.nextMs(),
        demands.nextMs(),
        ...lingerUntil.values(),
        holdUntil,
      );
    },
    expire() {
      if (flight) return;
      const now = options.nowMs();
      endLifetimes();
      demands.expire(now);
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
      for (const resource of waiting.expire(now))
        options.warn('Resource did not come in time', {
          resource,
          initialFetchTimeoutMs: options.warmingMs,
        });
      commit();
    },
    resources: () =>
      resourceStates({
        active,
        staged,
        subscriptions,
        rejected,
        times,
        isAbsent: (kind, name) => waiting.isAbsent(kind, name),
      }),
    status: () => ({
      changeId: activeChange,
      synced: open && complete && !flight && pending.length === 0 && warming.length === 0,
      resources: byKind<SessionStatus['resources']>((kind) => active[kind].size),
      warming: warming.map(({ kind, name }) => key(kind, name)),
      refused: [...rejected],
      applying: flight !== undefined,
    }),
  };
}

function isDemanded(kind: ResourceKind): kind is DemandedKind {
  return kind === 'cluster' || kind === 'virtual-host';
}

function sameSource(one: DiscoverySource | undefined, other: DiscoverySource | undefined): boolean {
  return (one ? sourceKey(one) : 'ads') === (other ? sourceKey(other) : 'ads');
}

function earliest(...times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

/** Refusals of before that nothing has replaced, and those of this change. */
function stillRejected(before: Refusals, done: Flight): Refusals {
  const { staged, refused } = done;
  const kept = [...before].filter(
    ({ kind, name }) => staged[kind].get(name) === undefined && !refused.has(kind, name),
  );
  return createRefusals([...kept, ...refused]);
}
