import { describe, expect, it } from 'vitest';
import { VirtualAddresses } from './virtual-addresses.ts';

const names = Array.from({ length: 3_000 }, (_, n) => `default/service-${n}`);

describe('virtual addresses', () => {
  it('are one a Service, in their network, and the same wherever they are given', () => {
    const given = new VirtualAddresses().assign(names);
    expect(new Set(given.values()).size).toBe(names.length);
    for (const address of given.values()) {
      const [first, second] = address.split('.').map(Number) as [number, number];
      expect([first, second >= 128 && second <= 255]).toEqual([127, true]);
    }
    expect(new VirtualAddresses().assign(names.toReversed())).toEqual(given);
  });

  it('stay while others come and go', () => {
    const addresses = new VirtualAddresses();
    const before = addresses.assign(names.slice(0, 1_000));
    const after = addresses.assign(names.slice(500));
    for (const name of names.slice(500, 1_000)) expect(after.get(name)).toBe(before.get(name));
    expect(after.has(names[0] as string)).toBe(false);
  });

  it('of two with one hash stay with the one that was there first, and are by name at the start', () => {
    const alone = new Map<string, string>();
    const pair = Array.from({ length: 100_000 }, (_, n) => `default/s${n}`).find((name) => {
      const at = new VirtualAddresses().assign([name]).get(name) as string;
      if (alone.has(at)) return true;
      alone.set(at, name);
      return false;
    }) as string;
    const shared = new VirtualAddresses().assign([pair]).get(pair) as string;
    const [first, second] = [pair, alone.get(shared) as string].toSorted() as [string, string];
    const running = new VirtualAddresses();
    running.assign([second]);
    const both = running.assign([first, second]);
    expect(both.get(second)).toBe(shared);
    expect(both.get(first)).not.toBe(shared);
    const started = new VirtualAddresses().assign([second, first]);
    expect(started.get(first)).toBe(shared);
    expect(started.get(second)).toBe(both.get(first));
  });
});
