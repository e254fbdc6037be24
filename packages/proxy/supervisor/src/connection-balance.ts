import type { ConnectionHandle } from './accept-gate.ts';

/** A process, as far as the balance knows it. */
export interface Balanced {
  /** It can be given connections: it is of a release that knows how. */
  readonly balances: boolean;
  /** @returns false: it cannot be reached, and the connection is left as it is */
  give(id: number, key: string, connection: ConnectionHandle): boolean;
  /** @param least connections of the other process that has least */
  tellLeast(least: number | undefined): void;
}

/** A connection that a process was given and has not confirmed. */
interface Given {
  readonly key: string;
  readonly connection: ConnectionHandle;
  readonly origin: Balanced;
  /** Who has it now. */
  to: Balanced;
  /** Who did not take it. */
  readonly refused: Set<Balanced>;
}

/** Connections of a process. */
interface Count {
  /** What it said last. */
  said: number;
  /** What it was given and has not confirmed. */
  onTheWay: number;
  /** Since when it has confirmed nothing, while something is on the way. */
  silentSinceMs: number;
}

/**
 * A process that does not confirm for so long is busy with something else, or hangs: it is given nothing more until it
 * does. A confirmation takes well under a millisecond.
 */
const SILENT_MS = 20;
/** Processes are told so long after a change, all changes since together. */
const TELL_AFTER_MS = 10;

/**
 * Evens out connections between the processes that share listening sockets: takes those that a process has too many of,
 * and gives each to the one that has least. A connection whose receiver dies before it said that it has it goes to another.
 */
export class ConnectionBalance {
  /** Of each process that takes new work. */
  readonly #counts = new Map<Balanced, Count>();
  readonly #nowMs: () => number;
  readonly #given = new Map<number, Given>();
  /** Connections that another process has than the one that accepted them. */
  moved = 0;
  #nextId = 1;
  #timer: NodeJS.Timeout | undefined;

  /** @param nowMs monotonic milliseconds */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** A process takes new work. */
  join(process: Balanced): void {
    if (!process.balances) return;
    this.#counts.set(process, { said: 0, onTheWay: 0, silentSinceMs: 0 });
    this.#tell(); // it may be the first that others can give to
  }

  /** It takes no new work any more: it drains, or it is gone. */
  leave(process: Balanced): void {
    if (!this.#counts.delete(process)) return;
    process.tellLeast(undefined);
    this.#tellSoon();
  }

  /** It has ended: what it had not taken yet goes to others. */
  ended(process: Balanced): void {
    this.leave(process);
    for (const [id, given] of this.#given) if (given.to === process) this.#pass(id, given);
  }

  /** A process says how many connections it has. */
  report(process: Balanced, connections: number): void {
    const count = this.#counts.get(process);
    if (count === undefined) return;
    count.said = connections;
    this.#tellSoon();
  }

  /** What a process that takes new work said last; undefined: it has said nothing, or takes none. */
  connectionsOf(process: Balanced): number | undefined {
    return this.#counts.get(process)?.said;
  }

  /** A process has one more than it should. */
  offer(origin: Balanced, key: string, connections: number, connection: ConnectionHandle): void {
    this.report(origin, connections);
    const id = this.#nextId++;
    const given: Given = { key, connection, origin, to: origin, refused: new Set() };
    this.#given.set(id, given);
    this.#give(id, given);
  }

  /** A process has taken what it was given, or does not listen there (any more). */
  took(process: Balanced, id: number, taken: boolean, connections: number): void {
    const given = this.#given.get(id);
    if (given?.to !== process) return;
    const count = this.#counts.get(process);
    if (count !== undefined) {
      count.onTheWay -= 1;
      count.silentSinceMs = this.#nowMs();
    }
    this.report(process, connections);
    if (!taken) return this.#pass(id, given);
    this.#given.delete(id);
    if (process !== given.origin) this.moved += 1;
    given.connection.close(); // this process's copy of it
  }

  /** Closes what nobody has. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const { connection } of this.#given.values()) connection.close();
    this.#given.clear();
    this.#counts.clear();
  }

  #pass(id: number, given: Given): void {
    given.refused.add(given.to);
    this.#give(id, given);
  }

  /** To the one that has least; the one that accepted it is asked last among equals, and cannot be left out. */
  #give(id: number, given: Given): void {
    const { key, connection, origin, refused } = given;
    const nowMs = this.#nowMs();
    const candidates = [...this.#counts]
      .filter(
        ([process, { onTheWay, silentSinceMs }]) =>
          !refused.has(process) && (onTheWay === 0 || nowMs - silentSinceMs < SILENT_MS),
      )
      .toSorted(
        ([a, one], [b, two]) =>
          one.said + one.onTheWay - two.said - two.onTheWay || Number(a === origin) - Number(b === origin),
      )
      .map(([process]) => process);
    if (!candidates.includes(origin) && !refused.has(origin)) candidates.push(origin);
    for (const process of candidates) {
      given.to = process;
      if (!process.give(id, key, connection)) {
        refused.add(process);
        continue;
      }
      const count = this.#counts.get(process);
      if (count !== undefined && ++count.onTheWay === 1) count.silentSinceMs = nowMs;
      this.#tellSoon();
      return;
    }
    this.#given.delete(id);
    connection.close();
  }

  /** Each process needs to know the least of the others; not for each connection, since it is only asked which way to lean. */
  #tellSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#tell();
    }, TELL_AFTER_MS).unref();
  }

  #tell(): void {
    for (const process of this.#counts.keys()) {
      let least: number | undefined;
      for (const [other, { said, onTheWay }] of this.#counts)
        if (other !== process && (least === undefined || said + onTheWay < least)) least = said + onTheWay;
      process.tellLeast(least);
    }
  }
}
