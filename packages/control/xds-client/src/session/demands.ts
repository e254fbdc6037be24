import type { DiscoverySource } from '../decode/discovery-source.ts';

/** Kinds of resources that requests may ask for while they wait. */
export type DemandedKind = 'cluster' | 'virtual-host';

/** Something that a request waits for. */
export interface Demand {
  readonly kind: DemandedKind;
  readonly name: string;
  /** Whom to ask; of a virtual host, whoever gives its route configuration's. */
  readonly source?: DiscoverySource;
  /** How long the request waits for an answer. */
  readonly timeoutMs: number;
}

/** What requests asked for, which stays asked for: once it is there, or said not to be, nobody waits for it again. */
export interface Demands {
  /**
   * @param done called once: it is in use, there is none, or the time is over
   * @returns whether it is asked for the first time. False also where there is no room, or the name is longer than any is
   */
  add(demand: Demand, nowMs: number, done: () => void): boolean;
  /** A response spoke of it; `resource` is what has to be in use first. */
  answered(kind: DemandedKind, name: string, resource: string): void;
  /** The server says that there is none. */
  absent(kind: DemandedKind, name: string): void;
  /** Lets those go on whose resource needs no more waiting. */
  settle(): void;
  /** When the first who waits has waited long enough; `undefined`: nobody waits. */
  nextMs(): number | undefined;
  expire(nowMs: number): void;
  /** A new stream knows of no answer. */
  askAgain(): void;
  of(kind: DemandedKind): Iterable<Demand>;
  find(kind: DemandedKind, name: string): Demand | undefined;
}

interface Asked {
  readonly demand: Demand;
  state: 'asked' | 'answered' | 'absent';
  resource: string;
  waiting: { readonly untilMs: number; done(): void }[];
}

/** Options of {@link createDemands}. */
export interface DemandsOptions {
  /** Names at a time: callers choose them, and each is remembered here and by the server. */
  readonly max: number;
  /** There is no room for another. Told once, until there was room again: callers must not fill the log. */
  full(): void;
  /** It makes room for another, and is to be asked for no more. */
  forgotten(demand: Demand): void;
  /** Whether what answered a demand has to wait still before it is in use. */
  waits(kind: DemandedKind, resource: string): boolean;
}

/** In UTF-16 units. A field of a request may be far longer, and as many of them as there may be demands are kept. */
const MAX_NAME_LENGTH = 1_024;

export function createDemands({ max, full, forgotten, waits }: DemandsOptions): Demands {
  const asked = new Map<string, Asked>();
  let isFull = false;
  const keyOf = (kind: DemandedKind, name: string): string => `${kind} ${name}`;

  /** Nothing is to come any more: it is in use, was refused, or there is none. */
  const isOver = ({ state, demand, resource }: Asked): boolean =>
    state === 'absent' || (state === 'answered' && !waits(demand.kind, resource));

  /** The name that was said longest ago not to exist makes room. */
  function makeRoom(): boolean {
    for (const [key, { demand, state, waiting }] of asked) {
      if (state !== 'absent' || waiting.length > 0) continue;
      asked.delete(key);
      isFull = false;
      forgotten(demand);
      return true;
    }
    return false;
  }

  return {
    add(demand, nowMs, done) {
      const key = keyOf(demand.kind, demand.name);
      const known = asked.get(key);
      const isLong = demand.name.length > MAX_NAME_LENGTH;
      if (known ? isOver(known) : isLong || (asked.size >= max && !makeRoom())) {
        if (!known && !isLong && !isFull) {
          isFull = true;
          full();
        }
        done();
        return false;
      }
      const waiting = { untilMs: nowMs + demand.timeoutMs, done };
      if (known) known.waiting.push(waiting);
      else asked.set(key, { demand, state: 'asked', resource: demand.name, waiting: [waiting] });
      return known === undefined;
    },
    answered(kind, name, resource) {
      const one = asked.get(keyOf(kind, name));
      if (!one) return;
      one.state = 'answered';
      one.resource = resource;
    },
    absent(kind, name) {
      const one = asked.get(keyOf(kind, name));
      if (one) one.state = 'absent';
    },
    settle() {
      for (const one of asked.values())
        if (one.waiting.length > 0 && isOver(one)) for (const { done } of one.waiting.splice(0)) done();
    },
    nextMs() {
      let next: number | undefined;
      for (const { waiting } of asked.values())
        for (const { untilMs } of waiting) if (next === undefined || untilMs < next) next = untilMs;
      return next;
    },
    expire(nowMs) {
      for (const one of asked.values()) {
        const over = one.waiting.filter(({ untilMs }) => nowMs >= untilMs);
        if (over.length === 0) continue;
        one.waiting = one.waiting.filter(({ untilMs }) => nowMs < untilMs);
        for (const { done } of over) done();
      }
    },
    askAgain() {
      for (const one of asked.values()) one.state = 'asked';
    },
    find: (kind, name) => asked.get(keyOf(kind, name))?.demand,
    *of(kind) {
      for (const { demand } of asked.values()) if (demand.kind === kind) yield demand;
    },
  };
}
