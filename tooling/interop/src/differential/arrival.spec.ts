import { expect, it } from 'vitest';
import { differencesOf } from './compare.ts';
import type { Observation } from './observe.ts';
import { observed, seen } from './explained/support.ts';

const ports = { listener: 40_001, origins: new Map<string, number>() };
const arrived = (...marks: string[]): Observation =>
  observed(
    200,
    marks.map((mark, i) =>
      seen({
        headers: [
          ['x-request-id', `00000000-0000-4000-8000-00000000000${i}`],
          ...(mark ? [['x-mark', mark] as const] : []),
        ],
      }),
    ),
  );
const between = (envoy: Observation, tulle: Observation, isFrames: boolean): string[] =>
  differencesOf({ envoy, tulle }, isFrames ? { protocol: 'frames' } : {}, { envoy: ports, tulle: ports }).map(
    ({ aspect }) => aspect,
  );

it('takes streams of one connection that are alike but for a field in any order, and each of them once', () => {
  expect(between(arrived('', 'chain', 'chain'), arrived('chain', '', 'chain'), true)).toEqual([]);
  expect(between(arrived('', 'chain'), arrived('chain', ''), false)).not.toEqual([]);
  expect(between(arrived('', 'chain'), arrived('chain', 'chain'), true)).not.toEqual([]);
});
