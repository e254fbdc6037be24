import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineBuffer } from './line-buffer.ts';
import { Stretch } from './stretch.ts';

function written(write: (out: LineBuffer) => void): string {
  const out = new LineBuffer(100, 64);
  write(out);
  return out.bytes.toString('utf8', 0, out.length);
}

describe('a line buffer', () => {
  it('writes whole numbers as JSON does', () => {
    fc.assert(
      fc.property(fc.oneof(fc.maxSafeNat(), fc.nat({ max: 100_000 }), fc.integer()), (value) => {
        expect(written((out) => out.integer(value))).toBe(JSON.stringify(value));
      }),
    );
    expect(written((out) => out.integer(Number.NaN))).toBe('null');
    expect(written((out) => out.integer(Infinity))).toBe('null');
  });

  it('writes milliseconds with three decimals at most, rounded', () => {
    fc.assert(
      fc.property(fc.oneof(fc.double({ min: 0, max: 1e7 }), fc.double(), fc.nat({ max: 5000 })), (value) => {
        const rounded = Math.round(value * 1000) / 1000;
        expect(JSON.parse(written((out) => out.milliseconds(value)))).toBe(
          Number.isFinite(rounded) ? rounded + 0 : null,
        );
      }),
    );
    for (const [value, text] of [
      [0, '0'],
      [1.5, '1.5'],
      [0.05, '0.05'],
      [12.0004, '12'],
      [999.9996, '1000'],
      [3e12, '3000000000000'],
    ] as const)
      expect(written((out) => out.milliseconds(value))).toBe(text);
  });

  it('writes times and addresses', () => {
    expect(
      written((out) => {
        for (const at of [1_700_000_000_009, 1_700_000_000_998.7, 1_700_000_001_000]) {
          out.time(at);
          out.raw(Buffer.from(' '));
        }
      }),
    ).toBe('2023-11-14T22:13:20.009Z 2023-11-14T22:13:20.998Z 2023-11-14T22:13:21.000Z ');
    expect(written((out) => out.address('10.0.0.1', 80))).toBe('"10.0.0.1:80"');
    expect(written((out) => out.address('::1', 65_535))).toBe('"[::1]:65535"');
    expect(written((out) => out.address('', 0))).toBe('null');
  });

  it('joins two values as if they had been one', () => {
    const value = fc.oneof(fc.string({ maxLength: 60 }), fc.constantFrom('', '"', '\n', 'é'));
    fc.assert(
      fc.property(value, value, (path, query) => {
        expect(written((out) => out.joined(path, '?', query))).toBe(
          written((out) => out.text(`${path}?${query}`)),
        );
      }),
    );
  });

  it('keeps what stands in it when it grows, and escapes a value that was half copied', () => {
    const text = 'x'.repeat(90);
    expect(
      JSON.parse(
        written((out) => {
          out.raw(Buffer.from('['));
          for (let i = 0; i < 50; i++) {
            out.text(text);
            out.raw(Buffer.from(','));
          }
          out.text(`${text}"é\n`);
          out.raw(Buffer.from(']'));
        }),
      ),
    ).toEqual([...Array.from({ length: 50 }, () => text), `${text}"é\n`]);
  });
});

describe('a stretch', () => {
  it('answers only for the very values that it was stored for', () => {
    const stretch = new Stretch();
    expect(stretch.find('a', 1, undefined)).toBeUndefined();
    stretch.keep('first');
    expect(Buffer.from(stretch.find('a', 1, undefined) ?? []).toString()).toBe('first');
    for (const [a, b, c] of [
      ['b', 1, undefined],
      ['a', 2, undefined],
      ['a', 1, ''],
      ['a', '1', undefined],
    ] as const)
      expect(stretch.find(a, b, c)).toBeUndefined();
  });

  it('is bounded whatever values come', () => {
    const stretch = new Stretch();
    for (let i = 0; i < 1000; i++) {
      expect(stretch.find(`name ${i}`, i)).toBeUndefined();
      stretch.keep(String(i));
      expect(stretch.find(`name ${i}`, i)).toBeDefined();
    }
    expect(stretch.find('name 0', 0)).toBeUndefined();
  });
});
