import { expect, it } from 'vitest';
import { sipHash, sipKey, type SipKey } from './sip-hash.ts';

const key = sipKey('000102030405060708090a0b0c0d0e0f') as SipKey;
const first = (octets: number): string =>
  Array.from({ length: octets }, (_, i) => String.fromCharCode(i)).join('');

it('is SipHash-2-4, by the vectors of its authors', () => {
  // https://github.com/veorq/SipHash vectors.h: for inputs 00, 00 01, … of these lengths.
  expect([0, 1, 2, 7, 8, 15].map((length) => sipHash(key, first(length)))).toEqual([
    '310e0edd47db6f72',
    'fd67dc93c539f874',
    '5a4fa9d909806c0d',
    '37d1018bf50002ab',
    '6224939a79f5f593',
    'e545be4961ca29a1',
  ]);
});

it('has a key of 32 hex digits', () => {
  expect(['', 'xyz', '00', '0'.repeat(31), 'G'.repeat(32)].map(sipKey)).toEqual(Array(5).fill(undefined));
  expect(sipHash(sipKey('f'.repeat(32)) as SipKey, 'a')).not.toBe(sipHash(key, 'a'));
});
