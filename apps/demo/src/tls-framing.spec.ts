import { describe, expect, it } from 'vitest';
import { TlsFraming } from './tls-framing.ts';

const record = (type: number, length: number): Buffer =>
  Buffer.concat([Buffer.from([type, 3, 3, length >> 8, length & 255]), Buffer.alloc(length, 0xaa)]);

describe('TlsFraming', () => {
  it('counts records in any chunking', () => {
    const stream = Buffer.concat([record(22, 512), record(20, 1), record(23, 16_640), record(23, 17)]);
    for (const size of [1, 2, 3, 7, 1000, stream.length]) {
      const framing = new TlsFraming();
      for (let at = 0; at < stream.length; at += size)
        expect(framing.push(stream.subarray(at, at + size))).toBeUndefined();
      expect(framing.takeRecords()).toBe(4);
    }
  });

  it.each([
    ['plain HTTP', Buffer.from('GET / HTTP/1.1\r\n')],
    ['plain HTTP after a record', Buffer.concat([record(22, 5), Buffer.from('GET /')])],
    ['a record too long', record(23, 17_000)],
    ['SSL 2', Buffer.from([0x80, 0x2e, 1, 3, 1])],
  ])('names %s', (_, bytes) => expect(new TlsFraming().push(bytes)).toMatch(/TLS record|length/));
});
