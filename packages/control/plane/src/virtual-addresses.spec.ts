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
});
