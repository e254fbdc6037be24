import type { BalancePolicy, Endpoint } from '@tulle/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addHash, createBalancer, hashText, isPrime, type Balancer, type EndpointState } from './index.ts';

function endpoint(port: number, rest: Partial<Endpoint> = {}): Endpoint {
  return { address: { host: '10.0.0.1', port }, ...rest };
}

const some = (count: number): Endpoint[] => Array.from({ length: count }, (_, index) => endpoint(index + 1));

function balancerOf(
  policy: BalancePolicy,
  endpoints: readonly Endpoint[],
  healthChecked = false,
): Balancer<string> {
  const balancer = createBalancer<string>({
    policy,
    healthChecked,
    panicThresholdPercent: 0,
    random: () => 0.5,
    attach: (_endpoint, address) => address,
  });
  balancer.update(endpoints, 0);
  return balancer;
}

const KEYS: readonly number[] = Array.from({ length: 2_000 }, (_, index) => hashText(`caller-${index}`));

const where = (balancer: Balancer<string>, excluded: readonly EndpointState<string>[] = []): string[] =>
  KEYS.map((hash) => balancer.pick(0, excluded, hash)?.address ?? '');

const pointsEach = (count: number): number => Math.ceil(Math.log2(10_000 / count));

function percent(found: readonly string[], port: number): number {
  return (found.filter((address) => address.endsWith(`:${port}`)).length * 100) / found.length;
}

describe('the hash', () => {
  it.each([
    // Reference values of xxHash (XXH32).
    ['', 0, 0x02cc5d05],
    ['a', 0, 0x550d7456],
    ['abc', 0, 0x32d153ff],
    ['Nobody inspects the spammish repetition', 0, 0xe2293b2f],
    ['', 0x9e3779b1, 0x36b78ae7],
  ])('of %j with seed %i is xxHash', (text, seed, expected) => {
    expect(hashText(text, seed)).toBe(expected);
  });

  it('is never negative, and combines in an order that counts', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), fc.string({ maxLength: 40 }), (a, b) => {
        const [first, second] = [hashText(a), hashText(b)];
        const both = addHash(addHash(-1, first), second);
        expect(both).toBeGreaterThanOrEqual(0);
        expect(both).toBeLessThan(2 ** 32);
        if (first !== second && addHash(addHash(-1, second), first) === both)
          expect(((first ^ second) >>> 0) % 2 ** 31).toBe(0x5555_5555 % 2 ** 31); // equal turns of the two
      }),
    );
  });
});

it('knows primes', () => {
  expect([2, 3, 11, 65_537, 5_000_011].every(isPrime)).toBe(true);
  expect([0, 1, 4, 65_536, 1.5, -7].some(isPrime)).toBe(false);
});

describe.each([
  ['ring-hash', { policy: 'ring-hash', minRingSize: 10_000 }, 3],
  ['maglev', { policy: 'maglev' }, 15],
] as const)('%s', (_name, policy, mostMovedPercent) => {
  it('leads what is equal to the same endpoint, whatever order the set has', () => {
    const endpoints = some(10);
    const first = where(balancerOf(policy, endpoints));
    expect(where(balancerOf(policy, endpoints))).toEqual(first);
    if (policy.policy === 'ring-hash')
      expect(where(balancerOf(policy, endpoints.toReversed()))).toEqual(first);
  });

  it('spreads hashes evenly, and by weight', () => {
    const even = where(balancerOf(policy, some(10)));
    for (let port = 1; port <= 10; port += 1) {
      expect(percent(even, port)).toBeGreaterThan(6);
      expect(percent(even, port)).toBeLessThan(14);
    }
    const weighted = where(balancerOf(policy, [endpoint(1, { weight: 8 }), endpoint(2), endpoint(3)]));
    expect(Math.abs(percent(weighted, 1) - 80)).toBeLessThan(5);
  });

  it('moves little but what an endpoint had when it leaves, and gives it the same back', () => {
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 20 }), fc.nat(), (count, which) => {
        // Where the ring does not double or halve.
        fc.pre(policy.policy === 'maglev' || pointsEach(count) === pointsEach(count - 1));
        const balancer = balancerOf(policy, some(count));
        const before = where(balancer);
        const gone = `10.0.0.1:${(which % count) + 1}`;
        balancer.update(
          some(count).filter((_, index) => index !== which % count),
          1,
        );
        const after = where(balancer);
        const others = before.filter((address) => address !== gone).length;
        const moved = before.filter((address, index) => address !== gone && address !== after[index]).length;
        expect((moved * 100) / others).toBeLessThanOrEqual(
          policy.policy === 'ring-hash' ? 0 : mostMovedPercent,
        );
        expect(after).not.toContain(gone);
        balancer.update(some(count), 2);
        expect(where(balancer)).toEqual(before);
      }),
      { numRuns: 15 },
    );
  });

  it('moves nothing but its own hashes when an endpoint is ill or excluded, and nothing to it', () => {
    const balancer = balancerOf(policy, some(8), true);
    for (const state of balancer.endpoints) balancer.checked(state, true, 0);
    balancer.warmed(0);
    const before = where(balancer);
    const ill = balancer.get('10.0.0.1:3') as EndpointState<string>;
    const excluded = where(balancer, [ill]);
    balancer.checked(ill, false, 1);
    const after = where(balancer);
    expect(after).toEqual(excluded);
    for (const [index, address] of before.entries()) {
      if (address === ill.address) expect(after[index]).not.toBe(ill.address);
      else expect(after[index]).toBe(address);
    }
    balancer.checked(ill, true, 2);
    expect(where(balancer)).toEqual(before);
  });

  it('finds whatever is left, however little', () => {
    const balancer = balancerOf(policy, some(30));
    const excluded = balancer.endpoints.filter(({ address }) => address !== '10.0.0.1:17');
    expect(new Set(where(balancer, excluded))).toEqual(new Set(['10.0.0.1:17']));
    expect(balancer.pick(0, balancer.endpoints, 1)).toBeUndefined();
    expect(balancerOf(policy, []).pick(0, [], 1)).toBeUndefined();
  });

  it('takes a random place without a hash', () => {
    let at = 0;
    const balancer = createBalancer<string>({
      policy,
      random: () => (at = (at + 0.618_033_988_749_895) % 1),
      attach: (_endpoint, address) => address,
    });
    balancer.update(some(5), 0);
    const found = new Set(Array.from({ length: 200 }, () => balancer.pick(0)?.address));
    expect(found.size).toBe(5);
  });
});

it('a ring has no more points than it may have, whatever the weights', () => {
  const balancer = balancerOf({ policy: 'ring-hash', maxRingSize: 2_000 }, [
    endpoint(1, { weight: 1_000_000 }),
    endpoint(2),
  ]);
  expect(percent(where(balancer), 1)).toBeGreaterThan(99);
});
