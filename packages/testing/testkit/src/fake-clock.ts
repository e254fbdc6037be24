import type { Clock } from '@tulle/time';

interface Waiting {
  readonly atMs: number;
  readonly order: number;
  readonly fn: () => void;
}

/** A clock that stands still until a test moves it. */
export interface FakeClock extends Clock {
  /**
   * Moves time on; timers fire in order, each at its own moment, and promises that they settle run before the next one.
   * Resolves when everything that follows without more time has happened.
   */
  advance(ms: number): Promise<void>;
  /** Lets everything happen that needs no time: settled promises, bytes under way on the memory transport. */
  settle(): Promise<void>;
  /** Timers that are waiting. */
  readonly pending: number;
  /** Milliseconds until the next of them; `undefined` when there is none. */
  readonly nextMs: number | undefined;
}

/** Makes a {@link FakeClock}. @param epochMs wall clock at the start; default 2026-01-01T00:00Z */
export function fakeClock(epochMs: number = Date.UTC(2026, 0, 1)): FakeClock {
  let nowMs = 0;
  let order = 0;
  let waiting: Waiting[] = [];

  const settle = async (): Promise<void> => {
    // A round of the event loop runs every microtask that is there and those that these add.
    for (let round = 0; round < 3; round++) await new Promise<void>((resolve) => setImmediate(resolve));
  };

  return {
    nowMs: () => nowMs,
    epochMs: () => epochMs + nowMs,
    setTimer(delayMs, fn) {
      const timer: Waiting = { atMs: nowMs + Math.max(Math.ceil(delayMs), 0), order: order++, fn };
      waiting.push(timer);
      return () => {
        waiting = waiting.filter((other) => other !== timer);
      };
    },
    async advance(ms) {
      const end = nowMs + ms;
      await settle();
      for (;;) {
        const next = waiting
          .filter((timer) => timer.atMs <= end)
          .sort((a, b) => a.atMs - b.atMs || a.order - b.order)[0];
        if (next === undefined) break;
        waiting = waiting.filter((other) => other !== next);
        nowMs = Math.max(nowMs, next.atMs);
        next.fn();
        await settle();
      }
      nowMs = end;
      await settle();
    },
    settle,
    get pending() {
      return waiting.length;
    },
    get nextMs() {
      return waiting.length === 0
        ? undefined
        : Math.max(0, Math.min(...waiting.map(({ atMs }) => atMs)) - nowMs);
    },
  };
}
