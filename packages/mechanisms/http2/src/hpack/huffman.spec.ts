import { ByteWriter, FIELD_VALUE } from '@tulle/fields';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CODE, CODE_BITS, EOS } from './huffman-code.ts';
import { decodeHuffman, mostDecodedBytes, NOT_HUFFMAN } from './huffman-decode.ts';
import { huffmanBytes, writeHuffman } from './huffman-encode.ts';

function coded(text: string): Buffer {
  const out = new ByteWriter(1);
  writeHuffman(out, text, huffmanBytes(text));
  return Buffer.from(out.view());
}

/** The text, with `?` before it when an octet may not stand in a value; undefined when it is no Huffman string. */
function read(code: Buffer): string | undefined {
  const out = Buffer.alloc(1 + mostDecodedBytes(code.length), 0xaa);
  const end = decodeHuffman(code, 0, code.length, out, 1);
  if (end === NOT_HUFFMAN) return undefined;
  return end < 0 ? `?${out.toString('latin1', 1, -2 - end)}` : out.toString('latin1', 1, end);
}

/** Octets of a string of bits, as `101`. */
const bits = (text: string): Buffer =>
  Buffer.from((text.match(/.{1,8}/g) ?? []).map((octet) => Number.parseInt(octet.padEnd(8, '0'), 2)));

const codeOf = (symbol: number): string =>
  (CODE[symbol] as number).toString(2).padStart(CODE_BITS[symbol] as number, '0');

const padded = (text: string): string => text.padEnd(Math.ceil(text.length / 8) * 8, '1');

describe('the Huffman code', () => {
  it('is complete: its codes fill the space, and no code begins another', () => {
    const codes = Array.from({ length: 257 }, (_, symbol) => codeOf(symbol));
    expect(codes.reduce((sum, code) => sum + 2 ** -code.length, 0)).toBe(1);
    const sorted = codes.toSorted();
    expect(sorted.some((code, at) => (sorted[at + 1] ?? '').startsWith(code))).toBe(false);
    // the ends of appendix B's table
    expect([codeOf(0x30), codeOf(0x7c), codeOf(0x0a), codeOf(EOS)]).toEqual([
      '00000',
      '11111111100',
      `${'1'.repeat(28)}00`,
      '1'.repeat(30),
    ]);
  });

  it('reads what it writes, any octets, and says which hold something that is no field value', () => {
    const text = fc.uint8Array({ maxLength: 80 }).map((octets) => Buffer.from(octets).toString('latin1'));
    const usual = fc.string({ unit: 'grapheme-ascii', maxLength: 80 });
    fc.assert(
      fc.property(fc.oneof(text, usual), (it) => {
        const code = coded(it);
        const valid = Buffer.from(it, 'latin1').every((octet) => FIELD_VALUE[octet] === 1);
        expect(code.length).toBe(huffmanBytes(it));
        expect(code.toString('hex')).toBe(
          bits(padded(Array.from(it, (char) => codeOf(char.charCodeAt(0))).join(''))).toString('hex'),
        );
        expect(read(code)).toBe(valid ? it : `?${it}`);
      }),
      { numRuns: 1000 },
    );
  });

  it('reads each symbol at each place in an octet', () => {
    for (let symbol = 0; symbol < 256; symbol++) {
      for (let before = 0; before < 8; before++) {
        const text = 'a'.repeat(before) + String.fromCharCode(symbol) + '0';
        expect(read(coded(text))).toBe(FIELD_VALUE[symbol] === 1 ? text : `?${text}`);
      }
    }
  });

  it.each([
    ['EOS, though written out', `${codeOf(97)}${codeOf(EOS)}11111`],
    ['EOS at the very start', `${codeOf(EOS)}11`],
    ['padding of 8 ones', `${codeOf(0x58)}11111111`],
    ['padding of 13 ones', `${codeOf(97)}${codeOf(97)}${codeOf(97)}${'1'.repeat(17)}`],
    ['padding of zeros', `${codeOf(97)}000`],
    ['padding that is not all ones', `${codeOf(97)}110`],
    ['a long code cut short', codeOf(0x0a).slice(0, 24)],
    ['a code of 13 bits cut short', codeOf(0).slice(0, 8)],
  ])('refuses %s', (_name, code) => {
    expect(code.length % 8).toBe(0);
    expect(read(bits(code))).toBeUndefined();
  });

  it.each([0, 1, 2, 3, 4, 5, 6, 7])('takes padding of %i ones', (ones) => {
    // a text whose code leaves that many bits: 5-bit codes alone reach every remainder
    let it = '';
    while ((8 - ((it.length * 5) % 8)) % 8 !== ones) it += 'a';
    expect(read(bits(padded('00011'.repeat(it.length))))).toBe(it);
  });

  it('reads any octets without touching what is behind its room', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (octets) => {
        const room = mostDecodedBytes(octets.length);
        const out = Buffer.alloc(room + 8, 0xaa);
        const end = decodeHuffman(octets, 0, octets.length, out, 0);
        expect(Math.max(end, -2 - end)).toBeLessThanOrEqual(room);
        expect(out.subarray(room).every((octet) => octet === 0xaa)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});
