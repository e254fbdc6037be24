import type { ClientSideWeights } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import { createBalancer, type Balancer, type EndpointState } from './index.ts';
import { medianOf } from './load-weights.ts';

const EVERY: ClientSideWeights = { blackoutMs: 0, updateMs: 100 };

function balanced(weights: ClientSideWeights, count = 3): Balancer<null> {
  let draw = 0;
  const balancer = createBalancer<null>({
    policy: { policy: 'client-side-weighted-round-robin', ...weights },
    random: () => (draw = (draw + 0.37) % 1),
    attach: () => null,
  });
  balancer.update(
    Array.from({ length: count }, (_, index) => ({ address: { host: `10.0.0.${index + 1}`, port: 80 } })),
    0,
  );
  return balancer;
}

const load = (utilization: number, requestsPerSecond = 100, errorsPerSecond = 0) => ({
  utilization,
  requestsPerSecond,
  errorsPerSecond,
});
const at = (balancer: Balancer<null>, index: number): EndpointState<null> =>
  balancer.endpoints[index] as EndpointState<null>;

/** Percent of picks by endpoint, from `fromMs` on, all at one time. */
function shares(balancer: Balancer<null>, nowMs: number): number[] {
  const counts = balancer.endpoints.map(() => 0);
  for (let pick = 0; pick < 1_000; pick += 1) {
    const index = balancer.endpoints.indexOf(balancer.pick(nowMs) as EndpointState<null>);
    counts[index] = (counts[index] ?? 0) + 1;
  }
  return counts.map((count) => Math.round(count / 10));
}

describe('weights by reports of load', () => {
  it('are requests over utilization; who says nothing is in the middle of the others', () => {
    const balancer = balanced(EVERY);
    expect(shares(balancer, 0)).toEqual([33, 33, 33]);
    expect(at(balancer, 0).reportLoad(load(0.8), 0)).toBe(true);
    expect(at(balancer, 1).reportLoad(load(0.2), 0)).toBe(true);
    // 125, 500 and for the third 312.5
    expect(shares(balancer, 100)).toEqual([13, 53, 33]);
  });

  it('follow after updateMs and not before', () => {
    const balancer = balanced(EVERY, 2);
    at(balancer, 0).reportLoad(load(0.9), 0);
    at(balancer, 1).reportLoad(load(0.1), 0);
    expect(shares(balancer, 99)).toEqual([50, 50]);
    expect(shares(balancer, 100)).toEqual([10, 90]);
    at(balancer, 0).reportLoad(load(0.1), 110);
    expect(shares(balancer, 199)).toEqual([10, 90]);
    expect(shares(balancer, 200)).toEqual([50, 50]);
  });

  it('count after the blackout, and end when they are not reported any more', () => {
    const balancer = balanced({ updateMs: 100, blackoutMs: 1_000, expirationMs: 5_000 }, 2);
    for (const nowMs of [0, 900]) {
      at(balancer, 0).reportLoad(load(0.9), nowMs);
      at(balancer, 1).reportLoad(load(0.1), nowMs);
    }
    expect(shares(balancer, 950)).toEqual([50, 50]);
    expect(shares(balancer, 1_050)).toEqual([10, 90]);
    expect(shares(balancer, 5_900)).toEqual([10, 90]);
    expect(shares(balancer, 6_000)).toEqual([50, 50]);
    // Whoever reports again begins with a blackout.
    at(balancer, 1).reportLoad(load(0.1), 6_050);
    at(balancer, 0).reportLoad(load(0.9), 6_050);
    expect(shares(balancer, 6_200)).toEqual([50, 50]);
    expect(shares(balancer, 7_100)).toEqual([10, 90]);
  });

  it('fall by errors as the penalty says', () => {
    const balancer = balanced({ ...EVERY, errorPenalty: 2 }, 2);
    at(balancer, 0).reportLoad(load(0.2, 100, 10), 0); // 0.2 + 2 × 0.1
    at(balancer, 1).reportLoad(load(0.1, 100, 0), 0);
    expect(shares(balancer, 100)).toEqual([20, 80]);
  });

  it('are taken of reports that say both parts', () => {
    const balancer = balanced(EVERY, 2);
    for (const report of [load(0), load(-1), load(0.5, 0), load(0.5, -1), load(NaN), load(0.5, 100, -1)])
      expect(at(balancer, 0).reportLoad(report, 0)).toBe(false);
    expect(shares(balancer, 100)).toEqual([50, 50]);
  });

  it('mean nothing to other policies', () => {
    const balancer = createBalancer<null>({
      policy: { policy: 'round-robin' },
      random: () => 0,
      attach: () => null,
    });
    balancer.update([{ address: { host: '10.0.0.1', port: 80 } }], 0);
    expect([balancer.readsLoad, at(balancer, 0).reportLoad(load(0.5), 0)]).toEqual([false, false]);
  });
});

it('the median is the middle, or the mean of both middles', () => {
  expect([medianOf([5]), medianOf([9, 1, 5]), medianOf([1, 9, 3, 5])]).toEqual([5, 5, 4]);
});
