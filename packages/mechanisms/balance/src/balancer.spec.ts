import type { BalancePolicy, Endpoint } from '@tulle/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createBalancer,
  FAILURE,
  NEUTRAL,
  SUCCESS,
  type Balancer,
  type BalancerOptions,
  type EndpointState,
} from './index.ts';

/** Small, fast and the same everywhere: mulberry32. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const POLICIES: readonly BalancePolicy[] = [
  { policy: 'round-robin' },
  { policy: 'random' },
  { policy: 'least-request' },
  { policy: 'least-request', choices: 5 },
  { policy: 'peak-ewma' },
];

function endpoint(port: number, rest: Partial<Endpoint> = {}): Endpoint {
  return { address: { host: '10.0.0.1', port }, ...rest };
}

function balancerOf(
  policy: BalancePolicy,
  endpoints: readonly Endpoint[],
  seed = 1,
  more: Partial<BalancerOptions<string>> = {},
): Balancer<string> {
  const balancer = createBalancer<string>({
    ...more,
    policy,
    random: seeded(seed),
    attach: (_endpoint, address) => `pool of ${address}`,
  });
  balancer.update(endpoints, 0);
  return balancer;
}

function portOf(state: EndpointState<string> | undefined): number {
  return Number(state?.address.split(':')[1]);
}

/** Picks by port; attempts end at once unless told otherwise. */
function counts(balancer: Balancer<string>, picks: number): Map<number, number> {
  const found = new Map<number, number>();
  for (let pick = 0; pick < picks; pick += 1) {
    const port = portOf(balancer.pick(0));
    found.set(port, (found.get(port) ?? 0) + 1);
  }
  return found;
}

function within5Sigma(count: number, picks: number, share: number): void {
  const sigma = Math.sqrt(picks * share * (1 - share));
  expect(Math.abs(count - picks * share), `${count} of ${picks} for a share of ${share}`).toBeLessThanOrEqual(
    5 * sigma,
  );
}

describe('shares', () => {
  const weights = [1, 2, 3, 4, 10];

  it.each(['random', 'least-request', 'round-robin'] as const)(
    'of %s follow the weights when nothing is under way',
    (policy) => {
      const balancer = balancerOf(
        { policy },
        weights.map((weight, index) => endpoint(index + 1, { weight })),
      );
      const found = counts(balancer, 40_000);
      for (const [index, weight] of weights.entries())
        within5Sigma(found.get(index + 1) ?? 0, 40_000, weight / 20);
    },
  );

  it.each(['random', 'least-request', 'round-robin', 'peak-ewma'] as const)(
    'of %s are even among equals',
    (policy) => {
      const found = counts(
        balancerOf(
          { policy },
          Array.from({ length: 7 }, (_, index) => endpoint(index + 1)),
        ),
        21_000,
      );
      for (let port = 1; port <= 7; port += 1) within5Sigma(found.get(port) ?? 0, 21_000, 1 / 7);
    },
  );

  it('of round robin are exact in every round, and spread evenly', () => {
    const balancer = balancerOf({ policy: 'round-robin' }, [
      endpoint(1, { weight: 5 }),
      endpoint(2, { weight: 1 }),
      endpoint(3, { weight: 1 }),
    ]);
    let sinceLight = 0;
    const found = new Map<number, number>();
    for (let pick = 0; pick < 700; pick += 1) {
      const port = portOf(balancer.pick(0));
      found.set(port, (found.get(port) ?? 0) + 1);
      sinceLight = port === 1 ? sinceLight + 1 : 0;
      expect(sinceLight).toBeLessThanOrEqual(7);
    }
    expect(Math.abs((found.get(1) ?? 0) - 500)).toBeLessThanOrEqual(1);
    const even = balancerOf({ policy: 'round-robin' }, [endpoint(1), endpoint(2), endpoint(3)]);
    const order = Array.from({ length: 6 }, () => portOf(even.pick(0)));
    expect(order.slice(0, 3)).toEqual(order.slice(3));
    expect(new Set(order).size).toBe(3);
  });

  it('of round robin begin at a random endpoint, so that a fleet does not start on the first one', () => {
    const first = new Set(
      Array.from({ length: 40 }, (_, seed) =>
        portOf(balancerOf({ policy: 'round-robin' }, [endpoint(1), endpoint(2), endpoint(3)], seed).pick(0)),
      ),
    );
    expect(first.size).toBe(3);
  });
});

