import type { ResourceKind } from '../wire.ts';
import { REMOVED, type Staged } from './assemble.ts';

/** Resources that are good for a time (TTL of xDS), times in monotonic milliseconds. */
export interface Lifetimes {
  /** Begins the time anew, or ends that there is one. */
  note(kind: ResourceKind, name: string, ttlMs: number | undefined, nowMs: number): void;
  /** When the next one is over; `undefined`: none. */
  nextMs(): number | undefined;
  /** @returns those whose time is over; they are told once */
  end(nowMs: number): { readonly kind: ResourceKind; readonly name: string }[];
  /** Whether it is to go for that reason. */
  isOver(kind: ResourceKind, name: string): boolean;
  readonly someAreOver: boolean;
  /** What was taken away is no longer to go. */
  forget(done: Staged): void;
}

export function createLifetimes(): Lifetimes {
  const until = new Map<
    string,
    { readonly kind: ResourceKind; readonly name: string; readonly ms: number }
  >();
  const over = new Set<string>();
  const key = (kind: ResourceKind, name: string): string => `${kind} ${name}`;

  return {
    note(kind, name, ttlMs, nowMs) {
      const which = key(kind, name);
      over.delete(which);
      if (ttlMs === undefined) until.delete(which);
      else until.set(which, { kind, name, ms: nowMs + ttlMs });
    },
    nextMs() {
      let least: number | undefined;
      for (const { ms } of until.values()) if (least === undefined || ms < least) least = ms;
      return least;
    },
    end(nowMs) {
      const ended = [...until.entries()].filter(([, { ms }]) => nowMs >= ms);
      for (const [which] of ended) {
        until.delete(which);
        over.add(which);
      }
      return ended.map(([, { kind, name }]) => ({ kind, name }));
    },
    isOver: (kind, name) => over.has(key(kind, name)),
    get someAreOver() {
      return over.size > 0;
    },
    forget(done) {
      for (const kind of Object.keys(done) as ResourceKind[])
        for (const [name, held] of done[kind]) if (held === REMOVED) over.delete(key(kind, name));
    },
  };
}
