/** Something that is done at the end of a turn. */
export interface TurnTask {
  /** Runs once for each time that it was put off. */
  endOfTurn(): void;
}

/**
 * One turn is everything that one event causes: a read, a timer, a settled promise. Whoever enters the engine from
 * outside wraps it in `begin` … `end`; output gathers meanwhile and leaves in one write a connection, and work that
 * must not run inside another connection's callback (the next pipelined request) waits for the end.
 */
export class Turn {
  #depth = 0;
  #tasks: TurnTask[] = [];
  #running: TurnTask[] = [];
  #outputs: TurnTask[] = [];
  #flushing: TurnTask[] = [];

  begin(): void {
    this.#depth++;
  }

  /** Ends the turn; the outermost one runs the tasks, then writes. */
  end(): void {
    if (this.#depth === 1) {
      while (this.#tasks.length > 0 || this.#outputs.length > 0) {
        if (this.#tasks.length > 0) {
          const tasks = this.#tasks;
          this.#tasks = this.#running;
          this.#running = tasks;
          for (let i = 0; i < tasks.length; i++) (tasks[i] as TurnTask).endOfTurn();
          tasks.length = 0;
        } else {
          const outputs = this.#outputs;
          this.#outputs = this.#flushing;
          this.#flushing = outputs;
          for (let i = 0; i < outputs.length; i++) (outputs[i] as TurnTask).endOfTurn();
          outputs.length = 0;
        }
      }
    }
    this.#depth--;
  }

  /** Runs `task` before the output leaves. */
  later(task: TurnTask): void {
    this.#tasks.push(task);
  }

  /** Writes `output` after all tasks. */
  flushLater(output: TurnTask): void {
    this.#outputs.push(output);
  }
}
