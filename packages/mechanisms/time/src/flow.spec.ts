import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffDelayMs, createBackoff, RetryBudget, systemClock, TokenBucket } from './index.ts';

describe('backoff', () => {
  it('doubles its bound up to the maximum, with full jitter below it', () => {
    const options = { baseMs: 25, maxMs: 250 };
    const bounds = [1, 2, 3, 4, 5, 6, 1_000].map((attempt) => backoffDelayMs(attempt, options, () => 1));
    expect(bounds).toEqual([25, 50, 100, 200, 250, 250, 250]);
    expect(backoffDelayMs(3, options, () => 0.5)).toBe(50);
    expect(backoffDelayMs(3, options, () => 0)).toBe(0);
  });

  it('counts for itself and starts anew after a success', () => {
    const backoff = createBackoff({ baseMs: 10, maxMs: 1_000 }, () => 1);
    expect([backoff.next(), backoff.next(), backoff.next()]).toEqual([10, 20, 40]);
    backoff.reset();
    expect(backoff.next()).toBe(10);
  });
});

describe('token bucket', () => {
  it('never gives more than capacity plus refill in any span, and has a token when it said', () => {
    const call = fc.record({
      wait: fc.double({ min: 0, max: 2_000, noNaN: true }),
      count: fc.integer({ min: 1, max: 4 }),
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 50 }),
        fc.array(call, { maxLength: 50 }),
        (capacity, rate, calls) => {
          let now = 5;
          const bucket = new TokenBucket({ capacity, refillPerSecond: rate }, now);
          let taken = 0;
          for (const { wait, count } of calls) {
            now += wait;
            if (bucket.take(count, now)) taken += count;
            else if (count > capacity) expect(bucket.nextAtMs(count, now)).toBe(Infinity);
            else {
              const at = bucket.nextAtMs(count, now);
              expect(at).toBeGreaterThan(now);
              expect(bucket.take(count, at)).toBe(true);
              taken += count;
              now = at;
            }
            expect(taken).toBeLessThanOrEqual(capacity + ((now - 5) * rate) / 1_000 + 1e-6);
          }
        },
      ),
    );
  });

  it('gives back, resets, and is not emptied by a clock that goes back', () => {
    const bucket = new TokenBucket({ capacity: 2, refillPerSecond: 1 }, 1_000);
    expect([bucket.take(2, 1_000), bucket.take(1, 500), bucket.available(900)]).toEqual([true, false, 0]);
    bucket.giveBack(1);
    expect(bucket.take(1, 1_000)).toBe(true);
    bucket.reset(1_000);
    expect(bucket.available(1_000)).toBe(2);
  });

  it('refuses numbers that make no bucket', () => {
    expect(() => new TokenBucket({ capacity: 0, refillPerSecond: 1 }, 0)).toThrow(/capacity/);
    expect(() => new TokenBucket({ capacity: 1, refillPerSecond: Number.NaN }, 0)).toThrow(/refillPerSecond/);
  });
});

describe('retry budget', () => {
  it('allows the share of the requests in the window, and forgets what left it', () => {
    const budget = new RetryBudget({ percent: 20, minPerSecond: 0, intervalMs: 10_000 }, 0);
    for (let request = 0; request < 100; request += 1) budget.onRequest(0);
    const allowed = Array.from({ length: 30 }, () => budget.tryRetry(5_000)).filter(Boolean).length;
    expect(allowed).toBe(20);
    expect(budget.counts(9_999)).toEqual({ requests: 100, retries: 20 });
    expect(budget.tryRetry(10_000)).toBe(false);
    expect(budget.counts(20_000)).toEqual({ requests: 0, retries: 0 });
  });

  it('allows a minimum a second to a quiet service, which does not come on top of the share', () => {
    const quiet = new RetryBudget({ percent: 20, minPerSecond: 3 }, 0);
    expect(Array.from({ length: 5 }, () => quiet.tryRetry(0))).toEqual([true, true, true, false, false]);
    expect(Array.from({ length: 4 }, () => quiet.tryRetry(1_000))).toEqual([true, true, true, false]);

    const busy = new RetryBudget({ percent: 20, minPerSecond: 3 }, 0);
    for (let request = 0; request < 100; request += 1) busy.onRequest(0);
    expect(Array.from({ length: 40 }, () => busy.tryRetry(0)).filter(Boolean)).toHaveLength(20);
  });

  it('never holds more than the share over whole windows of steady load', () => {
    const budget = new RetryBudget({ percent: 10, minPerSecond: 0, intervalMs: 1_000 }, 0);
    let retries = 0;
    for (let now = 0; now < 100_000; now += 1) {
      budget.onRequest(now);
      if (budget.tryRetry(now)) retries += 1;
    }
    expect(retries).toBeGreaterThan(9_900);
    expect(retries).toBeLessThanOrEqual(10_000);
  });
});

describe('system clock', () => {
  it('measures, tells the time, and fires a timer not before its delay', async () => {
    const clock = systemClock();
    const start = clock.nowMs();
    await new Promise<void>((resolve) => void clock.setTimer(3.4, resolve));
    expect(clock.nowMs() - start).toBeGreaterThanOrEqual(3.4);
    expect(Math.abs(clock.epochMs() - Date.now())).toBeLessThan(1_000);
    let fired = false;
    clock.setTimer(0, () => {
      fired = true;
    })();
    await new Promise<void>((resolve) => void clock.setTimer(2, resolve));
    expect(fired).toBe(false);
  });
});
