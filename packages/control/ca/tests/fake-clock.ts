import type { Clock } from '@tulle/time';

/** A clock that stands still until told. */
export interface FakeClock extends Clock {
  /**
   * Moves time and fires what falls due, in order, letting promises settle in between. Work in the thread pool (keys,
   * signatures, files) takes real time and may still run afterwards: wait for its effect.
   */
  advance(ms: number): Promise<void>;
  /** When the timers that are set will fire. */
  dueTimesMs(): readonly number[];
}

export function fakeClock(startMs: number = Date.UTC(2026, 0, 1)): FakeClock {
  let nowMs = startMs;
  let timers: { atMs: number; fn: () => void }[] = [];
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
  };
  return {
    nowMs: () => nowMs - startMs,
    epochMs: () => nowMs,
    setTimer(delayMs, fn) {
      const timer = { atMs: nowMs + delayMs, fn };
      timers.push(timer);
      return () => (timers = timers.filter((other) => other !== timer));
    },
    async advance(ms) {
      const untilMs = nowMs + ms;
      for (;;) {
        const next = timers.toSorted((a, b) => a.atMs - b.atMs)[0];
        if (next === undefined || next.atMs > untilMs) break;
        timers = timers.filter((timer) => timer !== next);
        nowMs = Math.max(nowMs, next.atMs);
        next.fn();
        await settle();
      }
      nowMs = untilMs;
      await settle();
    },
    dueTimesMs: () => timers.map((timer) => timer.atMs),
  };
}
