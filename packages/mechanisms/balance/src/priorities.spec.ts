import type { Endpoint } from '@tulle/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createAggregateBalancer,
  createBalancer,
  type Balancer,
  type BalancerOptions,
  type EndpointState,
} from './index.ts';
import { countOf, priorityLoads, type HealthRules, type PriorityCount } from './priority-loads.ts';

/** Uniform and the same everywhere: steps by the golden ratio. */
function spread(): () => number {
  let at = 0;
  return () => (at = (at + 0.618_033_988_749_895) % 1);
}

function balancerOf(
  endpoints: readonly Endpoint[],
  options: Partial<BalancerOptions<string>> = {},
): Balancer<string> {
  const balancer = createBalancer<string>({
    policy: { policy: 'round-robin' },
    random: spread(),
    attach: (_endpoint, address) => address,
    ...options,
  });
  balancer.update(endpoints, 0);
  return balancer;
}

/** `count` endpoints of one kind, at ports from `first` on. */
function some(count: number, first: number, rest: Partial<Endpoint> = {}): Endpoint[] {
  return Array.from({ length: count }, (_, index) => ({
    address: { host: '10.0.0.1', port: first + index },
    ...rest,
  }));
}

/** So many of a priority, all of weight 1. */
function counted(members: number, usable: number, degraded = 0, rules?: HealthRules): PriorityCount {
  const some = (count: number): { weight: number }[] => Array.from({ length: count }, () => ({ weight: 1 }));
  return countOf(some(members), some(usable), some(degraded), rules);
}

/** Share of each group of a hundred ports among picks, in percent. */
function shares(balancer: Pick<Balancer<string>, 'pick'>, picks = 2_000): Record<string, number> {
  const found: Record<string, number> = {};
  for (let pick = 0; pick < picks; pick += 1) {
    const port = Number(balancer.pick(0)?.address.split(':')[1] ?? 0);
    const group = String(Math.floor(port / 100) * 100);
    found[group] = (found[group] ?? 0) + 1;
  }
  return Object.fromEntries(
    Object.entries(found).map(([group, count]) => [group, Math.round((count * 100) / picks)]),
  );
}

describe('shares of priorities', () => {
  it.each([
    // Those of two priorities are in Envoy's documentation.
    { usable: [100, 100], expected: [100, 0] },
    { usable: [72, 72], expected: [100, 0] },
    { usable: [71, 71], expected: [99, 1] },
    { usable: [50, 50], expected: [70, 30] },
    { usable: [25, 100], expected: [35, 65] },
    { usable: [25, 25], expected: [50, 50] },
    { usable: [0, 100], expected: [0, 100] },
    { usable: [25, 25, 20], expected: [37, 35, 28] },
  ])('are $expected where $usable percent are usable', ({ usable, expected }) => {
    const loads = priorityLoads(
      usable.map((count) => counted(100, count)),
      0,
    );
    expect(loads.map(({ percent }) => percent)).toEqual(expected);
  });

  const counts = fc.array(
    fc
      .record({
        members: fc.nat(12),
        share: fc.double({ min: 0, max: 1, noNaN: true }),
        rest: fc.double({ min: 0, max: 1, noNaN: true }),
      })
      .map(({ members, share, rest }) => {
        const usable = Math.round(members * share);
        return counted(members, usable, Math.round((members - usable) * rest));
      }),
    { maxLength: 5 },
  );

  it('add up, go to priorities that have something to pick, and panic only where health is short', () => {
    fc.assert(
      fc.property(counts, fc.constantFrom(0, 1, 50, 100), (priorities, panicPercent) => {
        const loads = priorityLoads(priorities, panicPercent);
        const sum = loads.reduce((all, { percent, degradedPercent }) => all + percent + degradedPercent, 0);
        const some = priorities.some(
          ({ members, usable, degraded }) => (panicPercent > 0 ? members : usable + degraded) > 0,
        );
        expect(sum).toBe(some ? 100 : 0);
        for (const [index, { percent, degradedPercent, panic }] of loads.entries()) {
          const { members, usable, degraded } = priorities[index] as PriorityCount;
          expect(percent).toBeGreaterThanOrEqual(0);
          expect(degradedPercent).toBeGreaterThanOrEqual(0);
          if (degradedPercent > 0) expect(degraded).toBeGreaterThan(0);
          if (percent > 0) expect(panic ? members : usable).toBeGreaterThan(0);
          if (panic) expect((usable + degraded) * 100).toBeLessThan(panicPercent * members);
        }
      }),
    );
  });

  it('do not fall for a priority when more of it becomes usable', () => {
    fc.assert(
      fc.property(counts, fc.nat(4), (priorities, at) => {
        const one = priorities[at];
        if (one === undefined || one.usable + one.degraded === one.members) return;
        const better = priorities.with(at, counted(one.members, one.usable + 1, one.degraded));
        // Whole percents: rounding may move one of them.
        expect((priorityLoads(better, 0)[at]?.percent ?? 0) + 1).toBeGreaterThanOrEqual(
          priorityLoads(priorities, 0)[at]?.percent ?? 0,
        );
      }),
    );
  });
});

