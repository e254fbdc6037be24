import { expect, it } from 'vitest';
import type { Span } from './collector.ts';
import { isOneTree } from './trace-tree.ts';

const span = (spanId: string, parentSpanId: string | undefined, service = 'front'): Span => ({
  traceId: 't',
  spanId,
  ...(parentSpanId === undefined ? {} : { parentSpanId }),
  kind: 2,
  resource: { 'service.name': service },
});

it('knows one tree below the caller from anything else', () => {
  const chain = [span('b', 'a', 'reviews'), span('a', 'caller')];
  expect(isOneTree(chain, 'caller', ['front', 'reviews'])).toBe(true);
  expect(isOneTree([...chain, span('c', 'a', 'catalog')], 'caller', ['catalog', 'front', 'reviews'])).toBe(
    true,
  );
  expect(isOneTree(chain, 'another', ['front', 'reviews'])).toBe(false); // of another caller
  expect(isOneTree(chain, 'caller', ['front', 'front'])).toBe(false); // of other services
  expect(isOneTree(chain, 'caller', ['front'])).toBe(false); // a span too many
  expect(isOneTree([], 'caller', ['front'])).toBe(false);
  expect(isOneTree([span('a', 'caller'), span('b', 'gone', 'reviews')], 'caller', ['front', 'reviews'])).toBe(
    false,
  ); // a hole
  expect(isOneTree([span('a', undefined), span('b', 'a')], 'caller', ['front', 'front'])).toBe(false); // begins by itself
  expect(isOneTree([span('a', 'b'), span('b', 'a')], 'caller', ['front', 'front'])).toBe(false); // a ring
  expect(isOneTree([span('a', 'caller'), span('a', 'caller')], 'caller', ['front', 'front'])).toBe(false); // told twice
});
