import type { Clock } from '@tulle/time';

/** Gone from the front before the list is moved up. */
const MOVED_UP_AT = 256;

/** What a line is made of. */
export interface WaitingLineParts<T> {
  readonly clock: Clock;
  /** Calls back once, when the iteration of the event loop that runs now is over. */
  readonly afterIteration: (callback: () => void) => void;
  /** For how long an iteration begins requests. */
  readonly budgetMs: number;
  /** Begins one that waited. Throws nothing. */
  readonly begin: (item: T) => void;
  /** `untilMs` is another. */
  readonly changed: () => void;
}

/**
 * Requests that an iteration of the event loop has no time for any more: they begin in the next ones, in order, each of
 * which begins some for its time. So a loop comes round for admin pages, health checks, answers and timers, however many
 * requests its sockets have for it at once.
 *
 * When an iteration began is not known, and asking in each would cost what a request costs. So it is asked only when
 * `budgetMs` have passed: who comes then begins, and asks to be told when this iteration is over; only who comes another
 * `budgetMs` later, in the same iteration, waits.
 */
export class WaitingLine<T> {
  /** Requests that come later (`clock.nowMs`) have to ask {@link putsOff}. */
  untilMs: number = -Infinity;
  readonly #parts: WaitingLineParts<T>;
  readonly #items: T[] = [];
  readonly #sinceMs: number[] = [];
  #first = 0;
  /** The end of this iteration is waited for. */
  #asked = false;
  #closed = false;

  constructor(parts: WaitingLineParts<T>) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#items.length - this.#first;
  }

  /** How long the first one waits. */
  get oldestMs(): number {
    return this.size === 0 ? 0 : this.#parts.clock.nowMs() - (this.#sinceMs[this.#first] as number);
  }

  /** Whether a request that comes past {@link untilMs} waits; else it begins now. */
  putsOff(item: T): boolean {
    if (this.#closed) return false;
    const { clock, budgetMs } = this.#parts;
    const nowMs = clock.nowMs();
    if (!this.#asked) {
      this.#ask();
      this.#set(nowMs + budgetMs);
      return false;
    }
    this.#items.push(item);
    this.#sinceMs.push(nowMs);
    // Nobody overtakes.
    this.#set(-Infinity);
    return true;
  }

  #ask(): void {
    this.#asked = true;
    this.#parts.afterIteration(this.#iterated);
  }

  readonly #iterated = (): void => {
    this.#asked = false;
    if (this.#closed) return;
    const { clock, budgetMs } = this.#parts;
    const waited = this.size > 0;
    const endMs = clock.nowMs() + budgetMs;
    while (this.size > 0 && clock.nowMs() < endMs) this.#beginFirst();
    // The next one is likely to be as long as one that had no time for all.
    if (waited) this.#ask();
    this.#set(this.size > 0 ? -Infinity : clock.nowMs() + budgetMs);
  };

  #beginFirst(): void {
    const item = this.#items[this.#first++] as T;
    if (this.#first === this.#items.length || this.#first >= MOVED_UP_AT) {
      this.#items.splice(0, this.#first);
      this.#sinceMs.splice(0, this.#first);
      this.#first = 0;
    }
    this.#parts.begin(item);
  }

  #set(untilMs: number): void {
    if (untilMs === this.untilMs) return;
    this.untilMs = untilMs;
    this.#parts.changed();
  }

  /** Who waits begins now, and nobody waits any more. */
  close(): void {
    this.#closed = true;
    while (this.size > 0) this.#beginFirst();
    this.#set(Infinity);
  }
}
