import type { Counter } from '@tulle/telemetry';
import type { EngineLimits } from '../limits.ts';
import type { Turn } from '../turn.ts';
import type { Decision } from './decision.ts';
import { DecisionArena } from './decision-arena.ts';
import type { Stream } from './stream.ts';

/** Replaced configurations that are kept for the sake of decisions made by them. */
const MAX_RETIRED_CHAINS = 32;
/** Room for the numbers of an ordinary request, and of one that was tried several times. */
const NUMBERS_EACH = 24;
const NUMBERS_EACH_FAILURE = 96;

/**
 * What was decided for the last requests, so that it can be explained afterwards, always on. Those that failed, were
 * refused here or were tried again have a place of their own, so that the many others do not drive them out.
 */
export class DecisionRing {
  readonly #turn: Turn;
  readonly #recent: DecisionArena | undefined;
  readonly #failed: DecisionArena | undefined;
  readonly #notesDropped: Counter;

  constructor(turn: Turn, { explainRequests, explainFailures }: EngineLimits, notesDropped: Counter) {
    this.#turn = turn;
    this.#recent = explainRequests > 0 ? new DecisionArena(explainRequests, NUMBERS_EACH) : undefined;
    this.#failed = explainFailures > 0 ? new DecisionArena(explainFailures, NUMBERS_EACH_FAILURE) : undefined;
    this.#notesDropped = notesDropped;
  }

  /** Writes down what was decided for a stream that is over. */
  keep(stream: Stream): void {
    if (stream.notesDropped > 0) this.#notesDropped.add(stream.notesDropped);
    const arena = isNotable(stream) ? this.#failed : this.#recent;
    arena?.put(stream);
  }

  /** Decisions for a request id, newest first: a request that passes this proxy twice has two. */
  of(requestId: string): Decision[] {
    const found = [this.#recent, this.#failed].flatMap((arena) => arena?.of(requestId) ?? []);
    return found.toSorted((a, b) => b.startMs - a.startMs);
  }

  get size(): number {
    return (this.#recent?.size ?? 0) + (this.#failed?.size ?? 0);
  }

  /** How far back every request is there. */
  get windowMs(): number {
    const oldestMs = this.#recent?.oldestMs;
    return oldestMs === undefined ? 0 : this.#turn.nowMs - oldestMs;
  }

  /** After a change of configuration: of those that were replaced only the last so many are kept. */
  forgetOldChains(): void {
    const arenas = [this.#recent, this.#failed].filter((arena) => arena !== undefined);
    const retired = new Set(arenas.flatMap(({ chains }) => chains.filter((chain) => chain.retired)));
    if (retired.size <= MAX_RETIRED_CHAINS) return;
    const old = [...retired].toSorted((a, b) => b.generation - a.generation).slice(MAX_RETIRED_CHAINS);
    for (const arena of arenas) arena.forget(new Set(old));
  }
}

/** Worth keeping longer. */
function isNotable({ status, code, attemptCount }: Stream): boolean {
  return attemptCount > 1 || status >= 500 || status === 0 || (code !== '' && code !== 'TULLE_LOCAL_REPLY');
}
