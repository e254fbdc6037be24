import type { Need } from '../decode/discovery-source.ts';
import type { NamedKind } from '../wire.ts';
import type { Needed } from './references.ts';
import type { NeedOf } from './subscriptions.ts';

/** Until when listeners and clusters wait for what they name, by kind and name. Of one stream. */
export interface Waiting {
  /** Begins to wait for what is new, and stops for what nobody names any more. */
  follow(needed: Needed, needOf: NeedOf, nowMs: number): void;
  /** The server says that there is none. */
  absent(kind: NamedKind, name: string): void;
  isAbsent(kind: NamedKind, name: string): boolean;
  /** It came, or there is nothing to wait for any more. */
  arrived(kind: NamedKind, name: string): void;
  /** What stands for many names was answered, whatever with. */
  answered(kind: NamedKind, name: string): void;
  awaits(kind: NamedKind, name: string, nowMs: number): boolean;
  /** Whether anything is awaited still. */
  any(awaited: (kind: NamedKind, name: string) => boolean): boolean;
  nextMs(): number | undefined;
  /** @returns what did not come in time */
  expire(nowMs: number): string[];
}

/** What waiting depends on. */
export interface WaitingOptions {
  /** How long one waits where nothing else is said. */
  readonly warmingMs: number;
  isHere(kind: NamedKind, name: string): boolean;
  /** Whether that a server has none of it is the last word. */
  heeds(): boolean;
}

export function createWaiting(options: WaitingOptions): Waiting {
  const deadlines = new Map<string, number>();
  const gone = new Set<string>();
  const givenUp = new Set<string>();
  const key = (kind: NamedKind, name: string): string => `${kind} ${name}`;

  function patience(need: Need | undefined): number {
    const timeoutMs = need?.timeoutMs ?? options.warmingMs;
    return timeoutMs === 0 ? Number.POSITIVE_INFINITY : timeoutMs;
  }

  const isAbsent = (kind: NamedKind, name: string): boolean => options.heeds() && gone.has(key(kind, name));

  return {
    follow(needed, needOf, nowMs) {
      for (const [kind, names] of entriesOf(needed))
        for (const name of names) {
          const one = key(kind, name);
          const need = needOf(kind, name);
          const here = options.isHere(kind, name);
          if (here) givenUp.delete(one);
          if (here || isAbsent(kind, name)) deadlines.delete(one);
          else if (need?.awaited === false) givenUp.add(one);
          else if (!deadlines.has(one) && !givenUp.has(one)) deadlines.set(one, nowMs + patience(need));
        }
      for (const one of [...deadlines.keys(), ...givenUp, ...gone]) {
        const [kind, name] = split(one);
        if (needed[kind].has(name)) continue;
        deadlines.delete(one);
        givenUp.delete(one);
        gone.delete(one);
      }
    },
    absent: (kind, name) => void gone.add(key(kind, name)),
    isAbsent: (kind, name) => gone.has(key(kind, name)),
    arrived: (kind, name) => void gone.delete(key(kind, name)),
    answered(kind, name) {
      deadlines.delete(key(kind, name));
      givenUp.add(key(kind, name));
    },
    awaits(kind, name, nowMs) {
      if (isAbsent(kind, name)) return false;
      const until = deadlines.get(key(kind, name));
      return until !== undefined && nowMs < until;
    },
    any: (awaited) => [...deadlines.keys()].some((one) => awaited(...split(one))),
    nextMs() {
      const least = Math.min(...deadlines.values());
      return least < Number.POSITIVE_INFINITY ? least : undefined;
    },
    expire(nowMs) {
      const late = [...deadlines].filter(([, until]) => nowMs >= until).map(([one]) => one);
      for (const one of late) {
        deadlines.delete(one);
        givenUp.add(one);
      }
      return late;
    },
  };
}

function split(waited: string): [NamedKind, string] {
  const space = waited.indexOf(' ');
  return [waited.slice(0, space) as NamedKind, waited.slice(space + 1)];
}

const entriesOf = (needed: Needed): [NamedKind, ReadonlySet<string>][] =>
  Object.entries(needed) as [NamedKind, ReadonlySet<string>][];
