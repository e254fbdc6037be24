import type { Counter } from '@tulle/telemetry';

/** Something that waits for its turn. */
export interface Waiting {
  /** Its turn has come. */
  begin(): void;
}

/** As many health checks as may be under way in the whole proxy at a time; others wait for their turn, in order. */
export class ProbeGate {
  readonly #most: number;
  readonly #delayed: Counter;
  readonly #waiting: Set<Waiting> = new Set<Waiting>();
  #running = 0;

  constructor(most: number, delayed: Counter) {
    this.#most = most;
    this.#delayed = delayed;
  }

  enter(one: Waiting): void {
    if (this.#running < this.#most) {
      this.#running++;
      one.begin();
      return;
    }
    this.#delayed.add();
    this.#waiting.add(one);
  }

  /** One that had begun is over. */
  leave(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#running--;
      return;
    }
    this.#waiting.delete(next);
    next.begin();
  }

  /** It does not want its turn any more. */
  forget(one: Waiting): void {
    this.#waiting.delete(one);
  }
}
