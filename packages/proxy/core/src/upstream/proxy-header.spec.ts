import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readProxyHeader } from '../listener/proxy-protocol.ts';
import { writeProxyHeader } from './proxy-header.ts';

const port = fc.integer({ min: 0, max: 65_535 });
const addresses = (address: fc.Arbitrary<string>) =>
  fc.record({
    sourceAddress: address,
    sourcePort: port,
    destinationAddress: address,
    destinationPort: port,
  });

describe('the header of the PROXY protocol that is sent', () => {
  it('has the bytes that the specification shows', () => {
    const whose = {
      sourceAddress: '192.0.2.7',
      sourcePort: 1234,
      destinationAddress: '10.0.0.1',
      destinationPort: 443,
    };
    expect(writeProxyHeader(1, whose).toString('latin1')).toBe('PROXY TCP4 192.0.2.7 10.0.0.1 1234 443\r\n');
    expect(writeProxyHeader(2, whose).toString('hex')).toBe(
      '0d0a0d0a000d0a515549540a2111000cc00002070a00000104d201bb',
    );
    const six = { ...whose, sourceAddress: '2001:db8::1', destinationAddress: '2001:db8::2' };
    expect(writeProxyHeader(2, six).toString('hex')).toBe(
      '0d0a0d0a000d0a515549540a2121002420010db800000000000000000000000120010db800000000000000000000000204d201bb',
    );
  });

  it.each([1, 2] as const)('is read as it was meant: version %i', (version) => {
    fc.assert(
      fc.property(addresses(fc.ipV4()), (whose) => {
        const bytes = writeProxyHeader(version, whose);
        expect(readProxyHeader(bytes)).toEqual({ version, bytes: bytes.length, addresses: whose });
      }),
    );
    fc.assert(
      fc.property(addresses(fc.ipV6()), (whose) => {
        const read = readProxyHeader(writeProxyHeader(version, whose));
        const said = typeof read === 'string' ? undefined : read.addresses;
        const host = (address: string | undefined): string => new URL(`http://[${address}]`).hostname;
        // The same address has many spellings; one in dots at its end may come to IPv4 as itself.
        if (whose.sourceAddress.includes('.') || whose.destinationAddress.includes('.')) return;
        expect([host(said?.sourceAddress), host(said?.destinationAddress)]).toEqual([
          host(whose.sourceAddress),
          host(whose.destinationAddress),
        ]);
        expect([said?.sourcePort, said?.destinationPort]).toEqual([whose.sourcePort, whose.destinationPort]);
      }),
    );
  });

  it.each([1, 2] as const)('says nothing of a caller where there is none: version %i', (version) => {
    for (const whose of [
      undefined,
      { sourceAddress: '', sourcePort: 0, destinationAddress: '', destinationPort: 0 },
    ])
      expect(readProxyHeader(writeProxyHeader(version, whose))).toMatchObject({
        version,
        addresses: undefined,
      });
  });

  it('has both addresses of one family', () => {
    const mixed = {
      sourceAddress: '::ffff:192.0.2.7',
      sourcePort: 1,
      destinationAddress: '2001:db8::2',
      destinationPort: 2,
    };
    expect(writeProxyHeader(1, mixed).toString('latin1')).toBe(
      'PROXY TCP6 ::ffff:192.0.2.7 2001:db8::2 1 2\r\n',
    );
    const both = { ...mixed, destinationAddress: '::ffff:10.0.0.1' };
    expect(writeProxyHeader(1, both).toString('latin1')).toBe('PROXY TCP4 192.0.2.7 10.0.0.1 1 2\r\n');
  });
});
