import { expect, it } from 'vitest';
import { LONG_FORM, protocolOf, seedsOf } from './long-form.ts';

it('reads seeds, one and from one to another', () => {
  expect(seedsOf('7')).toEqual([7]);
  expect(seedsOf('9-12')).toEqual([9, 10, 11, 12]);
  for (const text of ['', 'x', '2-1', '1-', '-3', '1.5', '1-2-3']) expect(seedsOf(text)).toBeUndefined();
});

it('has the long form ask by both protocols', () => {
  expect(new Set(LONG_FORM.seeds.map(protocolOf))).toEqual(new Set(['delta', 'state-of-the-world']));
});
