import type { Endpoint, ZoneRouting } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import { createBalancer } from './index.ts';
import { localityKey, zoneParts, type CallerZones } from './zones.ts';

const callers = (own: string, healthy: Readonly<Record<string, number>>): CallerZones => ({
  own,
  healthy: new Map(Object.entries(healthy)),
});
const parts = (
  usable: Readonly<Record<string, number>>,
  where: CallerZones,
  rules: ZoneRouting = { minEndpoints: 0 },
  shares: Readonly<Record<string, number>> = {},
): Record<string, number> | undefined => {
  const found = zoneParts(new Map(Object.entries(usable)), new Map(Object.entries(shares)), where, rules);
  return (
    found && Object.fromEntries([...found].map(([place, part]) => [place, Math.round(part * 1e6) / 1e6]))
  );
};

describe('parts of places', () => {
  it('are all at home where endpoints reach for the callers', () => {
    expect(parts({ a: 2, b: 2 }, callers('a', { a: 1, b: 1 }))).toEqual({ a: 1, b: 0 });
    expect(parts({ a: 3, b: 1 }, callers('a', { a: 1, b: 1 }))).toEqual({ a: 1, b: 0 });
  });

  it('are elsewhere by what is left there, where they do not reach', () => {
    // Envoy's own example: callers 40, 40, 20 percent; endpoints 25, 50, 25.
    const where = callers('a', { a: 4, b: 4, c: 2 });
    expect(parts({ a: 1, b: 2, c: 1 }, where)).toEqual({ a: 0.625, b: 0.25, c: 0.125 });
    expect(parts({ a: 0, b: 1, c: 3 }, where)).toEqual({ a: 0, b: 0, c: 1 });
    // What nobody has left for goes everywhere.
    expect(parts({ a: 1, b: 1 }, callers('a', { a: 3, b: 1, c: 0 }))?.['a']).toBeCloseTo(2 / 3);
  });

  it('hold of a part of the requests, others go as without them', () => {
    expect(
      parts(
        { a: 1, b: 1 },
        callers('a', { a: 1, b: 1 }),
        { percent: 50, minEndpoints: 2 },
        { a: 0.25, b: 0.75 },
      ),
    ).toEqual({ a: 0.625, b: 0.375 });
  });

  it.each<[string, Readonly<Record<string, number>>, CallerZones, ZoneRouting?]>([
    ['endpoints of one place', { a: 9 }, callers('a', { a: 1, b: 1 })],
    ['callers of one place', { a: 5, b: 5 }, callers('a', { a: 2 })],
    ['callers that are not here', { a: 5, b: 5 }, callers('c', { a: 1, b: 1 })],
    ['few endpoints', { a: 2, b: 3 }, callers('a', { a: 1, b: 1 }), {}],
    ['callers that are ill', { a: 5, b: 5 }, callers('a', { a: 0, b: 0 })],
  ])('are not looked at with %s', (_, usable, where, rules) => {
    expect(parts(usable, where, rules)).toBeUndefined();
  });
});

describe('a balancer with places', () => {
  const at = (zone: string, host: string, rest: Partial<Endpoint> = {}): Endpoint => ({
    address: { host, port: 80 },
    locality: { region: 'r', zone },
    ...rest,
  });
  const key = (zone: string): string => localityKey({ region: 'r', zone });
  let where: CallerZones | undefined;
  const make = (endpoints: readonly Endpoint[]) => {
    let draws = 0;
    const balancer = createBalancer<undefined>({
      policy: { policy: 'round-robin' },
      zoneRouting: { minEndpoints: 2 },
      callerZones: () => where,
      random: () => (draws = (draws + 0.381966) % 1),
      attach: () => undefined,
    });
    balancer.update(endpoints, 0);
    return balancer;
  };
  const counts = (balancer: ReturnType<typeof make>): Record<string, number> => {
    const found: Record<string, number> = {};
    for (let i = 0; i < 100; i++) {
      const host = balancer.pick(0)?.address.split(':')[0] ?? 'none';
      found[host] = (found[host] ?? 0) + 1;
    }
    return found;
  };

  it('follows where callers are', () => {
    const balancer = make([at('a', '1'), at('b', '2')]);
    where = undefined;
    expect(counts(balancer)).toEqual({ 1: 50, 2: 50 });
    where = callers(key('a'), { [key('a')]: 1, [key('b')]: 1 });
    expect(counts(balancer)).toEqual({ 1: 100 });
    where = callers(key('a'), { [key('a')]: 2, [key('b')]: 1 });
    expect(counts(balancer)).toEqual({ 1: 75, 2: 25 });
    where = callers(key('b'), { [key('a')]: 1, [key('b')]: 1 });
    expect(counts(balancer)).toEqual({ 2: 100 });
  });

  it('shares within a place by weight, and knows none of other priorities', () => {
    where = callers(key('a'), { [key('a')]: 1, [key('b')]: 1 });
    const near = make([at('a', '1', { weight: 3 }), at('a', '2', { weight: 1 }), at('b', '3'), at('b', '4')]);
    expect(counts(near)).toEqual({ 1: 75, 2: 25 });
    const later = make([at('a', '1', { priority: 1 }), at('b', '2', { priority: 1 })]);
    expect(counts(later)).toEqual({ 1: 50, 2: 50 });
  });

  it('goes elsewhere where those at home were tried', () => {
    where = callers(key('a'), { [key('a')]: 1, [key('b')]: 1 });
    const balancer = make([at('a', '1'), at('b', '2'), at('b', '3', { health: 'unhealthy' })]);
    const first = balancer.pick(0);
    expect(first?.address).toBe('1:80');
    balancer.update([at('a', '1', { health: 'unhealthy' }), at('b', '2'), at('b', '4')], 0);
    expect(Object.keys(counts(balancer))).toEqual(['2', '4']);
  });
});
