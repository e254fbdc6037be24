import { describe, expect, it } from 'vitest';
import { block, END_HEADERS, frame, PADDED, readFrames, statusOf, TYPE } from './frames.ts';

describe('frames', () => {
  it('are read as they are written, whole ones only', () => {
    const text = frame(TYPE.ping, 0, 0, '12345678') + frame(TYPE.headers, END_HEADERS, 3, 'abc');
    const { frames, length } = readFrames(Buffer.from(`${text}\u0000\u0000`, 'latin1'));
    expect(length).toBe(text.length);
    expect(
      frames.map(({ type, flags, stream, payload }) => [type, flags, stream, payload.toString()]),
    ).toEqual([
      [6, 0, 0, '12345678'],
      [1, 4, 3, 'abc'],
    ]);
  });

  it('write fields as literals, long ones too', () => {
    expect(block([['a', 'bc']])).toBe('\u0000\u0001a\u0002bc');
    expect(block([['a', 'x'.repeat(300)]]).slice(0, 6)).toBe('\u0000\u0001a\u007f\u00ad\u0001');
  });

  it.each([
    ['88', '200'],
    // Behind the size of a table.
    ['20 8c', '400'],
    ['48 03 34 30 33', '403'],
    // In Huffman's code.
    ['08 83 680cff', '403'],
    ['48 82 6c02', '502'],
  ])('have their status read: %s', (hex, status) => {
    expect(statusOf(Buffer.from(hex.replaceAll(' ', ''), 'hex'), END_HEADERS)).toBe(status);
  });

  it('have it behind the length of their padding', () => {
    expect(statusOf(Buffer.from([2, 0x8d, 0, 0]), PADDED)).toBe('404');
    expect(() => statusOf(Buffer.from([0x40]), 0)).toThrow(/no status/);
  });
});
