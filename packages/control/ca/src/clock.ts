/** Time as the CA and its clients see it, so that tests own it. `@tulle/time` clocks have this form. */
export interface CaClock {
  /** Wall clock, milliseconds since 1970. */
  nowMs(): number;
  /** Calls `fn` once after `delayMs`. Returns what cancels it. */
  setTimer(fn: () => void, delayMs: number): () => void;
}

/** Longest delay Node's timers take; longer ones fire at once. */
const maxTimerMs = 2 ** 31 - 1;

/** The machine's clock. Its timers do not keep the process alive. */
export const systemClock: CaClock = {
  nowMs: Date.now,
  setTimer(fn, delayMs) {
    const timer = setTimeout(fn, Math.min(Math.max(0, delayMs), maxTimerMs));
    timer.unref();
    return () => clearTimeout(timer);
  },
};