describe('degraded endpoints', () => {
  it.each([
    // Both examples are in Envoy's documentation of degraded endpoints.
    { whole: [100], degraded: [0], expected: [[100], [0]] },
    { whole: [71], degraded: [29], expected: [[99], [1]] },
    { whole: [50], degraded: [50], expected: [[70], [30]] },
    { whole: [25], degraded: [75], expected: [[35], [65]] },
    { whole: [0], degraded: [100], expected: [[0], [100]] },
    { whole: [5], degraded: [95], expected: [[7], [93]] },
    // Those of the second priority that are well come first.
    {
      whole: [50, 100],
      degraded: [50, 0],
      expected: [
        [70, 30],
        [0, 0],
      ],
    },
    {
      whole: [20, 20],
      degraded: [20, 80],
      expected: [
        [28, 28],
        [28, 16],
      ],
    },
  ])('get $expected of $whole and $degraded percent', ({ whole, degraded, expected }) => {
    const loads = priorityLoads(
      whole.map((count, index) => counted(100, count, degraded[index])),
      0,
    );
    expect([
      loads.map(({ percent }) => percent),
      loads.map(({ degradedPercent }) => degradedPercent),
    ]).toEqual(expected);
  });

  const half = [...some(5, 100), ...some(5, 200, { health: 'degraded' })];

  it.each(['round-robin', 'least-request', 'peak-ewma', 'maglev', 'ring-hash'] as const)(
    'take what those that are well cannot: %s',
    (policy) => {
      const found = shares(balancerOf(half, { policy: { policy } }), 5_000);
      expect(Math.abs((found['200'] ?? 0) - 30)).toBeLessThanOrEqual(2);
    },
  );

  it('count among what may be picked, and leave when their health says so', () => {
    const balancer = balancerOf(half, { healthChecked: true });
    expect([balancer.usable, balancer.degraded]).toEqual([10, 5]);
    const [first] = balancer.endpoints as [EndpointState<string>];
    balancer.checked(first, true, 0, true);
    expect([balancer.usable, balancer.degraded, first.degraded]).toEqual([10, 6, true]);
    balancer.checked(first, true, 0);
    expect([balancer.degraded, first.degraded]).toEqual([5, false]);
    balancer.checked(balancer.endpoints[9] as EndpointState<string>, false, 0);
    expect([balancer.usable, balancer.degraded]).toEqual([9, 4]);
  });

  it('are picked where nothing else is left that was not tried', () => {
    const balancer = balancerOf([...some(1, 100), ...some(1, 200, { health: 'degraded' })], {
      panicThresholdPercent: 0,
    });
    const [well] = balancer.endpoints as [EndpointState<string>];
    expect(balancer.pick(0, [well])?.degraded).toBe(true);
  });

  it('of an aggregate wait for those that are well in every cluster of it', () => {
    const parts = [balancerOf(half), balancerOf(some(10, 300))];
    const aggregate = createAggregateBalancer<string>({ parts: () => parts, random: spread() });
    expect(shares(aggregate)).toEqual({ 100: 70, 300: 30 });
    expect([aggregate.usable, aggregate.degraded]).toEqual([20, 5]);
    parts.pop();
    expect(shares(aggregate)).toEqual({ 100: 70, 200: 30 });
  });

  it('of an aggregate are in the same list until a part has another, so that something can be kept of it', () => {
    const parts = [balancerOf(half), balancerOf(some(2, 300))];
    const aggregate = createAggregateBalancer<string>({ parts: () => parts, random: spread() });
    const lists = [aggregate.endpoints];
    expect(aggregate.endpoints).toBe(lists[0]);
    parts[1]?.update(some(3, 300), 0);
    lists.push(aggregate.endpoints);
    parts.pop();
    lists.push(aggregate.endpoints);
    expect(lists.map(({ length }) => length)).toEqual([12, 13, 10]);
  });
});

