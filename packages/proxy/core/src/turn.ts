import type { Clock } from '@tulle/time';

/** Something that is done at the end of a turn. */
export interface TurnTask {
  /** Runs once for each time that it was put off. */
  endOfTurn(): void;
}

/**
 * One turn is everything that one event causes: a read, a timer, a settled promise. Whoever enters the engine from
 * outside wraps it in `begin` … `end`; output gathers meanwhile and leaves in one write a connection, and work that
 * must not run inside another connection's callback (the next pipelined request) waits for the end.
 *
 * A turn happens at one time: the clock is read when the first one asks, and that reading serves all of the turn, which
 * asks a dozen times a request.
 */
export class Turn {
  readonly #clock: Clock;
  #depth = 0;
  /**
   * Reading of the clock that serves this turn; `undefined` until somebody asked. Not a number then, too: V8 keeps a field
   * that only ever held numbers as a bare double, and makes an object of it at each reading.
   */
  #nowMs: number | undefined = undefined;
  // Arrays with counts of their own: one that is emptied gives its storage away, and every turn would allocate anew.
  readonly #tasks: (TurnTask | undefined)[] = [];
  #taskCount = 0;
  readonly #outputs: (TurnTask | undefined)[] = [];
  #outputCount = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The clock's `nowMs`, read once in a turn; outside of one it is read anew. */
  get nowMs(): number {
    if (this.#depth === 0) return this.#clock.nowMs();
    return (this.#nowMs ??= this.#clock.nowMs());
  }

  /** Whether one is under way. */
  get running(): boolean {
    return this.#depth > 0;
  }

  begin(): void {
    if (this.#depth++ === 0) this.#nowMs = undefined;
  }

  /** Ends the turn; the outermost one runs the tasks, then writes. */
  end(): void {
    if (this.#depth === 1 && (this.#taskCount > 0 || this.#outputCount > 0)) this.#drain();
    this.#depth--;
  }

  /** Each may put off more: tasks go before output that has not left yet. */
  #drain(): void {
    let task = 0;
    let output = 0;
    for (;;) {
      let next: TurnTask;
      if (task < this.#taskCount) {
        next = this.#tasks[task] as TurnTask;
        this.#tasks[task++] = undefined;
      } else if (output < this.#outputCount) {
        next = this.#outputs[output] as TurnTask;
        this.#outputs[output++] = undefined;
      } else break;
      next.endOfTurn();
    }
    this.#taskCount = 0;
    this.#outputCount = 0;
  }

  /** Runs `task` before the output leaves. */
  later(task: TurnTask): void {
    if (this.#taskCount < this.#tasks.length) this.#tasks[this.#taskCount] = task;
    else this.#tasks.push(task);
    this.#taskCount++;
  }

  /** Writes `output` after all tasks. */
  flushLater(output: TurnTask): void {
    if (this.#outputCount < this.#outputs.length) this.#outputs[this.#outputCount] = output;
    else this.#outputs.push(output);
    this.#outputCount++;
  }
}
