import { systemClock } from '@tulle/time';
import type { FakeClock } from './fake-clock.ts';

/** Real time where the testkit wants its own: for a memory network around a real service. */
export function wallClock(): FakeClock {
  const clock = systemClock();
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return {
    nowMs: () => clock.nowMs(),
    epochMs: () => clock.epochMs(),
    setTimer: (delayMs, fn) => clock.setTimer(delayMs, fn),
    advance: settle,
    settle,
    pending: 0,
    nextMs: undefined,
  };
}
