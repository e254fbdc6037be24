import { TokenBank, type Loan, type SharedLimit, type TokenLender } from '@tulle/time';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Leases } from './leased-bucket.ts';

/** Processes of one proxy and their supervisor, in virtual time: an answer takes a step of a millisecond. */
class Processes {
  nowMs = 0;
  admitted = 0;
  /** Requests that waited for an answer. */
  waited = 0;
  asked = 0;
  silent = false;
  readonly #bank = new TokenBank();
  readonly #leases: readonly Leases[];
  readonly #timers: { readonly atMs: number; run(): void }[] = [];

  constructor(parties: number, limit: SharedLimit) {
    const lender: TokenLender = {
      parties,
      borrow: (of, key, want) =>
        new Promise<Loan>((resolve, reject) => {
          this.asked += 1;
          this.#after(1, () =>
            this.silent
              ? reject(new Error('no answer'))
              : resolve(this.#bank.lend(of, key, want, this.nowMs)),
          );
        }),
      giveBack: (of, key, tokens) => this.#bank.giveBack(of, key, tokens, this.nowMs),
    };
    const host = {
      nowMs: () => this.nowMs,
      after: (ms: number, run: () => void) => {
        this.#after(ms, run);
        return () => {};
      },
    };
    this.#leases = Array.from(
      { length: parties },
      () => new Leases(lender, limit, host, new Set(), () => {}),
    );
  }

  #after(ms: number, run: () => void): void {
    this.#timers.push({ atMs: this.nowMs + ms, run });
  }

  request(process: number): void {
    const had = (this.#leases[process] as Leases).bucket('', this.nowMs).take(1, this.nowMs);
    if (typeof had === 'boolean') this.admitted += had ? 1 : 0;
    else {
      this.waited += 1;
      void had.then((taken) => (this.admitted += taken ? 1 : 0));
    }
  }

  /** Lets time pass, with so many requests to each process in each millisecond. */
  async run(ms: number, requests: readonly number[]): Promise<void> {
    const endMs = this.nowMs + ms;
    const carry = requests.map(() => 0);
    while (this.nowMs < endMs) {
      this.nowMs += 1;
      for (const due of this.#timers.splice(0)) {
        if (due.atMs <= this.nowMs) due.run();
        else this.#timers.push(due);
      }
      for (let i = 0; i < 4; i++) await Promise.resolve(); // answers arrive
      for (const [process, count] of requests.entries()) {
        carry[process] = (carry[process] ?? 0) + count;
        for (; (carry[process] ?? 0) >= 1; carry[process] = (carry[process] ?? 0) - 1) this.request(process);
      }
    }
    for (let i = 0; i < 4; i++) await Promise.resolve();
  }
}

const limitOf = (capacity: number, refillPerSecond: number): SharedLimit => ({
  id: 'limit',
  capacity,
  refillPerSecond,
  maxKeys: 10,
});

describe('a limit of several processes', () => {
  it('lets pass what it says, within the tokens that are held ahead, however the requests are spread', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom([1, 1], [10, 10], [100, 100], [5, 400], [2000, 1000], [300, 3000]),
        fc.array(fc.array(fc.constantFrom(0, 0.01, 1, 4), { minLength: 4, maxLength: 4 }), {
          minLength: 1,
          maxLength: 3,
        }),
        async ([capacity = 1, perSecond = 1], phases) => {
          const processes = new Processes(4, limitOf(capacity, perSecond));
          for (const phase of phases) await processes.run(1_500, phase);
          const allowed = capacity + (perSecond * processes.nowMs) / 1_000;
          expect(processes.admitted).toBeLessThanOrEqual(allowed);
        },
      ),
      { numRuns: 40 },
    );
  });

  it.each([
    [10, 10],
    [100, 100],
    [1000, 1000],
    [200, 4000],
    [50, 1000],
  ])(
    'of %i at once and %i a second lets no fewer pass when all processes want more',
    async (capacity, perSecond) => {
      const processes = new Processes(4, limitOf(capacity, perSecond));
      await processes.run(3_000, [4, 4, 4, 4]);
      const allowed = capacity + perSecond * 3;
      expect(processes.admitted).toBeLessThanOrEqual(allowed);
      // What is held ahead, and what came in the ten milliseconds in which nobody asked.
      const held = 0.15 * Math.min(capacity, perSecond) + 0.01 * perSecond + 4;
      expect(processes.admitted).toBeGreaterThanOrEqual(allowed - held);
      expect(processes.asked).toBeLessThan(48_000 / 10); // a flood is refused in the process
    },
  );

  it('gives one process nearly all when the others want nothing, also what they held', async () => {
    const processes = new Processes(4, limitOf(1000, 1000));
    await processes.run(1_000, [1, 1, 1, 1]);
    const before = processes.admitted;
    await processes.run(3_000, [4, 0, 0, 0]);
    expect(processes.admitted - before).toBeGreaterThanOrEqual(2_900);
  });

  it('lets no request wait while fewer come than are allowed', async () => {
    const processes = new Processes(4, limitOf(1000, 1000));
    await processes.run(1_000, [0.2, 0.2, 0.2, 0.2]);
    processes.waited = 0;
    const before = processes.admitted;
    await processes.run(2_000, [0.2, 0.2, 0.2, 0.2]);
    expect([processes.waited, processes.admitted - before]).toEqual([0, 1_600]);
  });

  it('goes on with shares of it while nobody lends, and with the whole afterwards', async () => {
    const processes = new Processes(4, limitOf(100, 100));
    processes.silent = true;
    await processes.run(5_000, [1, 1, 0, 0]);
    // Two of four processes have calls: half of what comes, and nothing of the burst, which others may have.
    expect(processes.admitted).toBeGreaterThanOrEqual(240);
    expect(processes.admitted).toBeLessThanOrEqual(250);
    processes.silent = false;
    await processes.run(1_000, [1, 1, 0, 0]);
    const before = processes.admitted;
    await processes.run(5_000, [1, 1, 0, 0]);
    expect(processes.admitted - before).toBeGreaterThanOrEqual(485);
    expect(processes.admitted - before).toBeLessThanOrEqual(500 + 15);
  });
});
