import { expect, it } from 'vitest';
import { byWay } from './explanations.ts';

const at = (ms: number, durationMs: number): { startedAt: string; durationMs: number } => ({
  startedAt: new Date(1_700_000_000_000 + ms).toISOString(),
  durationMs,
});

it.each([
  ['one that began earlier', at(0, 1), at(20, 9)],
  ['of two that began in the same millisecond the one that took longer', at(5, 2.5), at(5, 1.25)],
  [
    'the one that took longer also where rounding says that it began after the other',
    at(6, 2.5),
    at(5, 1.25),
  ],
])('shows first %s', (_, first, second) => {
  expect([second, first].toSorted(byWay)).toEqual([first, second]);
  expect([first, second].toSorted(byWay)).toEqual([first, second]);
});
