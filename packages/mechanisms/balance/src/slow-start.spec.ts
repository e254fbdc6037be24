import type { BalancePolicy, Endpoint, SlowStart } from '@tulle/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createBalancer, type Balancer } from './index.ts';
import { rampFactor } from './slow-start.ts';

function endpoint(port: number, rest: Partial<Endpoint> = {}): Endpoint {
  return { address: { host: '10.0.0.1', port }, ...rest };
}

function balancerOf(policy: BalancePolicy, healthChecked = false): Balancer<string> {
  let at = 0;
  return createBalancer<string>({
    policy,
    healthChecked,
    panicThresholdPercent: 0,
    random: () => (at = (at + 0.618_033_988_749_895) % 1),
    attach: (_endpoint, address) => address,
  });
}

/** Percent of picks at a moment that go to a port. */
function shareOf(balancer: Balancer<string>, port: number, nowMs: number): number {
  let found = 0;
  for (let pick = 0; pick < 2_000; pick += 1)
    if (balancer.pick(nowMs)?.address.endsWith(`:${port}`) === true) found += 1;
  return found / 20;
}

const slowStart: SlowStart = { windowMs: 10_000 };

describe('the ramp', () => {
  it('is Envoy’s: time over window to the power of 1 / aggression, never under the least', () => {
    expect(rampFactor(slowStart, 0)).toBe(0.1);
    expect(rampFactor(slowStart, 5_000)).toBe(0.5);
    expect(rampFactor({ ...slowStart, aggression: 2 }, 2_500)).toBe(0.5);
    expect(rampFactor({ ...slowStart, minWeightPercent: 30 }, 2_000)).toBe(0.3);
    expect(rampFactor(slowStart, 10_000)).toBe(1);
  });

  it('never falls, and is never nothing', () => {
    fc.assert(
      fc.property(
        fc.record({
          windowMs: fc.integer({ min: 1, max: 100_000 }),
          aggression: fc.double({ min: 0.01, max: 100, noNaN: true }),
          minWeightPercent: fc.integer({ min: 0, max: 100 }),
        }),
        fc.nat(200_000),
        fc.nat(1_000),
        (config, sinceMs, moreMs) => {
          const factor = rampFactor(config, sinceMs);
          expect(factor).toBeGreaterThan(0);
          expect(rampFactor(config, sinceMs + moreMs)).toBeGreaterThanOrEqual(factor);
        },
      ),
    );
  });
});

describe.each(['round-robin', 'least-request'] as const)('slow start of %s', (policy) => {
  it('gives an endpoint that is new its share little by little, and then all of it', () => {
    const balancer = balancerOf({ policy, slowStart });
    balancer.update([endpoint(1), endpoint(2), endpoint(3)], -60_000);
    expect(Math.abs(shareOf(balancer, 3, 0) - 33)).toBeLessThan(3);
    balancer.update([endpoint(1), endpoint(2), endpoint(3), endpoint(4)], 0);
    // 1 part of 31, 1 of 7, 1 of 4.
    expect(Math.abs(shareOf(balancer, 4, 10) - 3.2)).toBeLessThan(1.5);
    expect(Math.abs(shareOf(balancer, 4, 5_000) - 14.3)).toBeLessThan(2.5);
    expect(Math.abs(shareOf(balancer, 4, 10_000) - 25)).toBeLessThan(3);
    expect(Math.abs(shareOf(balancer, 4, 60_000) - 25)).toBeLessThan(3);
  });

  it('shares evenly among endpoints that came together', () => {
    const balancer = balancerOf({ policy, slowStart });
    balancer.update([endpoint(1), endpoint(2)], 0);
    expect(Math.abs(shareOf(balancer, 1, 100) - 50)).toBeLessThan(3);
  });

  it('begins when a health check passes, and anew when one passes again', () => {
    const balancer = balancerOf({ policy, slowStart }, true);
    balancer.update([endpoint(1), endpoint(2)], 0);
    const [first, second] = balancer.endpoints as [
      (typeof balancer.endpoints)[0],
      (typeof balancer.endpoints)[0],
    ];
    balancer.checked(first, true, 0);
    balancer.checked(second, true, 0);
    balancer.warmed(0);
    expect(Math.abs(shareOf(balancer, 2, 20_000) - 50)).toBeLessThan(3);
    balancer.checked(second, false, 20_000);
    expect(shareOf(balancer, 2, 20_000)).toBe(0);
    balancer.checked(second, true, 30_000);
    expect(Math.abs(shareOf(balancer, 2, 30_000) - 9)).toBeLessThan(2.5);
    expect(Math.abs(shareOf(balancer, 2, 40_000) - 50)).toBeLessThan(3);
  });
});

it('a new endpoint does not disturb the turns of the others', () => {
  const balancer = balancerOf({ policy: 'round-robin', slowStart });
  balancer.update([endpoint(1, { weight: 2 }), endpoint(2)], -60_000);
  balancer.update([endpoint(1, { weight: 2 }), endpoint(2), endpoint(3)], 0);
  const counts = new Map<string, number>();
  // Two picks a step of the ramp: with shares that begin anew each time, chance would rule.
  for (let nowMs = 0; nowMs < 10_000; nowMs += 100) {
    for (let pick = 0; pick < 2; pick += 1) {
      const address = balancer.pick(nowMs)?.address ?? '';
      counts.set(address, (counts.get(address) ?? 0) + 1);
    }
  }
  expect(Math.abs((counts.get('10.0.0.1:1') ?? 0) / (counts.get('10.0.0.1:2') ?? 1) - 2)).toBeLessThan(0.1);
});
