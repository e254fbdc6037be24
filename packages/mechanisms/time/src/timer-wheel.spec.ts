import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createTimerWheel, type Clock, type WheelTimer } from './index.ts';

/** A clock by hand: `advance` fires what falls due, in order of time, then of setting. */
class HandClock implements Clock {
  now = 1_000.25;
  readonly timers = new Set<{ at: number; fn: () => void }>();
  /** How often a timer of the clock was set. */
  set = 0;

  nowMs(): number {
    return this.now;
  }

  epochMs(): number {
    return 1_700_000_000_000 + this.now;
  }

  setTimer(delayMs: number, fn: () => void): () => void {
    this.set += 1;
    const timer = { at: this.now + delayMs, fn };
    this.timers.add(timer);
    return () => void this.timers.delete(timer);
  }

  advance(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const due = [...this.timers].filter((timer) => timer.at <= end).toSorted((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.timers.delete(due);
      this.now = Math.max(this.now, due.at);
      due.fn();
    }
    this.now = end;
  }
}

function record(clock: HandClock, fired: [string, number][]): (name: string) => void {
  return (name) => void fired.push([name, clock.now]);
}

describe('timer wheel', () => {
  it('fires once, never early, at most one tick late, whatever the delay', () => {
    for (const delay of [
      0,
      0.4,
      1,
      9.99,
      10,
      11,
      319,
      320,
      321,
      10_239,
      10_241,
      327_681,
      3_600_000,
      86_400_000,
      200 * 86_400_000,
    ]) {
      const clock = new HandClock();
      const wheel = createTimerWheel({ clock });
      const fired: [string, number][] = [];
      const start = clock.now;
      wheel.timer(record(clock, fired), 'a').arm(delay);
      clock.advance(delay + 20);
      expect(fired).toHaveLength(1);
      const late = (fired[0] as [string, number])[1] - start - delay;
      expect(late, `late by ${late} for ${delay}`).toBeGreaterThanOrEqual(0);
      expect(late).toBeLessThanOrEqual(10.001);
      clock.advance(1_000_000);
      expect(fired).toHaveLength(1);
    }
  });

  it('agrees with a naive timer list under any sequence of arming, cancelling and waiting', () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('arm' as const),
        timer: fc.nat(5),
        ms: fc.oneof(fc.nat(50), fc.nat(5_000), fc.nat(2_000_000)),
      }),
      fc.record({ kind: fc.constant('cancel' as const), timer: fc.nat(5), ms: fc.constant(0) }),
      fc.record({
        kind: fc.constant('wait' as const),
        timer: fc.constant(0),
        ms: fc.oneof(fc.nat(30), fc.nat(3_000), fc.nat(1_000_000)),
      }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const clock = new HandClock();
        const origin = clock.now;
        const wheel = createTimerWheel({ clock });
        const due: (number | undefined)[] = [];
        const fire = (index: number): void => {
          // At the very tick that the delay is rounded up to.
          const deadline = due[index] as number;
          expect(clock.now).toBeGreaterThanOrEqual(deadline - 1e-6);
          expect(clock.now).toBeLessThanOrEqual(deadline + 20);
          due[index] = undefined;
        };
        const timers: WheelTimer[] = Array.from({ length: 6 }, (_, index) => wheel.timer(fire, index));
        for (const { kind, timer, ms } of steps) {
          if (kind === 'arm') {
            due[timer] = clock.now + ms;
            timers[timer]?.arm(ms);
          } else if (kind === 'cancel') {
            due[timer] = undefined;
            timers[timer]?.cancel();
          } else {
            clock.advance(ms);
            for (const [index, at] of due.entries())
              expect(at === undefined || at > clock.now - 20, `timer ${index} is overdue`).toBe(true);
          }
          expect(wheel.size).toBe(due.filter((at) => at !== undefined).length);
          expect(timers.map((one) => one.armed)).toEqual(
            Array.from({ length: 6 }, (_, index) => due[index] !== undefined),
          );
        }
        clock.advance(3_000_000);
        expect(wheel.size).toBe(0);
        expect(clock.now).toBeGreaterThan(origin);
      }),
      { numRuns: 300 },
    );
  });

  it('lets a timer arm and cancel others, itself too, while it fires', () => {
    const clock = new HandClock();
    const wheel = createTimerWheel({ clock });
    const fired: [string, number][] = [];
    const victim = wheel.timer(record(clock, fired), 'victim');
    const again = wheel.timer((name: string) => {
      record(clock, fired)(name);
      victim.cancel();
      if (fired.length < 3) again.arm(10);
    }, 'again');
    again.arm(10);
    victim.arm(10);
    clock.advance(1_000);
    expect(fired.map(([name]) => name)).toEqual(['again', 'again', 'again']);
  });

  it('sets no timer of the clock when it is idle, and few when timers come and go', () => {
    const clock = new HandClock();
    const wheel = createTimerWheel({ clock });
    expect(clock.timers.size).toBe(0);
    const timer = wheel.timer(() => {}, undefined);
    for (let request = 0; request < 1_000; request += 1) {
      timer.arm(500);
      clock.advance(0.01);
      timer.cancel();
    }
    expect(clock.set).toBeLessThan(10);
    clock.advance(2_000);
    expect(clock.timers.size).toBe(0);
  });

  it('takes a far wake-up back when nobody waits any more, so that it keeps no process alive', () => {
    const clock = new HandClock();
    const wheel = createTimerWheel({ clock });
    const timer = wheel.timer(() => {}, undefined);
    timer.arm(3_600_000);
    expect(clock.timers.size).toBe(1);
    timer.cancel();
    expect(clock.timers.size).toBe(0);
  });

  it('does the rest of a tick when a timer throws, then reports', () => {
    const clock = new HandClock();
    const fired: [string, number][] = [];
    const wheel = createTimerWheel({ clock });
    wheel
      .timer(() => {
        throw new Error('first');
      }, undefined)
      .arm(5);
    wheel.timer(record(clock, fired), 'second').arm(5);
    wheel.timer(record(clock, fired), 'third').arm(50);
    expect(() => clock.advance(20)).toThrow('first');
    clock.advance(100);
    expect(fired.map(([name]) => name)).toEqual(['second', 'third']);

    const caught: unknown[] = [];
    const guarded = createTimerWheel({ clock, onError: (error) => void caught.push(error) });
    guarded
      .timer(() => {
        throw new Error('fourth');
      }, undefined)
      .arm(5);
    clock.advance(20);
    expect(caught).toEqual([new Error('fourth')]);
  });

  it('forgets everything when closed, and may be used again', () => {
    const clock = new HandClock();
    const fired: [string, number][] = [];
    const wheel = createTimerWheel({ clock });
    const timer = wheel.timer(record(clock, fired), 'a');
    timer.arm(10);
    wheel.close();
    expect([wheel.size, timer.armed, clock.timers.size]).toEqual([0, false, 0]);
    clock.advance(100);
    timer.arm(10);
    clock.advance(100);
    expect(fired).toHaveLength(1);
  });

  it('refuses delays that are no number of milliseconds', () => {
    const timer = createTimerWheel({ clock: new HandClock() }).timer(() => {}, undefined);
    expect(() => timer.arm(Number.NaN)).toThrow(RangeError);
    expect(() => timer.arm(-1)).toThrow(RangeError);
    expect(timer.armed).toBe(false);
  });
});
