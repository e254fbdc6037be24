import { expect, it } from 'vitest';
import { didYouMean } from './suggest.ts';

it.each([
  ['requets', 'requests'],
  ['Requests', 'requests'],
  ['interval', 'intervalMs'],
  ['intervallMs', 'intervalMs'],
  ['maxKyes', 'maxKeys'],
  ['nmae', 'name'],
  ['foo', undefined],
  ['', undefined],
])('%j is taken for %j', (word, meant) => {
  expect(didYouMean(word, ['requests', 'intervalMs', 'maxKeys', 'name'])).toBe(meant);
});
