/** Requests and successes of the last seconds, a slot a second; nothing is allocated after it was made. */
export class SuccessWindow {
  readonly #requests: Uint32Array;
  readonly #successes: Uint32Array;
  readonly #originMs: number;
  /** Second of the slot that is filled now. */
  #second = 0;
  #slot = 0;
  requests = 0;
  successes = 0;

  constructor(seconds: number, nowMs: number) {
    this.#requests = new Uint32Array(seconds);
    this.#successes = new Uint32Array(seconds);
    this.#originMs = nowMs;
  }

  get seconds(): number {
    return this.#requests.length;
  }

  /** Forgets what is too old. */
  advance(nowMs: number): void {
    const second = Math.floor((nowMs - this.#originMs) / 1000);
    if (second === this.#second) return;
    const steps = Math.min(second - this.#second, this.seconds);
    for (let step = 0; step < steps; step++) {
      const slot = (this.#slot = (this.#slot + 1) % this.seconds);
      this.requests -= this.#requests[slot] as number;
      this.successes -= this.#successes[slot] as number;
      this.#requests[slot] = 0;
      this.#successes[slot] = 0;
    }
    this.#second = second;
  }

  record(success: boolean, nowMs: number): void {
    this.advance(nowMs);
    const slot = this.#slot;
    this.#requests[slot] = (this.#requests[slot] as number) + 1;
    this.requests++;
    if (!success) return;
    this.#successes[slot] = (this.#successes[slot] as number) + 1;
    this.successes++;
  }
}
