import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PROXY_INVALID, PROXY_MORE, PROXY_NONE, readProxyHeader } from './proxy-protocol.ts';

const SIGNATURE = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);

function v2(command: number, family: number, body: Buffer): Buffer {
  const head = Buffer.from([0x20 | command, family, 0, 0]);
  head.writeUInt16BE(body.length, 2);
  return Buffer.concat([SIGNATURE, head, body]);
}

const PORTS = Buffer.from([0x04, 0xd2, 0x01, 0xbb]);
const V4 = Buffer.concat([Buffer.from([192, 0, 2, 7, 10, 0, 0, 1]), PORTS]);
const V6 = Buffer.concat([
  Buffer.from('20010db8000000000000000000000001', 'hex'),
  Buffer.from('20010db8000000000000000000000002', 'hex'),
  PORTS,
]);
const v4Addresses = {
  sourceAddress: '192.0.2.7',
  sourcePort: 1234,
  destinationAddress: '10.0.0.1',
  destinationPort: 443,
};

describe('a header of the PROXY protocol', () => {
  it('is read in version 1', () => {
    const read = (line: string): unknown => readProxyHeader(Buffer.from(`${line}\r\nGET /`));
    expect([
      read('PROXY TCP4 192.0.2.7 10.0.0.1 1234 443'),
      read('PROXY TCP6 2001:db8::1 ::1 1 65535'),
      read('PROXY UNKNOWN'),
      read('PROXY UNKNOWN what ever 1 2'),
    ]).toEqual([
      { version: 1, bytes: 40, addresses: v4Addresses, tlvs: [] },
      {
        version: 1,
        bytes: 36,
        addresses: {
          sourceAddress: '2001:db8::1',
          sourcePort: 1,
          destinationAddress: '::1',
          destinationPort: 65_535,
        },
        tlvs: [],
      },
      { version: 1, bytes: 15, addresses: undefined, tlvs: [] },
      { version: 1, bytes: 29, addresses: undefined, tlvs: [] },
    ]);
  });

  it.each([
    'PROXY TCP4 192.0.2.7 10.0.0.1 1234 65536',
    'PROXY TCP4 192.0.2.7 10.0.0.1 01 443',
    'PROXY TCP4 192.0.2.07 10.0.0.1 1 443',
    'PROXY TCP4 ::1 ::1 1 443',
    'PROXY TCP6 192.0.2.7 10.0.0.1 1 443',
    'PROXY TCP4  192.0.2.7 10.0.0.1 1 443',
    'PROXY TCP4 192.0.2.7 10.0.0.1 1 443 ',
    'PROXY TCP5 192.0.2.7 10.0.0.1 1 443',
    'PROXY ',
    `PROXY UNKNOWN ${'x'.repeat(100)}`,
  ])('%s is none', (line) => {
    expect(readProxyHeader(Buffer.from(`${line}\r\n`))).toBe(PROXY_INVALID);
  });

  it('is read in version 2, whatever fields follow the addresses', () => {
    const tlvs = Buffer.concat([V4, Buffer.from([0x01, 0x00, 0x02, 0x68, 0x32])]);
    expect([
      readProxyHeader(Buffer.concat([v2(1, 0x11, V4), Buffer.from('GET')])),
      readProxyHeader(v2(1, 0x11, tlvs)),
      readProxyHeader(v2(1, 0x21, V6)),
      readProxyHeader(v2(0, 0x11, V4)),
      readProxyHeader(v2(0, 0x00, Buffer.alloc(0))),
      readProxyHeader(v2(1, 0x31, Buffer.alloc(216))),
    ]).toEqual([
      { version: 2, bytes: 28, addresses: v4Addresses, tlvs: [] },
      { version: 2, bytes: 33, addresses: v4Addresses, tlvs: [{ type: 1, value: Buffer.from('h2') }] },
      {
        version: 2,
        bytes: 52,
        addresses: {
          sourceAddress: '2001:db8:0:0:0:0:0:1',
          sourcePort: 1234,
          destinationAddress: '2001:db8:0:0:0:0:0:2',
          destinationPort: 443,
        },
        tlvs: [],
      },
      { version: 2, bytes: 28, addresses: undefined, tlvs: [] },
      { version: 2, bytes: 16, addresses: undefined, tlvs: [] },
      { version: 2, bytes: 232, addresses: undefined, tlvs: [] },
    ]);
  });

  it('is none in version 2 with another version, command or family, too few addresses, or fields that do not end', () => {
    const another = v2(1, 0x11, V4);
    another[12] = 0x31;
    for (const bytes of [
      another,
      v2(2, 0x11, V4),
      v2(1, 0x12, V4),
      v2(1, 0x11, V4.subarray(1)),
      v2(1, 0x21, V4),
      ...['01', '0100', '01000161ff', '01000261'].map((tlvs) =>
        v2(1, 0x11, Buffer.concat([V4, Buffer.from(tlvs, 'hex')])),
      ),
      v2(1, 0x00, Buffer.from('01000261', 'hex')),
    ])
      expect(readProxyHeader(bytes)).toBe(PROXY_INVALID);
  });

  it('is told from what begins otherwise', () => {
    for (const text of ['GET / HTTP/1.1', 'PROXX', 'PRI * HTTP/2.0', '\x16\x03\x01', '\r\n\r\nX'])
      expect(readProxyHeader(Buffer.from(text, 'latin1'))).toBe(PROXY_NONE);
  });

  it('is the same however its bytes come, and asks for more until it is there', () => {
    const headers = [
      Buffer.from('PROXY TCP4 192.0.2.7 10.0.0.1 1234 443\r\n'),
      Buffer.from('PROXY UNKNOWN\r\n'),
      v2(1, 0x11, V4),
      v2(1, 0x21, V6),
    ];
    fc.assert(
      fc.property(
        fc.constantFrom(...headers),
        fc.uint8Array({ maxLength: 64 }),
        fc.nat(200),
        (header, rest, cut) => {
          const whole = Buffer.concat([header, rest]);
          const end = cut % (whole.length + 1);
          const read = readProxyHeader(whole.subarray(0, end));
          if (end < header.length) expect(read).toBe(PROXY_MORE);
          else expect(read).toEqual(readProxyHeader(header));
        },
      ),
    );
  });

  it('never claims more than is there, whatever comes', () => {
    const hostile = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.concat([SIGNATURE, bytes])),
      fc.uint8Array({ maxLength: 120 }).map((bytes) => Buffer.concat([Buffer.from('PROXY TCP4 '), bytes])),
    );
    fc.assert(
      fc.property(hostile, (given) => {
        const bytes = Buffer.from(given);
        const read = readProxyHeader(bytes);
        if (typeof read === 'object') expect(read.bytes).toBeLessThanOrEqual(bytes.length);
      }),
      { numRuns: 2_000 },
    );
  });
});
