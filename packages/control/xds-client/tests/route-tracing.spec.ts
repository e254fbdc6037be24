import { expect, it } from 'vitest';
import { type Json, readRoute } from './read-route.ts';

it('a route says what its requests ask for, and who is told', () => {
  expect(readRoute({ decorator: { operation: 'shop/*' } })).toMatchObject({
    decorator: { operation: 'shop/*' },
  });
  expect(readRoute({ decorator: { operation: 'a', propagate: false } })).toMatchObject({
    decorator: { operation: 'a', propagate: false },
  });
  expect(readRoute({ decorator: { operation: 'a', propagate: true } })).toMatchObject({
    decorator: { operation: 'a' },
  });
  expect(readRoute({ decorator: {} })).toEqual(['decorator.operation']);
});

it.each<[Json, object]>([
  [{}, {}],
  [{ random_sampling: { numerator: 5, denominator: 'TEN_THOUSAND' } }, { randomSamplingPercent: 0.05 }],
  [
    { client_sampling: {}, overall_sampling: { numerator: 50 } },
    { clientSamplingPercent: 0, overallSamplingPercent: 50 },
  ],
  [
    { custom_tags: [{ tag: 'a', literal: { value: 'b' } }] },
    { customTags: [{ name: 'a', kind: 'literal', value: 'b' }] },
  ],
])('a route with tracing %j has %j', (tracing, expected) => {
  expect(readRoute({ tracing })).toMatchObject({ tracing: expected });
  const route = readRoute({ tracing });
  expect(Array.isArray(route) ? route : route.tracing).toEqual(expected);
});

it('tags of a route are refused by their path', () => {
  expect(readRoute({ tracing: { custom_tags: [{ tag: 'a' }] } })).toEqual(['tracing.custom_tags[0]']);
});
