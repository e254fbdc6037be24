import type { Endpoint, Locality } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import { preferNearest } from './locality.ts';

const PLACES: Readonly<Record<string, Locality | undefined>> = {
  here: { region: 'eu', zone: 'a', subZone: '1' },
  rack: { region: 'eu', zone: 'a', subZone: '2' },
  zone: { region: 'eu', zone: 'b', subZone: '1' },
  us: { region: 'us', zone: 'a', subZone: '1' },
  asia: { region: 'asia', zone: 'z' },
  slice: { region: '', zone: 'a' },
  unknown: undefined,
};

/** The priority of each place for a caller. */
function priorities(
  names: readonly string[],
  from: Locality,
  failover?: readonly { readonly from: string; readonly to: string }[],
): Record<string, number> {
  const endpoints = names.map((name): Endpoint => {
    const locality = PLACES[name];
    return { address: { path: name }, ...(locality === undefined ? {} : { locality }) };
  });
  const set = preferNearest({ name: 'api', endpoints }, from, failover);
  return Object.fromEntries(
    set.endpoints.map(({ priority = 0 }, index) => [names[index] ?? '', priority] as const),
  );
}

describe('a caller that prefers what is near', () => {
  const here = PLACES['here'] as Locality;

  it('takes its sub-zone first, then its zone, its region, and others', () => {
    expect(priorities(['asia', 'us', 'zone', 'rack', 'here', 'unknown'], here)).toEqual({
      here: 0,
      rack: 1,
      zone: 2,
      us: 3,
      asia: 3,
      unknown: 3,
    });
  });

  it('fails over to the region that it was told, before others', () => {
    expect(priorities(['asia', 'us', 'here'], here, [{ from: 'eu', to: 'us' }])).toEqual({
      here: 0,
      us: 1,
      asia: 2,
    });
    expect(priorities(['asia', 'us'], here, [{ from: 'us', to: 'asia' }])).toEqual({ us: 0, asia: 0 });
  });

  it('leaves no gap where nothing is at a distance', () => {
    expect(priorities(['us', 'zone'], here)).toEqual({ zone: 0, us: 1 });
  });

  it('compares what it says of itself, and takes zones of slices for what they are', () => {
    expect(priorities(['here', 'rack', 'zone', 'us'], { region: 'eu' })).toEqual({
      here: 0,
      rack: 0,
      zone: 0,
      us: 1,
    });
    expect(priorities(['slice', 'us'], { region: 'eu', zone: 'a' })).toEqual({ slice: 0, us: 1 });
    expect(priorities(['slice', 'us'], { region: 'eu', zone: 'b' })).toEqual({ slice: 0, us: 0 });
  });
});
