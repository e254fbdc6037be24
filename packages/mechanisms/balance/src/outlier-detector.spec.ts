import type { Endpoint, OutlierDetection } from '@tulle/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createBalancer,
  FAILURE,
  SUCCESS,
  type Balancer,
  type EjectionEvent,
  type Outcome,
} from './index.ts';

interface Setup {
  readonly balancer: Balancer<undefined>;
  readonly events: EjectionEvent<undefined>[];
  readonly refused: string[];
  /** Ends attempts on an endpoint by its number. */
  readonly end: (port: number, outcome: Outcome, nowMs: number, times?: number) => void;
}

function setup(count: number, outlier: OutlierDetection | undefined): Setup {
  const events: EjectionEvent<undefined>[] = [];
  const refused: string[] = [];
  let turn = 0;
  const balancer = createBalancer<undefined>({
    policy: { policy: 'random' },
    ...(outlier === undefined ? {} : { outlier }),
    random: () => (turn = (turn + 0.379) % 1),
    attach: () => undefined,
    onEjection: (event) => void events.push(event),
    onEjectionRefused: (state) => void refused.push(state.address),
  });
  balancer.update(
    Array.from({ length: count }, (_, index): Endpoint => ({ address: { host: 'h', port: index + 1 } })),
    0,
  );
  return {
    balancer,
    events,
    refused,
    end(port, outcome, nowMs, times = 1) {
      for (let time = 0; time < times; time += 1) {
        const state = balancer.get(`h:${port}`);
        state?.onStart();
        state?.onEnd(outcome, 1, nowMs);
      }
    },
  };
}

