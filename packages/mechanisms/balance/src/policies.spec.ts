import type { BalancePolicy, Endpoint } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import { createBalancer, hashText, SUCCESS, type Balancer } from './index.ts';

function balancer(policy: BalancePolicy, endpoints: readonly Endpoint[]): Balancer<null> {
  let draw = 0;
  const made = createBalancer<null>({
    policy,
    random: () => (draw = (draw + 0.37) % 1),
    attach: () => null,
  });
  made.update(endpoints, 0);
  return made;
}
const hosts = (count: number, rest: (index: number) => Partial<Endpoint> = () => ({})): Endpoint[] =>
  Array.from({ length: count }, (_, index) => ({
    address: { host: `10.0.0.${index + 1}`, port: 80 },
    ...rest(index),
  }));

describe('pick-first', () => {
  it('takes the first that is well, and the next while it is not', () => {
    const balanced = balancer({ policy: 'pick-first' }, hosts(3));
    expect(Array.from({ length: 5 }, () => balanced.pick(0)?.address)).toEqual(Array(5).fill('10.0.0.1:80'));
    balanced.update(
      hosts(3, (index) => (index === 0 ? { health: 'unhealthy' } : {})),
      0,
    );
    expect(balanced.pick(0)?.address).toBe('10.0.0.2:80');
  });

  it('shuffled keeps to one as well, which need not be the first', () => {
    const balanced = balancer({ policy: 'pick-first', shuffle: true }, hosts(9));
    const [first] = [balanced.pick(0)?.address];
    balanced.update(hosts(9), 1);
    expect(new Set(Array.from({ length: 9 }, () => balanced.pick(0)?.address))).toEqual(new Set([first]));
    expect(first).not.toBe('10.0.0.1:80');
  });
});

describe('least-request', () => {
  it('with fullScan finds the only one without a request', () => {
    const balanced = balancer({ policy: 'least-request', fullScan: true }, hosts(20));
    for (const state of balanced.endpoints) if (state.address !== '10.0.0.13:80') state.onStart();
    expect(Array.from({ length: 5 }, () => balanced.pick(0)?.address)).toEqual(Array(5).fill('10.0.0.13:80'));
  });

  it('with a bias of 0 goes by weights alone, with more of it sooner elsewhere', () => {
    const weighted = hosts(2, (index) => ({ weight: index === 0 ? 4 : 1 }));
    const chosen = (activeRequestBias: number): string | undefined => {
      const balanced = balancer({ policy: 'least-request', fullScan: true, activeRequestBias }, weighted);
      for (let i = 0; i < 2; i++) balanced.get('10.0.0.1:80')?.onStart();
      return balanced.pick(0)?.address;
    };
    expect(chosen(0)).toBe('10.0.0.1:80');
    expect(chosen(1)).toBe('10.0.0.2:80'); // 2 active / 4 is more than 0 active
    expect(chosen(0.5)).toBe('10.0.0.1:80');
    expect(chosen(3)).toBe('10.0.0.2:80');
  });
});

describe.each(['ring-hash', 'maglev'] as const)('%s', (policy) => {
  const hash = hashText('ada');

  it('with useHostname leads to the same name at another address', () => {
    const named = (shift: number): Endpoint[] =>
      hosts(4).map((one, index) => ({
        address: { host: `10.1.0.${index + shift}`, port: 80 },
        hostname: `host-${index}`,
        ...(one.weight && { weight: one.weight }),
      }));
    const nameAt = (shift: number): string | undefined =>
      balancer({ policy, useHostname: true }, named(shift)).pick(0, undefined, hash)?.endpoint.hostname;
    expect(nameAt(1)).toBe(nameAt(100));
  });

  it('with a balance factor gives none more than its part of the requests', () => {
    const balanced = balancer({ policy, balanceFactorPercent: 125 }, hosts(4));
    const counts = new Map<string, number>();
    for (let i = 0; i < 40; i++) {
      const state = balanced.pick(0, undefined, hash);
      state?.onStart();
      counts.set(state?.address ?? '', (counts.get(state?.address ?? '') ?? 0) + 1);
    }
    expect(counts.size).toBe(4);
    expect(Math.max(...counts.values())).toBeLessThanOrEqual(13); // 40 x 1.25 / 4, rounded up
    for (const state of balanced.endpoints) while (state.active > 0) state.onEnd(SUCCESS, 1, 0);
    const own = balanced.pick(0, undefined, hash)?.address;
    expect(balanced.pick(0, undefined, hash)?.address).toBe(own);
  });
});
