import type { Clock } from '@tulle/time';

/** A clock that only the test moves. */
export function manualClock(): Clock & { advance(ms: number): void } {
  let now = 1_700_000_000_000;
  let timers: { readonly at: number; readonly fn: () => void }[] = [];
  return {
    nowMs: () => now,
    epochMs: () => now,
    setTimer(delayMs, fn) {
      const timer = { at: now + delayMs, fn };
      timers.push(timer);
      return () => void (timers = timers.filter((other) => other !== timer));
    },
    advance(ms) {
      const end = now + ms;
      for (;;) {
        const [next] = timers.filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at);
        if (next === undefined) break;
        timers = timers.filter((other) => other !== next);
        now = next.at;
        next.fn();
      }
      now = end;
    },
  };
}
