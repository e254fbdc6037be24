import { BlockList, isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CompileContext, compileCidrs, type CidrSet } from './index.ts';

function setOf(...cidrs: string[]): CidrSet {
  const context = new CompileContext();
  const set = compileCidrs(cidrs, context, '/cidrs');
  context.finish('test');
  return set;
}

describe('networks', () => {
  it.each<[string, string, boolean]>([
    ['10.0.0.0/8', '10.255.1.2', true],
    ['10.0.0.0/8', '11.0.0.0', false],
    ['10.1.2.3/8', '10.9.9.9', true],
    ['10.1.2.3', '10.1.2.3', true],
    ['10.1.2.3', '10.1.2.4', false],
    ['0.0.0.0/0', '255.1.1.1', true],
    ['0.0.0.0/0', '::1', false],
    ['::/0', '10.0.0.1', false],
    ['2001:db8::/32', '2001:db8:ffff::1', true],
    ['2001:db8::/32', '2001:db9::', false],
    ['::1', '::1', true],
    ['fe80::/10', 'fe80::1%eth0', true],
    ['10.0.0.0/8', '::ffff:10.1.2.3', true],
    ['::ffff:10.0.0.0/104', '10.1.2.3', true],
    ['::ffff:10.0.0.0/104', '11.1.2.3', false],
    ['128.0.0.0/1', '200.0.0.1', true],
    ['10.0.0.0/8', '', false],
    ['10.0.0.0/8', '10.0.0.1.evil', false],
    ['10.0.0.0/8', '010.0.0.1', false],
    ['::/0', ':::', false],
  ])('%s holds %s: %s', (cidr, address, expected) => {
    expect(setOf(cidr).has(address)).toBe(expected);
    expect(setOf(cidr, '192.0.2.1/32').has(address)).toBe(expected);
  });

  it("agree with the operating system's list for any networks and addresses", () => {
    const v4 = fc.ipV4();
    const v6 = fc.ipV6();
    const cidr = fc
      .oneof(fc.tuple(v4, fc.nat(32)), fc.tuple(v6, fc.nat(128)))
      .map(([address, bits]) => ({ address, bits }));
    fc.assert(
      fc.property(
        fc.array(cidr, { maxLength: 8 }),
        fc.array(fc.oneof(v4, v6), { maxLength: 10 }),
        (cidrs, addresses) => {
          // Node's list takes IPv4 for mapped IPv6 in networks of either family; here a family is a family.
          const lists = { 4: new BlockList(), 6: new BlockList() };
          for (const { address, bits } of cidrs)
            lists[isIP(address) as 4 | 6].addSubnet(address, bits, isIP(address) === 6 ? 'ipv6' : 'ipv4');
          const set = setOf(...cidrs.map(({ address, bits }) => `${address}/${bits}`));
          const near = cidrs.map((one) => one.address);
          for (const address of [...addresses, ...near, ...addresses]) {
            // Mapped addresses are one peer here and two families there.
            if (/^::ffff:/i.test(address) || cidrs.some((one) => /^::ffff:/i.test(one.address))) continue;
            expect(set.has(address), address).toBe(
              lists[isIP(address) as 4 | 6].check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4'),
            );
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it('know an address exactly when the operating system does', () => {
    const all = setOf('0.0.0.0/0', '::/0');
    const text = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.stringMatching(/^[0-9a-f:.]{1,20}$/),
      fc
        .array(fc.constantFrom('::', ':', '1', 'ffff', '.', '0', '10.0.0.1'), { maxLength: 10 })
        .map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(text, (address) => {
        expect(all.has(address), address).toBe(isIP(address) !== 0);
      }),
      { numRuns: 3_000 },
    );
  });

  it.each([
    '10.0.0.0/33',
    '10.0.0/8',
    '::/129',
    'a',
    '',
    '10.0.0.0/',
    '10.0.0.0/08',
    '10.0.0.0/-1',
    '::1/64/3',
    '256.0.0.0/8',
    'fe80::1%eth0',
  ])('%j is refused, with its path and what would be right', (cidr) => {
    expect(() => setOf('::1', cidr)).toThrow(/^.*\/cidrs\/1 .* is no network; write e\.g\. 10\.0\.0\.0\/8/);
  });
});