describe('rules of health', () => {
  const half = [...some(5, 100), ...some(5, 150, { health: 'unhealthy' }), ...some(10, 200, { priority: 1 })];

  it('let load move on by another factor', () => {
    const balancer = balancerOf(half);
    balancer.update(half, 0, { overprovisioningPercent: 100 });
    expect(shares(balancer)).toEqual({ 100: 50, 200: 50 });
    balancer.update(half, 0, { overprovisioningPercent: 200 });
    expect(shares(balancer)).toEqual({ 100: 100 });
    balancer.update(half, 0);
    expect(shares(balancer)).toEqual({ 100: 70, 200: 30 });
  });

  it('let endpoints count by their weights', () => {
    const heavy = [...some(1, 100, { weight: 9 }), ...some(1, 150, { health: 'unhealthy', weight: 21 })];
    const all = [...heavy, ...some(2, 200, { priority: 1 })];
    const balancer = balancerOf(all);
    expect(shares(balancer)).toEqual({ 100: 70, 200: 30 });
    balancer.update(all, 0, { weightedHealth: true });
    expect(shares(balancer)).toEqual({ 100: 42, 200: 58 });
  });

  it('give a locality less by the same factor', () => {
    const [near, far] = [
      { region: 'r', zone: 'a' },
      { region: 'r', zone: 'b' },
    ];
    const both = [
      ...some(5, 100, { locality: near, localityWeight: 1 }),
      ...some(5, 150, { locality: near, localityWeight: 1, health: 'unhealthy' }),
      ...some(10, 200, { locality: far, localityWeight: 1 }),
    ];
    const balancer = balancerOf(both, { localityWeighted: true });
    balancer.update(both, 0, { overprovisioningPercent: 100 });
    expect(Math.abs((shares(balancer, 6_000)['100'] ?? 0) - 33)).toBeLessThanOrEqual(1);
  });
});

describe('a balancer with priorities', () => {
  it('uses the first while 1.4 times its healthy part covers everything, and spills over beyond', () => {
    const second = some(10, 200, { priority: 1 });
    expect(shares(balancerOf([...some(10, 100), ...second]))).toEqual({ 100: 100 });
    const half = [...some(5, 100), ...some(5, 150, { health: 'unhealthy' }), ...second];
    expect(shares(balancerOf(half))).toEqual({ 100: 70, 200: 30 });
    expect(shares(balancerOf([...some(10, 100, { health: 'unhealthy' }), ...second]))).toEqual({ 200: 100 });
  });

  it('does not count endpoints that are draining: a rollout is no failure', () => {
    const rollout = [
      ...some(3, 100),
      ...some(7, 150, { health: 'draining' }),
      ...some(3, 200, { priority: 1 }),
    ];
    expect(shares(balancerOf(rollout))).toEqual({ 100: 100 });
  });

  it('goes on to the next priority when one has no endpoint left that was not tried', () => {
    const balancer = balancerOf([
      ...some(1, 100),
      ...some(2, 200, { priority: 1 }),
      ...some(1, 300, { priority: 2 }),
    ]);
    const tried: EndpointState<string>[] = [];
    for (let pick = balancer.pick(0, tried); pick !== undefined; pick = balancer.pick(0, tried))
      tried.push(pick);
    expect(tried.map(({ priority }) => priority)).toEqual([0, 1, 1, 2]);
  });
});

