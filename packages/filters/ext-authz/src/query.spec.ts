import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { editQuery } from './query.ts';

describe('a query', () => {
  it.each<[string | undefined, string[], [string, string][], string | undefined]>([
    ['a=1&b=2', ['a'], [], 'b=2'],
    ['a=1&b=2&a=3', ['a'], [], 'b=2'],
    ['%61=1&b=2', ['a'], [], 'b=2'],
    ['a=1', ['a'], [], undefined],
    ['a=1', [], [['a', '2']], 'a=2'],
    ['a=1&b', [], [['c', 'x&y=z #']], 'a=1&b&c=x%26y%3Dz%20%23'],
    [undefined, [], [['a', '1']], 'a=1'],
    [undefined, ['a'], [], undefined],
    ['%zz=1&b=2', ['b'], [], '%zz=1'],
  ])('%s without %o with %o: %s', (query, remove, set, expected) => {
    expect(editQuery(query, remove, set)).toBe(expected);
  });

  it('means to a reader what was asked for, whatever names and values are', () => {
    const name = fc.string({ minLength: 1, maxLength: 8 }).filter((text) => text.isWellFormed());
    const pair = fc.tuple(
      name,
      fc.string({ maxLength: 8 }).filter((text) => text.isWellFormed()),
    );
    fc.assert(
      fc.property(
        fc.array(pair, { maxLength: 5 }),
        fc.array(name, { maxLength: 2 }),
        fc.array(pair, { maxLength: 2 }),
        (given, remove, set) => {
          const query = new URLSearchParams(given).toString();
          const names = new Set([...remove, ...set.map(([one]) => one)]);
          const read = [...new URLSearchParams(editQuery(query, remove, set) ?? '')];
          expect(read).toEqual([...given.filter(([one]) => !names.has(one)), ...set]);
        },
      ),
    );
  });
});
