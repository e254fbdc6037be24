import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answerTo, readQuestion, refusalOf, ttlOffsets, type Question } from './dns-message.ts';

/** A query for a name. */
function queryFor(name: string, type = 1, id = 0x1234): Buffer {
  const labels = name
    .split('.')
    .map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`, 'latin1'));
  const head = Buffer.from([id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  return Buffer.concat([head, ...labels, Buffer.from([0, type >> 8, type & 255, 0, 1])]);
}

describe('a DNS message', () => {
  it('is read as a question', () => {
    expect(readQuestion(queryFor('Orders.Default', 28))).toEqual({
      name: 'orders.default',
      type: 28,
      end: 32,
    });
  });

  it.each([
    ['cut off', queryFor('orders').subarray(0, 20)],
    ['an answer', Buffer.from(queryFor('orders')).fill(0x81, 2, 3)],
    ['a pointer', Buffer.concat([queryFor('a').subarray(0, 12), Buffer.from([0xc0, 12, 0, 1, 0, 1])])],
    ['two questions', Buffer.from(queryFor('orders')).fill(2, 5, 6)],
    ['of another class', Buffer.from(queryFor('a')).fill(3, 18)],
  ])('is none when it is %s', (_what, bytes) => {
    expect(readQuestion(bytes)).toBeUndefined();
  });

  it('is read or left, whatever the bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), fc.boolean(), (bytes, asQuery) => {
        const message = Buffer.from(bytes);
        if (asQuery && message.length >= 12) Buffer.from([1, 0, 0, 1]).copy(message, 2);
        const question = readQuestion(message);
        if (question === undefined) return;
        expect(question.end).toBeLessThanOrEqual(message.length);
        const offsets = ttlOffsets(message, question) ?? [];
        for (const at of offsets) expect(at + 4).toBeLessThanOrEqual(message.length);
      }),
    );
  });

  it('is answered with addresses, or with nothing', () => {
    const query = queryFor('orders');
    const question = readQuestion(query) as Question;
    const answer = answerTo(query, question, ['127.200.1.2', '127.200.1.3'], 30);
    expect(answer.subarray(0, 12).toString('hex')).toBe('123481800001000200000000');
    expect(answer.subarray(question.end).toString('hex')).toBe(
      'c00c000100010000001e00047fc80102c00c000100010000001e00047fc80103',
    );
    expect(ttlOffsets(answer, question)).toEqual([question.end + 6, question.end + 22]);
    expect(refusalOf(query, question, 2).toString('hex')).toBe(`1234818200010000${query.toString('hex', 8)}`);
    expect(ttlOffsets(refusalOf(query, question, 2), question)).toBeUndefined();
  });
});
