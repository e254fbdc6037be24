import { describe, expect, it } from 'vitest';
import { WaitingLine } from './waiting-line.ts';

const BUDGET_MS = 20;

/** A loop by hand: beginning a request takes `takesMs`. */
class Loop {
  nowMs = 1_000;
  takesMs = 5;
  readonly begun: number[] = [];
  changes = 0;
  asked: (() => void) | undefined;
  readonly line: WaitingLine<number> = new WaitingLine<number>({
    clock: { nowMs: () => this.nowMs, epochMs: () => 0, setTimer: () => () => {} },
    afterIteration: (callback) => {
      this.asked = callback;
    },
    budgetMs: BUDGET_MS,
    begin: (item) => this.begin(item),
    changed: () => this.changes++,
  });

  begin(item: number): void {
    this.begun.push(item);
    this.nowMs += this.takesMs;
  }

  /** As the chain does. */
  come(item: number): void {
    if (this.nowMs > this.line.untilMs && this.line.putsOff(item)) return;
    this.begin(item);
  }

  over(): void {
    const { asked } = this;
    this.asked = undefined;
    asked?.();
  }
}

describe('a line of requests that wait for a later iteration', () => {
  it('lets each iteration begin as many as its time is for, in the order in which they came', () => {
    const loop = new Loop();
    for (let i = 0; i < 1_000; i++) loop.come(i);
    // The first begins since nobody knows when this iteration began; then those of 20 ms, and the one that ends them.
    expect(loop.begun).toEqual([0, 1, 2, 3, 4]);
    let next = 1_000;
    let longestMs = 0;
    for (let i = 0; i < 100; i++) {
      const beganMs = loop.nowMs;
      loop.over();
      // Who comes now does not overtake.
      loop.come(next++);
      longestMs = Math.max(longestMs, loop.nowMs - beganMs);
    }
    expect(longestMs).toBe(BUDGET_MS);
    expect(loop.begun).toEqual(Array.from({ length: loop.begun.length }, (_, i) => i));
    expect(loop.begun.length).toBe(5 + 100 * 4);
    expect(loop.line.size).toBe(next - loop.begun.length);
  });

  it('asks for the end of an iteration once in its time at most, and puts nobody off in short ones', () => {
    const loop = new Loop();
    loop.takesMs = 0.5;
    let asks = 0;
    for (let i = 0; i < 1_000; i++) {
      loop.come(i);
      if (loop.asked !== undefined) asks++;
      loop.over();
    }
    expect(loop.begun.length).toBe(1_000);
    expect(asks).toBeLessThanOrEqual(500 / BUDGET_MS + 1);
    expect([loop.line.size, loop.line.oldestMs]).toEqual([0, 0]);
  });

  it('says how long the first one waits', () => {
    const loop = new Loop();
    for (let i = 0; i < 10; i++) loop.come(i);
    loop.nowMs += 100;
    expect(loop.line.oldestMs).toBe(100);
    loop.over();
    expect(loop.line.size).toBe(1);
    loop.over();
    expect(loop.line.oldestMs).toBe(0);
  });

  it('begins all that wait when it is closed, and nobody waits any more', () => {
    const loop = new Loop();
    for (let i = 0; i < 300; i++) loop.come(i);
    loop.line.close();
    expect(loop.begun.length).toBe(300);
    for (let i = 300; i < 310; i++) loop.come(i);
    loop.over();
    expect(loop.begun.length).toBe(310);
    expect(loop.line.untilMs).toBe(Infinity);
  });
});
