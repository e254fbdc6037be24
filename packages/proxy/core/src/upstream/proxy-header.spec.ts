import fc from 'fast-check';
import type { ProxyHeaderOptions } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import { readProxyHeader } from '../listener/proxy-protocol.ts';
import { compileHeader, plainHeader, writeProxyHeader } from './proxy-header.ts';

const tlv = (type: number, value: string) => ({ type, value: Buffer.from(value) });
const base64 = (text: string): string => Buffer.from(text).toString('base64');
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
    expect(writeProxyHeader(plainHeader(1), whose).toString('latin1')).toBe(
      'PROXY TCP4 192.0.2.7 10.0.0.1 1234 443\r\n',
    );
    expect(writeProxyHeader(plainHeader(2), whose).toString('hex')).toBe(
      '0d0a0d0a000d0a515549540a2111000cc00002070a00000104d201bb',
    );
    const six = { ...whose, sourceAddress: '2001:db8::1', destinationAddress: '2001:db8::2' };
    expect(writeProxyHeader(plainHeader(2), six).toString('hex')).toBe(
      '0d0a0d0a000d0a515549540a2121002420010db800000000000000000000000120010db800000000000000000000000204d201bb',
    );
  });

  it.each([1, 2] as const)('is read as it was meant: version %i', (version) => {
    fc.assert(
      fc.property(addresses(fc.ipV4()), (whose) => {
        const bytes = writeProxyHeader(plainHeader(version), whose);
        expect(readProxyHeader(bytes)).toEqual({ version, bytes: bytes.length, addresses: whose, tlvs: [] });
      }),
    );
    fc.assert(
      fc.property(addresses(fc.ipV6()), (whose) => {
        const read = readProxyHeader(writeProxyHeader(plainHeader(version), whose));
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
      expect(readProxyHeader(writeProxyHeader(plainHeader(version), whose))).toMatchObject({
        version,
        addresses: undefined,
      });
  });

  it('has fields after the addresses: what is added, then of the caller’s what may pass', () => {
    const whose = {
      sourceAddress: '192.0.2.7',
      sourcePort: 1,
      destinationAddress: '10.0.0.1',
      destinationPort: 2,
      tlvs: [tlv(1, 'one'), tlv(2, 'two'), tlv(1, 'again'), tlv(3, 'three')],
    };
    const said = (version: 1 | 2, options: ProxyHeaderOptions): readonly string[] => {
      const read = readProxyHeader(writeProxyHeader(compileHeader(version, options)!, whose));
      return typeof read === 'string'
        ? [read]
        : read.tlvs.map(({ type, value }) => `${type} ${value.toString()}`);
    };
    const adds = [
      { type: 2, valueBase64: base64('mine') },
      { type: 9, valueBase64: base64('') },
    ];
    expect(said(2, {})).toEqual([]);
    expect(said(2, { passes: 'all' })).toEqual(['1 one', '2 two', '1 again', '3 three']);
    expect(said(2, { passes: [1, 7] })).toEqual(['1 one', '1 again']);
    expect(said(2, { adds })).toEqual(['2 mine', '9 ']);
    expect(said(2, { passes: 'all', adds })).toEqual(['2 mine', '9 ', '1 one', '1 again', '3 three']);
    expect(said(1, { passes: 'all', adds })).toEqual([]);
  });

  it('leaves out what its length cannot say', () => {
    const whose = {
      sourceAddress: '192.0.2.7',
      sourcePort: 1,
      destinationAddress: '10.0.0.1',
      destinationPort: 2,
      tlvs: [{ type: 1, value: Buffer.alloc(65_000) }, { type: 2, value: Buffer.alloc(600) }, tlv(3, 'last')],
    };
    const read = readProxyHeader(writeProxyHeader(compileHeader(2, { passes: 'all' })!, whose));
    expect(typeof read === 'string' ? read : read.tlvs.map(({ type }) => type)).toEqual([1, 3]);
  });

  it('says of a caller without an address that there is one, where it may', () => {
    const nowhere = {
      sourceAddress: '',
      sourcePort: 0,
      destinationAddress: '',
      destinationPort: 0,
      tlvs: [tlv(1, 'a')],
    };
    const header = compileHeader(2, { unaddressed: true, passes: 'all' })!;
    expect(writeProxyHeader(header, nowhere).subarray(12).toString('hex')).toBe('2100000401000161');
    expect(writeProxyHeader(header, undefined).subarray(12).toString('hex')).toBe('20000000');
  });

  it('has both addresses of one family', () => {
    const mixed = {
      sourceAddress: '::ffff:192.0.2.7',
      sourcePort: 1,
      destinationAddress: '2001:db8::2',
      destinationPort: 2,
    };
    expect(writeProxyHeader(plainHeader(1), mixed).toString('latin1')).toBe(
      'PROXY TCP6 ::ffff:192.0.2.7 2001:db8::2 1 2\r\n',
    );
    const both = { ...mixed, destinationAddress: '::ffff:10.0.0.1' };
    expect(writeProxyHeader(plainHeader(1), both).toString('latin1')).toBe(
      'PROXY TCP4 192.0.2.7 10.0.0.1 1 2\r\n',
    );
  });
});
