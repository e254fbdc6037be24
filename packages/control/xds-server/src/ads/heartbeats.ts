import type { WireResource } from '../encode/wire-resource.ts';

/** Resources of one client that end by themselves unless the server keeps saying that they are there (xDS "TTL"). */
export interface Heartbeats<Kind extends string> {
  /** The client is sent a resource whole. */
  sent(kind: Kind, resource: WireResource): void;
  /** It has a resource from before its stream, and nobody knows for how long yet. */
  held(kind: Kind, resource: WireResource): void;
  /** Keeps only what the client still has. */
  keep(kind: Kind, has: (name: string) => boolean): void;
  /** Resources of a kind that are to be said again by now. */
  due(kind: Kind, nowMs: number): readonly WireResource[];
  refreshed(kind: Kind, nowMs: number): void;
  /** When the first is due; `undefined`: none has an end. Kinds that `waits` are left out: their client answers first. */
  nextMs(waits: (kind: Kind) => boolean): number | undefined;
}

interface Beat {
  readonly resource: WireResource;
  dueMs: number;
}

/** Said again after this part of the TTL: one that is lost or late is followed by another in time. */
const PART = 0.5;

export function createHeartbeats<Kind extends string>(nowMs: () => number): Heartbeats<Kind> {
  const kinds = new Map<Kind, Map<string, Beat>>();

  function note(kind: Kind, resource: WireResource, dueMs: number): void {
    const beats = kinds.get(kind);
    if (resource.ttlMs === undefined) {
      beats?.delete(resource.name);
      return;
    }
    if (beats) beats.set(resource.name, { resource, dueMs });
    else kinds.set(kind, new Map([[resource.name, { resource, dueMs }]]));
  }

  return {
    sent: (kind, resource) => note(kind, resource, nowMs() + (resource.ttlMs ?? 0) * PART),
    held: (kind, resource) => note(kind, resource, nowMs()),
    keep(kind, has) {
      const beats = kinds.get(kind);
      if (!beats) return;
      for (const name of beats.keys()) if (!has(name)) beats.delete(name);
      if (beats.size === 0) kinds.delete(kind);
    },
    due(kind, now) {
      const beats = kinds.get(kind);
      return beats
        ? [...beats.values()].flatMap(({ resource, dueMs }) => (dueMs <= now ? [resource] : []))
        : [];
    },
    refreshed(kind, now) {
      for (const beat of kinds.get(kind)?.values() ?? [])
        if (beat.dueMs <= now) beat.dueMs = now + (beat.resource.ttlMs ?? 0) * PART;
    },
    nextMs(waits) {
      let next: number | undefined;
      for (const [kind, beats] of kinds) {
        if (waits(kind)) continue;
        for (const { dueMs } of beats.values()) if (next === undefined || dueMs < next) next = dueMs;
      }
      return next;
    },
  };
}