describe('load', () => {
  it('least-request sends less where more is under way', () => {
    const balancer = balancerOf({ policy: 'least-request' }, [endpoint(1), endpoint(2), endpoint(3)]);
    for (let busy = 0; busy < 100; busy += 1) balancer.get('10.0.0.1:1')?.onStart();
    expect(counts(balancer, 1_000).get(1)).toBeUndefined();
  });

  it('least-request keeps the maximum close to the mean', () => {
    const balancer = balancerOf(
      { policy: 'least-request' },
      Array.from({ length: 20 }, (_, index) => endpoint(index + 1)),
    );
    for (let pick = 0; pick < 2_000; pick += 1) balancer.pick(0)?.onStart();
    expect(Math.max(...balancer.endpoints.map((state) => state.active))).toBeLessThanOrEqual(103);
  });

  it('peak-EWMA leaves a slow endpoint, and tries it again when its memory fades', () => {
    const balancer = balancerOf({ policy: 'peak-ewma' }, [endpoint(1), endpoint(2), endpoint(3)]);
    let now = 0;
    const run = (requests: number, slowMs: number): number => {
      let slow = 0;
      for (let request = 0; request < requests; request += 1) {
        now += 1;
        const state = balancer.pick(now);
        state?.onStart();
        if (portOf(state) === 1) slow += 1;
        state?.onEnd(SUCCESS, portOf(state) === 1 ? slowMs : 5, now);
      }
      return slow;
    };
    run(3_000, 5);
    const whileSlow = run(3_000, 500);
    expect(whileSlow).toBeLessThan(200);
    run(100_000, 5);
    expect(run(3_000, 5)).toBeGreaterThan(500);
  });

  it('peak-EWMA does not send more to an endpoint because it fails fast', () => {
    const balancer = balancerOf({ policy: 'peak-ewma' }, [endpoint(1), endpoint(2), endpoint(3)]);
    let failing = 0;
    for (let now = 1; now <= 5_000; now += 1) {
      const state = balancer.pick(now);
      state?.onStart();
      const fails = portOf(state) === 1;
      if (fails) failing += 1;
      state?.onEnd(fails ? FAILURE : SUCCESS, fails ? 0.2 : 20, now);
    }
    expect(failing).toBeLessThan(500);
  });

  it('an attempt that says nothing about the endpoint only ends', () => {
    const balancer = balancerOf({ policy: 'peak-ewma' }, [endpoint(1)]);
    const state = balancer.pick(0) as EndpointState<string>;
    state.onStart();
    state.onEnd(NEUTRAL, 99_999, 5);
    expect(state).toMatchObject({
      active: 0,
      started: 1,
      succeeded: 0,
      failed: 0,
      latencyMs: 30,
      consecutiveFailures: 0,
    });
  });
});

describe.each(POLICIES.map((policy) => [JSON.stringify(policy), policy] as const))('%s', (_name, policy) => {
  it('never picks what is excluded, unhealthy, draining or without weight; finds what is left, whatever its priority', () => {
    const one = fc.record({
      weight: fc.integer({ min: 0, max: 4 }),
      health: fc.constantFrom(
        'healthy' as const,
        'healthy' as const,
        'unhealthy' as const,
        'draining' as const,
      ),
      priority: fc.nat(2),
      excluded: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(one, { maxLength: 8 }), fc.integer(), (list, seed) => {
        const balancer = balancerOf(
          policy,
          list.map(({ weight, health, priority }, index) =>
            endpoint(index + 1, { weight, health, priority }),
          ),
          seed,
          { panicThresholdPercent: 0 },
        );
        const candidates = list
          .map((item, index) => ({ ...item, port: index + 1 }))
          .filter((item) => item.health === 'healthy' && item.weight > 0);
        const excluded = balancer.endpoints.filter((_state, index) => list[index]?.excluded === true);
        const allowed = candidates.filter((item) => !item.excluded).map((item) => item.port);
        expect(balancer.usable).toBe(candidates.length);
        for (let pick = 0; pick < 20; pick += 1) {
          const state = balancer.pick(pick, excluded);
          if (allowed.length === 0) expect(state).toBeUndefined();
          else expect(allowed).toContain(portOf(state));
          if (candidates.length > 0)
            expect(candidates.map((item) => item.port)).toContain(portOf(balancer.pick(pick)));
        }
      }),
      { numRuns: 100 },
    );
  });
});

describe('a new set', () => {
  it('keeps the state of addresses that stay, makes and drops the data of others exactly once', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 8 }), { maxLength: 8 }),
        (sets) => {
          const alive = new Map<string, EndpointState<{ address: string }> | undefined>();
          const balancer = createBalancer<{ address: string }>({
            random: seeded(3),
            attach(_endpoint, address) {
              expect(alive.has(address)).toBe(false);
              alive.set(address, undefined);
              return { address };
            },
            detach(state) {
              expect(state.removed).toBe(true);
              expect(alive.delete(state.address)).toBe(true);
            },
          });
          for (const [now, ports] of sets.entries()) {
            balancer.update(
              ports.map((port) => endpoint(port, { weight: now + 1 })),
              now,
            );
            expect([...alive.keys()].toSorted()).toEqual(
              [...new Set(ports)].map((port) => `10.0.0.1:${port}`).toSorted(),
            );
            for (const state of balancer.endpoints) {
              const known = alive.get(state.address);
              if (known !== undefined) expect(state).toBe(known);
              alive.set(state.address, state);
              expect(state.weight).toBe(now + 1);
              expect(balancer.get(state.address)).toBe(state);
            }
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  it('does not disturb attempts under way on an endpoint that left', () => {
    const balancer = balancerOf({ policy: 'round-robin' }, [endpoint(1)]);
    const state = balancer.pick(0) as EndpointState<string>;
    state.onStart();
    balancer.update([], 1);
    expect([balancer.pick(1), state.removed, state.data]).toEqual([undefined, true, 'pool of 10.0.0.1:1']);
    state.onEnd(FAILURE, 1, 2);
    expect(state.active).toBe(0);
  });

  it('may come with another policy, states stay', () => {
    const balancer = balancerOf({ policy: 'round-robin' }, [endpoint(1), endpoint(2)]);
    balancer.pick(0)?.onStart();
    balancer.configure({ policy: 'random' }, undefined);
    expect(balancer.endpoints.reduce((sum, state) => sum + state.active, 0)).toBe(1);
    expect(balancer.pick(0)).toBeDefined();
  });

  it('takes Unix sockets and IPv6 addresses', () => {
    const balancer = balancerOf({ policy: 'random' }, [
      { address: { path: '/run/a.sock' } },
      { address: { host: '::1', port: 1 } },
    ]);
    expect(balancer.endpoints.map((state) => state.address)).toEqual(['/run/a.sock', '[::1]:1']);
  });
});
