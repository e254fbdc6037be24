import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSameValue } from './same-value.ts';

/** JSON with its fields in one order, which is what it is held to. */
function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, one]) => one !== undefined)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([field, one]) => [field, inOrder(one)]),
  );
}

/** Few names and values, so that equal ones and nearly equal ones come up. */
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom('', 'a', 0, 1, true, false, undefined),
    fc.array(
      tie('any').filter((one) => one !== undefined),
      { maxLength: 3 },
    ),
    fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('any')),
  ),
})).any;

describe('two values of the model', () => {
  it('say the same exactly where their text in one order is the same', () => {
    let same = 0;
    fc.assert(
      fc.property(value, value, (one, other) => {
        const asText = JSON.stringify(inOrder(one)) === JSON.stringify(inOrder(other));
        if (asText) same++;
        expect(isSameValue(one, other)).toBe(asText);
        expect(isSameValue(one, structuredClone(one))).toBe(true);
      }),
      { numRuns: 5_000 },
    );
    expect(same).toBeGreaterThan(100);
  });

  it('differ by a field that one lacks, and by the order of a list', () => {
    expect(isSameValue({ a: 1 }, { a: 1, b: false })).toBe(false);
    expect(isSameValue({ a: 1, b: undefined }, { a: 1 })).toBe(true);
    expect(isSameValue([1, 2], [2, 1])).toBe(false);
    expect(isSameValue([], {})).toBe(false);
    expect(isSameValue({ a: null }, { a: {} })).toBe(false);
  });
});
