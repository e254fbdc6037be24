import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteWriter } from './index.ts';

describe('a byte writer', () => {
  it('gathers what was written, growing as needed', () => {
    const part = fc.oneof(
      fc
        .string({ unit: 'binary', maxLength: 40 })
        .map((text) => Array.from(text, (char) => String.fromCharCode(char.charCodeAt(0) & 255)).join('')),
      fc.uint8Array({ maxLength: 40 }),
      fc.nat(2 ** 31),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 20 }), fc.integer({ min: 1, max: 64 }), (parts, initial) => {
        const out = new ByteWriter(initial);
        const want: Buffer[] = [];
        for (const it of parts) {
          if (typeof it === 'string') {
            out.latin1(it);
            want.push(Buffer.from(it, 'latin1'));
          } else if (typeof it === 'number') {
            out.decimal(it);
            out.crlf();
            out.hex(it);
            want.push(Buffer.from(`${it}\r\n${it.toString(16)}`));
          } else {
            const from = it.length >> 1;
            out.bytes(it, from);
            out.bytes(Buffer.from(it), 0, from);
            want.push(Buffer.from(it.subarray(from)), Buffer.from(it.subarray(0, from)));
          }
        }
        expect(out.view().equals(Buffer.concat(want))).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it('keeps its storage on clear, and gives it away on detach', () => {
    const out = new ByteWriter(4);
    out.latin1('abc');
    const { buffer } = out;
    out.clear();
    out.latin1('de');
    expect(out.buffer).toBe(buffer);
    const given = out.detach();
    out.latin1('xyz');
    expect([given.toString(), out.view().toString(), out.length]).toEqual(['de', 'xyz', 3]);
  });
});
