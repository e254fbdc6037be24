import type { ResourceStatus } from '../ads/delta-stream.ts';
import { type RawSet, resourcesOf } from './raw-set.ts';
import type { RawStream, RawTypeStatus } from './raw-stream.ts';
import type { RawStore } from './raw-store.ts';
import { shortTypeOf } from './resource-types.ts';

/** How a node stands with its set. */
export interface NodeStatus {
  readonly node: string;
  /** Version of its set; absent while it has none. */
  readonly version?: string;
  /** Whose set it is: its own, or the default. */
  readonly set?: 'own' | 'default';
  /**
   * `acked`: it has all that it asked for. `pending`: some of it is not sent or not answered yet. `nacked`: it refused something.
   * `disconnected`: it has no stream. `no set`: it is connected and there is nothing for it yet.
   */
  readonly state: 'acked' | 'pending' | 'nacked' | 'disconnected' | 'no set';
  readonly streams: readonly StreamStatus[];
  readonly resources: readonly RawResourceStatus[];
  /** What is still missing for `acked`, in words. */
  readonly waitsFor: readonly string[];
}

/** One stream of a node. */
export interface StreamStatus {
  readonly peer: string;
  readonly openedAtMs: number;
  readonly protocol: RawStream['protocol'];
  readonly userAgent: string;
  readonly types: readonly RawTypeStatus[];
}

/** How one resource stands at a node. */
export interface RawResourceStatus {
  readonly typeUrl: string;
  readonly name: string;
  /** Hash of what it should have; `''` for what is to go. */
  readonly version: string;
  readonly state: ResourceStatus<string>['state'];
  readonly error?: { readonly message: string; readonly atMs: number };
}

/** A better state hides a worse one: several streams of a node may share its types. */
const ORDER: readonly RawResourceStatus['state'][] = ['synced', 'error', 'stale', 'not sent'];

/**
 * @param set what the node should have, with whose it is
 * @param streams those of this node
 */
export function statusOf(
  node: string,
  set: { readonly value: RawSet; readonly kind: 'own' | 'default' } | undefined,
  streams: readonly RawStream[],
  store: Pick<RawStore, 'referencesIn'>,
): NodeStatus {
  const resources = merged(streams);
  const waitsFor = set ? missing(set.value, streams, resources, store) : [];
  return {
    node,
    ...(set ? { version: set.value.changeId, set: set.kind } : {}),
    state: stateOf(set?.value, streams, resources, waitsFor),
    streams: streams.map((stream) => ({
      peer: stream.peer,
      openedAtMs: stream.openedAtMs,
      protocol: stream.protocol,
      userAgent: stream.node()?.userAgent ?? '',
      types: stream.types(),
    })),
    resources,
    waitsFor,
  };
}

function stateOf(
  set: RawSet | undefined,
  streams: readonly RawStream[],
  resources: readonly RawResourceStatus[],
  waitsFor: readonly string[],
): NodeStatus['state'] {
  if (streams.length === 0) return 'disconnected';
  if (!set) return 'no set';
  // A client may ask no more for what it refused; then only the type tells.
  const refused = streams.some((stream) => stream.types().some(({ nack }) => nack?.version === set.changeId));
  if (refused || resources.some(({ state }) => state === 'error')) return 'nacked';
  return waitsFor.length > 0 ? 'pending' : 'acked';
}

function merged(streams: readonly RawStream[]): RawResourceStatus[] {
  const best = new Map<string, RawResourceStatus>();
  for (const stream of streams)
    for (const { kind, ...one } of stream.resources()) {
      const key = `${kind} ${one.name}`;
      const known = best.get(key);
      if (known && ORDER.indexOf(known.state) <= ORDER.indexOf(one.state)) continue;
      best.set(key, { typeUrl: kind, ...one });
    }
  return [...best.values()];
}

function missing(
  set: RawSet,
  streams: readonly RawStream[],
  resources: readonly RawResourceStatus[],
  store: Pick<RawStore, 'referencesIn'>,
): string[] {
  const waits: string[] = [];
  if (streams.length === 0) return ['a stream of the node'];
  if (!streams.some((stream) => stream.types().length > 0)) waits.push('its first answer');
  const unsettled = streams.reduce((sum, stream) => sum + stream.unsettled(), 0);
  if (unsettled > 0) waits.push(`answers of ${unsettled} ${unsettled === 1 ? 'type' : 'types'}`);
  const synced = new Set<string>();
  const asked = new Set(resources.map(({ typeUrl, name }) => `${typeUrl} ${name}`));
  for (const { typeUrl, name, state } of resources) {
    if (state === 'synced') synced.add(`${typeUrl} ${name}`);
    else waits.push(`the ${shortTypeOf(typeUrl)} ${JSON.stringify(name)} (${state})`);
  }
  // What it has leads to more that it is about to ask for.
  const there = new Set([...resourcesOf(set)].map(({ typeUrl, name }) => `${typeUrl} ${name}`));
  for (const resource of resourcesOf(set)) {
    if (!synced.has(`${resource.typeUrl} ${resource.name}`)) continue;
    for (const reference of store.referencesIn(resource)) {
      const key = `${reference.typeUrl} ${reference.name}`;
      if (reference.followed && there.has(key) && !asked.has(key))
        waits.push(
          `the ${shortTypeOf(reference.typeUrl)} ${JSON.stringify(reference.name)}, which it has not asked for`,
        );
    }
  }
  return [...new Set(waits)];
}
