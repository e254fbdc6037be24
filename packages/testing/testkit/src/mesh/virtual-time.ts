import type { FakeClock } from '../fake-clock.ts';

/** Longest that a call may take, in virtual time. */
const PATIENCE_MS = 3_600_000;

/** Moves a clock on while somebody waits for something, no further than needed. Several may wait at once. */
export class VirtualTime {
  readonly #clock: FakeClock;
  readonly #waiting = new Map<object, { readonly sinceMs: number; fail(error: Error): void }>();
  #driving = false;

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  /** @throws Error when it has not come after an hour of virtual time, or never will */
  async until<T>(promise: Promise<T>, what: string): Promise<T> {
    const key = {};
    try {
      return await new Promise<T>((resolve, reject) => {
        this.#waiting.set(key, {
          sinceMs: this.#clock.nowMs(),
          fail: (error) => reject(new Error(`${what}: ${error.message}`)),
        });
        promise.then(resolve, reject).finally(() => this.#waiting.delete(key));
        void this.#drive();
      });
    } finally {
      this.#waiting.delete(key);
    }
  }

  async #drive(): Promise<void> {
    if (this.#driving) return;
    this.#driving = true;
    try {
      for (;;) {
        await this.#clock.settle();
        if (this.#waiting.size === 0) return;
        const { nextMs } = this.#clock;
        const nowMs = this.#clock.nowMs();
        for (const [key, { sinceMs, fail }] of this.#waiting) {
          const reason =
            nextMs === undefined
              ? 'no answer, and nothing waits for time to pass'
              : nowMs + nextMs - sinceMs > PATIENCE_MS
                ? `no answer within ${PATIENCE_MS / 60_000} minutes of virtual time`
                : undefined;
          if (reason === undefined) continue;
          this.#waiting.delete(key);
          fail(new Error(reason));
        }
        if (this.#waiting.size > 0) await this.#clock.advance(nextMs ?? 0);
      }
    } finally {
      this.#driving = false;
    }
  }
}
