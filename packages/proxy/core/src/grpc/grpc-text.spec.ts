import { FieldTable } from '@tulle/fields';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { encodeGrpcMessage } from './grpc-message.ts';
import { readGrpcStatus } from './grpc-status.ts';
import { formatGrpcTimeout, parseGrpcTimeout } from './grpc-timeout.ts';

const UNITS = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 } as const;

it('reads every timeout of the grammar, and nothing else', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 99_999_999 }),
      fc.constantFrom(...(Object.keys(UNITS) as (keyof typeof UNITS)[])),
      (value, unit) => {
        expect(parseGrpcTimeout(`${value}${unit}`)).toBeCloseTo(value * UNITS[unit], 6);
      },
    ),
  );
  fc.assert(
    fc.property(fc.string({ maxLength: 12 }), (text) => {
      if (!/^\d{1,8}[HMSmun]$/.test(text)) expect(parseGrpcTimeout(text)).toBe(-1);
    }),
  );
});

it('writes timeouts that are valid, and never longer than what is left', () => {
  fc.assert(
    fc.property(fc.double({ min: 1, max: 1e11, noNaN: true }), (ms) => {
      const text = formatGrpcTimeout(ms);
      expect(text).toMatch(/^\d{1,8}[mS]$/);
      expect(parseGrpcTimeout(text)).toBeLessThanOrEqual(ms);
      expect(parseGrpcTimeout(text)).toBeGreaterThan(Math.min(ms, 99_999_999_000) - 1_001);
    }),
  );
  expect([0, 0.4, -5].map(formatGrpcTimeout)).toEqual(['1m', '1m', '1m']);
});

it('encodes messages so that they decode to what they were, in octets that a field may hold', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (text) => {
      const encoded = encodeGrpcMessage(Buffer.from(text, 'utf8'));
      expect(encoded).toMatch(/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$|^$/);
      if (Buffer.byteLength(text) <= 1_024)
        expect(decodeURIComponent(encoded)).toBe(Buffer.from(text.replace(/[\r\n]+$/, '')).toString());
    }),
  );
  expect(decodeURIComponent(encodeGrpcMessage(Buffer.from('€'.repeat(1_000))))).toBe('€'.repeat(341));
});

it('reads statuses 0 to 16, and takes anything else for UNKNOWN', () => {
  const read = (value: string): number => {
    const fields = new FieldTable();
    fields.put('grpc-status', value);
    return readGrpcStatus(fields);
  };
  for (let status = 0; status <= 16; status++) expect(read(String(status))).toBe(status);
  for (const text of ['17', '20', '99', '00', '01', '-1', '1a', 'a', '', '100', '1.'])
    expect(read(text), text).toBe(2);
  expect(readGrpcStatus(new FieldTable())).toBe(-1);
});