describe('ejection', () => {
  it('comes with the fifth failure in a row, lasts 30 s, and is then over', () => {
    const { balancer, events, end } = setup(3, {});
    end(1, FAILURE, 0, 4);
    end(1, SUCCESS, 0);
    end(1, FAILURE, 0, 4);
    expect(balancer.ejected).toBe(0);
    end(1, FAILURE, 0);
    expect([balancer.ejected, balancer.usable, balancer.get('h:1')?.ejected]).toEqual([1, 2, true]);
    expect(events).toMatchObject([{ ejected: true, reason: 'consecutive-failures', durationMs: 30_000 }]);
    for (let now = 0; now < 29_999; now += 100) expect(balancer.pick(now)?.address).not.toBe('h:1');
    balancer.pick(30_000);
    expect([balancer.ejected, balancer.usable]).toEqual([0, 3]);
    expect(events[1]).toMatchObject({ ejected: false, reason: 'expired' });
  });

  it('lasts longer each time in a row, up to the maximum, and shorter after calm intervals', () => {
    const { events, end, balancer } = setup(3, {
      baseEjectionMs: 1_000,
      maxEjectionMs: 2_500,
      intervalMs: 10_000,
    });
    let now = 0;
    const ejectAt = (at: number): number | undefined => {
      now = at;
      balancer.refresh(now);
      end(1, FAILURE, now, 5);
      return events.at(-1)?.durationMs;
    };
    expect(ejectAt(0)).toBe(1_000);
    expect(ejectAt(1_000)).toBe(2_000);
    expect(ejectAt(3_000)).toBe(2_500);
    expect(ejectAt(5_500 + 30_000)).toBe(1_000);
  });

  it('by success rate needs enough requests in the window', () => {
    const { balancer, end, events } = setup(3, {
      consecutiveFailures: 0,
      successRate: { belowPercent: 80, windowMs: 10_000, minimumRequests: 5 },
    });
    end(1, SUCCESS, 0, 3);
    end(1, FAILURE, 0);
    expect(balancer.ejected).toBe(0);
    end(1, FAILURE, 20_000, 4);
    expect(balancer.ejected).toBe(0);
    end(1, SUCCESS, 20_000, 16);
    expect(balancer.ejected).toBe(1);
    expect(events[0]?.reason).toBe('success-rate');
    end(2, SUCCESS, 20_000, 4);
    end(2, FAILURE, 20_000);
    expect(balancer.get('h:2')?.ejected).toBe(false);
  });

  it('takes at most the allowed share, but always may take one, and tells what it refused', () => {
    const few = setup(3, { maxEjectionPercent: 10 });
    few.end(1, FAILURE, 0, 5);
    few.end(2, FAILURE, 0, 5);
    expect([few.balancer.ejected, few.refused]).toEqual([1, ['h:2']]);
    const many = setup(20, { maxEjectionPercent: 10 });
    for (let port = 1; port <= 20; port += 1) many.end(port, FAILURE, 0, 5);
    expect(many.balancer.ejected).toBe(2);
  });

  it('never takes the last endpoint that may be used', () => {
    const alone = setup(1, { maxEjectionPercent: 100 });
    alone.end(1, FAILURE, 0, 50);
    expect([alone.balancer.usable, alone.refused.length]).toEqual([1, 10]);
    const pair = setup(2, { maxEjectionPercent: 100 });
    pair.balancer.update(
      [{ address: { host: 'h', port: 1 } }, { address: { host: 'h', port: 2 }, health: 'unhealthy' }],
      0,
    );
    pair.end(1, FAILURE, 0, 5);
    expect(pair.balancer.usable).toBe(1);
  });

  it('lets the next priority take over', () => {
    const { balancer, end } = setup(0, {});
    balancer.update(
      [{ address: { host: 'h', port: 1 } }, { address: { host: 'h', port: 2 }, priority: 1 }],
      0,
    );
    expect(balancer.pick(0)?.address).toBe('h:1');
    end(1, FAILURE, 0, 5);
    expect(balancer.pick(1)?.address).toBe('h:2');
    expect(balancer.pick(30_000)?.address).toBe('h:1');
  });

  it('ends when the policy is taken away or the endpoint leaves', () => {
    const one = setup(3, {});
    one.end(1, FAILURE, 0, 5);
    one.balancer.configure({ policy: 'random' }, undefined);
    expect([one.balancer.ejected, one.balancer.usable]).toEqual([0, 3]);
    one.end(1, FAILURE, 0, 50);
    expect(one.balancer.ejected).toBe(0);

    const two = setup(3, {});
    two.end(1, FAILURE, 0, 5);
    two.balancer.update([{ address: { host: 'h', port: 2 } }, { address: { host: 'h', port: 3 } }], 0);
    expect([two.balancer.ejected, two.balancer.usable]).toEqual([0, 2]);
  });

  it('keeps its counts right under any sequence of outcomes, waits and sets', () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('end' as const),
        port: fc.integer({ min: 1, max: 6 }),
        outcome: fc.constantFrom<Outcome>(SUCCESS, FAILURE, FAILURE, FAILURE),
      }),
      fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(20_000) }),
      fc.record({
        kind: fc.constant('set' as const),
        ports: fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { minLength: 1 }),
      }),
    );
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 80 }),
        fc.integer({ min: 1, max: 100 }),
        (steps, maxEjectionPercent) => {
          const { balancer, end } = setup(6, {
            consecutiveFailures: 2,
            baseEjectionMs: 10_000,
            maxEjectionPercent,
          });
          let now = 0;
          for (const one of steps) {
            if (one.kind === 'end') end(one.port, one.outcome, now);
            else if (one.kind === 'wait') now += one.ms;
            else
              balancer.update(
                one.ports.map((port) => ({ address: { host: 'h', port } })),
                now,
              );
            const picked = balancer.pick(now);
            const ejected = balancer.endpoints.filter((state) => state.ejected);
            expect(balancer.ejected).toBe(ejected.length);
            expect(balancer.usable).toBe(balancer.endpoints.length - ejected.length);
            // A set that shrank to what is ejected has nothing to offer until the ejections end.
            if (balancer.usable > 0) expect(picked?.ejected).toBe(false);
          }
          now += 400_000;
          balancer.refresh(now);
          expect(balancer.ejected).toBe(0);
        },
      ),
      { numRuns: 200 },
    );
  });
});
