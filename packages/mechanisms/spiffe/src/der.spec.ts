import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  DerError,
  readBits,
  readBoolean,
  readChildren,
  readDer,
  readOid,
  readSmallInteger,
  readTime,
  tag,
  writeDer,
  writeOid,
} from './der.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

describe('DER', () => {
  it('reads back what it writes, at every length form', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (content) =>
        readDer(writeDer(tag.octetString, content)).content.equals(content),
      ),
    );
    for (const length of [0x7f, 0x80, 0xff, 0x100, 0xffff, 0x10000])
      expect(readDer(writeDer(tag.octetString, Buffer.alloc(length))).content.length).toBe(length);
  });

  it('reads back object identifiers', () => {
    const part = fc.integer({ min: 0, max: 2 ** 31 });
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 2 }),
        fc.integer({ min: 0, max: 39 }),
        fc.array(part, { minLength: 1, maxLength: 8 }),
        (a, b, rest) => {
          const dotted = [a, b, ...rest].join('.');
          return readOid(readDer(writeOid(dotted), tag.oid).content) === dotted;
        },
      ),
    );
  });

  it.each([
    ['an indefinite length', '30 80 00 00'],
    ['a length that is not minimal', '04 81 01 00'],
    ['a length with leading zeros', '04 82 00 81'],
    ['a length of four bytes', '04 84 00 00 00 01 00'],
    ['a truncated element', '04 05 00'],
    ['a tag without a length', '04'],
    ['nothing', ''],
    ['a high tag number', '1f 81 00 00'],
    ['bytes behind the element', '04 00 00'],
  ])('refuses %s', (_what, bytes) => {
    expect(() => readDer(hex(bytes))).toThrow(DerError);
  });

  it.each([
    ['boolean 0x01', () => readBoolean(hex('01'))],
    ['integer with a spare zero', () => readSmallInteger(hex('0001'))],
    ['negative integer', () => readSmallInteger(hex('ff'))],
    ['huge integer', () => readSmallInteger(hex('7fffffffff'))],
    ['bit string with padding bits set', () => readBits(hex('01ff'))],
    ['bit string with 8 unused bits', () => readBits(hex('0800'))],
    ['object identifier cut in a part', () => readOid(hex('2a86'))],
    ['object identifier with a padded part', () => readOid(hex('2a8001'))],
    [
      'time without seconds',
      () => readTime({ tag: tag.utcTime, bytes: Buffer.alloc(0), content: Buffer.from('2601010000Z') }),
    ],
    [
      'time with an offset',
      () => readTime({ tag: tag.utcTime, bytes: Buffer.alloc(0), content: Buffer.from('260101000000+0100') }),
    ],
    [
      'the 31st of February',
      () => readTime({ tag: tag.utcTime, bytes: Buffer.alloc(0), content: Buffer.from('260231000000Z') }),
    ],
  ])('refuses a %s', (_what, read) => {
    expect(read).toThrow(DerError);
  });

  it('reads both time forms', () => {
    const time = (elementTag: number, text: string): number =>
      readTime({ tag: elementTag, bytes: Buffer.alloc(0), content: Buffer.from(text) });
    expect(time(tag.utcTime, '491231235959Z')).toBe(Date.UTC(2049, 11, 31, 23, 59, 59));
    expect(time(tag.utcTime, '500101000000Z')).toBe(Date.UTC(1950, 0, 1));
    expect(time(tag.generalizedTime, '20500101000000Z')).toBe(Date.UTC(2050, 0, 1));
  });

  it('throws nothing but DerError, whatever the bytes', () => {
    const walk = (bytes: Buffer, depth: number): void => {
      for (const child of readChildren(bytes))
        if (depth < 5 && (child.tag & 0x20) !== 0) walk(child.content, depth + 1);
    };
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          walk(Buffer.from(bytes), 0);
        } catch (error) {
          return error instanceof DerError;
        }
        return true;
      }),
      { numRuns: 2000 },
    );
  });

  it('bounds how many elements it takes from one', () => {
    expect(() => readChildren(Buffer.alloc(2 * 257).fill(hex('0500')))).toThrow(/more than 256/);
  });
});
