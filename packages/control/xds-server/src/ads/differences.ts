import type { ResourceEncoder, ResourceModels } from '../encode/resource.ts';
import type { WireResource } from '../encode/wire-resource.ts';
import type { ResourceKind, Snapshot } from '../provider.ts';
import { ABSENT, isOne, type TypeState, wants } from './type-state.ts';

/** What one client lacks of one type. */
export interface Differences {
  readonly changed: readonly WireResource[];
  /** What it has and must lose. */
  readonly removed: readonly string[];
  /** What it asked for by name and does not exist. */
  readonly absent: readonly string[];
  /** What it has from before the stream, as it should be. */
  readonly held: readonly WireResource[];
  /** Names of what cannot be sent; absent where nothing was compared, so that it is as before. */
  readonly unsendable?: ReadonlySet<string>;
}

const NONE: Differences = { changed: [], removed: [], absent: [], held: [] };

/** The resources of one type in a snapshot. */
export function resourcesOf(snapshot: Snapshot, kind: ResourceKind): readonly ResourceModels[ResourceKind][] {
  const { config } = snapshot;
  switch (kind) {
    case 'listener':
      return config.listeners;
    case 'route':
      return config.routes;
    case 'cluster':
      return config.clusters;
    case 'endpoint':
      return config.endpoints;
  }
}

/** A resource that cannot be sent, with the reason: told at every comparison. */
export type Unsendable<Kind extends string = ResourceKind> = (
  kind: Kind,
  resource: Named,
  reason: string,
) => void;

/** Compares snapshots with clients. */
export interface Comparer<Kind extends string = ResourceKind, Shot = Snapshot> {
  /** Does not change `state`; what it returns is to be sent and then noted. */
  compare(state: TypeState<Kind>, snapshot: Shot, unsendable: Unsendable<Kind>): Differences;
  /** Version by name of what a client should have of one type, less what cannot be sent. */
  versions(state: TypeState<Kind>, snapshot: Shot): ReadonlyMap<string, string>;
}

/** What is known of a resource before it is bytes. */
export interface Named {
  readonly name: string;
}

/** Where a comparer has resources from, and how they become bytes. */
export interface ComparerSource<Kind extends string, Shot, Resource extends Named> {
  /** The same array as long as nothing in it changed. */
  resources(snapshot: Shot, kind: Kind): readonly Resource[];
  /** @throws Error when it cannot be written */
  encode(kind: Kind, resource: Resource): WireResource;
}

/**
 * A comparer of snapshots of the data-plane model.
 * @param maxResourceBytes a resource that is larger is never sent
 */
export function createComparer(encoder: ResourceEncoder, maxResourceBytes: number): Comparer {
  return comparerOf<ResourceKind, Snapshot, ResourceModels[ResourceKind]>(
    { resources: resourcesOf, encode: (kind, resource) => encoder.encode(kind, resource) },
    maxResourceBytes,
  );
}

/** {@link createComparer} for resources of any kind. */
export function comparerOf<Kind extends string, Shot, Resource extends Named>(
  source: ComparerSource<Kind, Shot, Resource>,
  maxResourceBytes: number,
): Comparer<Kind, Shot> {
  // Weak, so that they live as long as a snapshot; shared by all streams that are given the same arrays.
  const nameSets = new WeakMap<readonly object[], ReadonlySet<string>>();
  const failed = new WeakMap<object, string>();

  function namesOf(resources: readonly Resource[]): ReadonlySet<string> {
    let names = nameSets.get(resources);
    if (!names) nameSets.set(resources, (names = new Set(resources.map(({ name }) => name))));
    return names;
  }

  function encode(kind: Kind, resource: Resource, unsendable: Unsendable<Kind>): WireResource | undefined {
    let reason = failed.get(resource);
    if (reason === undefined) {
      try {
        const encoded = source.encode(kind, resource);
        if (encoded.bytes.length <= maxResourceBytes) return encoded;
        reason = `The ${kind} "${resource.name}" has ${encoded.bytes.length} bytes; at most maxResourceBytes = ${maxResourceBytes} are sent. Split it, or raise the limit on both sides.`;
      } catch (cause) {
        reason = cause instanceof Error ? cause.message : String(cause);
      }
      failed.set(resource, reason);
    }
    unsendable(kind, resource, reason);
    return undefined;
  }

  return {
    compare(state, snapshot, unsendable) {
      const resources = source.resources(snapshot, state.kind);
      if (!state.requested || (!state.dirty && state.seen === resources)) return NONE;
      const changed: WireResource[] = [];
      const held: WireResource[] = [];
      const taken = new Set<string>();
      const failing = new Set<string>();
      for (const resource of resources) {
        if (!wants(state, resource.name) || taken.has(resource.name)) continue;
        taken.add(resource.name);
        const encoded = encode(state.kind, resource, unsendable);
        if (!encoded) {
          failing.add(resource.name);
          continue;
        }
        const { name, version } = encoded;
        if (state.client.get(name) === version) {
          // It refused something else meanwhile that is not wanted any more: said once more, so that it forgets that.
          if (state.refused.has(name)) changed.push(encoded);
          else if (state.claimed.get(name) === version) held.push(encoded);
        } else if (state.refused.get(name) !== version) changed.push(encoded);
      }
      const names = namesOf(resources);
      const removed = [...state.client]
        .filter(([name, version]) => version !== ABSENT && !names.has(name))
        .map(([name]) => name);
      const absent = [...state.names].filter(
        (name) => !names.has(name) && !state.client.has(name) && isOne(state, name),
      );
      return { changed, removed, absent, held, unsendable: failing };
    },
    versions(state, snapshot) {
      const wanted = source.resources(snapshot, state.kind).filter(({ name }) => wants(state, name));
      return new Map(
        wanted.flatMap((resource) => {
          const encoded = encode(state.kind, resource, () => {});
          return encoded ? [[encoded.name, encoded.version] as const] : [];
        }),
      );
    },
  };
}
