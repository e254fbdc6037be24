/**
 * Where time comes from. Everything in Tulle that waits or measures takes a clock, so a test owns time.
 */
export interface Clock {
  /** Monotonic milliseconds with fraction; only differences mean something. */
  nowMs(): number;
  /** Wall clock: milliseconds since 1970-01-01T00:00Z. */
  epochMs(): number;
  /**
   * Calls `fn` once after at least `delayMs`.
   * @param delayMs >= 0; a fraction is rounded up
   * @returns cancels; harmless when it fired already
   */
  setTimer(delayMs: number, fn: () => void): () => void;
}

/** The global is a getter, which a clock that is read all the time need not ask each time. */
const { performance } = globalThis;

/** Longest delay that timers of the platform can take; past it they fire at once. */
const MAX_DELAY_MS = 2_147_483_647;

/** The clock of the process, on the globals that Node and browsers share. */
export function systemClock(): Clock {
  return {
    nowMs: () => performance.now(),
    epochMs: () => Date.now(),
    setTimer(delayMs, fn) {
      const dueMs = performance.now() + delayMs;
      const sleep = (ms: number): ReturnType<typeof setTimeout> =>
        setTimeout(wake, Math.min(Math.max(Math.ceil(ms), 0), MAX_DELAY_MS));
      // Platform timers count from the time at which the loop's turn began, so they may fire early: then the rest is slept.
      const wake = (): void => {
        const leftMs = dueMs - performance.now();
        if (leftMs > 0) handle = sleep(leftMs);
        else fn();
      };
      let handle = sleep(delayMs);
      return () => clearTimeout(handle);
    },
  };
}