describe('panic', () => {
  const mostlyDown = [...some(1, 100), ...some(3, 200, { health: 'unhealthy' })];

  it('spreads load over all when fewer than half are healthy, and counts', () => {
    let panicked = 0;
    const balancer = balancerOf(mostlyDown, { onPanicPick: () => (panicked += 1) });
    expect(shares(balancer)).toEqual({ 100: 25, 200: 75 });
    expect(panicked).toBe(2_000);
    expect(balancer.usable).toBe(1);
  });

  it('ends when enough are healthy again', () => {
    let panicked = 0;
    const balancer = balancerOf(mostlyDown, { onPanicPick: () => (panicked += 1) });
    balancer.update([...some(1, 100), ...some(1, 200, { health: 'unhealthy' })], 1);
    expect(shares(balancer)).toEqual({ 100: 100 });
    expect(panicked).toBe(0);
  });

  it('has the threshold that was asked for; 0 is never', () => {
    expect(shares(balancerOf(mostlyDown, { panicThresholdPercent: 25 }))).toEqual({ 100: 100 });
    expect(shares(balancerOf(mostlyDown, { panicThresholdPercent: 0 }))).toEqual({ 100: 100 });
    expect(
      balancerOf(some(3, 100, { health: 'unhealthy' }), { panicThresholdPercent: 0 }).pick(0),
    ).toBeUndefined();
  });

  it('never uses what is draining', () => {
    expect(balancerOf(some(3, 100, { health: 'draining' })).pick(0)).toBeUndefined();
  });

  it('does not begin while another priority can take the load', () => {
    let panicked = 0;
    const balancer = balancerOf([...mostlyDown, ...some(4, 300, { priority: 1 })], {
      onPanicPick: () => (panicked += 1),
    });
    expect(shares(balancer)).toEqual({ 100: 35, 300: 65 });
    expect(panicked).toBe(0);
  });
});

describe('localities with weights', () => {
  const near = { region: 'r', zone: 'a' };
  const far = { region: 'r', zone: 'b' };
  const both = (health: Endpoint['health'] = 'healthy'): Endpoint[] => [
    ...some(4, 100, { locality: near, localityWeight: 80, health: 'healthy' }),
    ...some(4, 150, { locality: near, localityWeight: 80, health }),
    ...some(2, 200, { locality: far, localityWeight: 20 }),
  ];

  it.each(['round-robin', 'random', 'least-request'] as const)('share by them: %s', (policy) => {
    const options = { localityWeighted: true, policy: { policy } };
    const found = shares(balancerOf(both(), options), 20_000);
    expect(Math.abs((found['200'] ?? 0) - 20)).toBeLessThanOrEqual(2);
  });

  it('get less when more of one is out than is covered by the others of it', () => {
    // Half of the near one is out: 80 × 0.7 = 56 to 20.
    const found = shares(balancerOf(both('unhealthy'), { localityWeighted: true }), 20_000);
    expect(Math.abs((found['100'] ?? 0) - 74)).toBeLessThanOrEqual(1);
  });

  it('are left out without a weight, unless none has one; without the switch weights mean nothing', () => {
    const part = [...some(2, 100, { locality: near, localityWeight: 1 }), ...some(2, 200, { locality: far })];
    expect(shares(balancerOf(part, { localityWeighted: true }))).toEqual({ 100: 100 });
    expect(shares(balancerOf(part))).toEqual({ 100: 50, 200: 50 });
    const none = [...some(2, 100, { locality: near }), ...some(2, 200, { locality: far })];
    expect(shares(balancerOf(none, { localityWeighted: true }))).toEqual({ 100: 50, 200: 50 });
  });
});
