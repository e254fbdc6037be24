import { expect, it } from 'vitest';
import { memoryShareBytes, overloadOf } from './memory-share.ts';

const MIB = 1024 * 1024;

it.each([
  [1, 512, 448],
  [2, 512, 249],
  [4, 1024, 277.5],
  [4, 256, 150],
])('of %i processes in a cgroup of %i MiB one may have %d MiB', (workers, limit, share) => {
  expect(memoryShareBytes(workers, limit * MIB, 8192 * MIB)).toBe(share * MIB);
});

it('is none without a limit', () => {
  expect(memoryShareBytes(2, 0, 8192 * MIB)).toBeUndefined();
  expect(memoryShareBytes(2, 2 ** 63, 8192 * MIB)).toBeUndefined();
});

it('is what a process sheds load by, unless it is told another limit, or to shed none', () => {
  expect(overloadOf(undefined, 2, 7)).toEqual({ limits: { memoryBytes: 7 } });
  expect(overloadOf({ intervalMs: 5, limits: { activeRequests: 9 } }, 2, 7)).toEqual({
    intervalMs: 5,
    limits: { memoryBytes: 7, activeRequests: 9 },
  });
  expect(overloadOf({ limits: { memoryBytes: 3 } }, 2, 7)).toEqual({ limits: { memoryBytes: 3 } });
  expect(overloadOf(false, 2, 7)).toBe(false);
  expect(overloadOf(undefined, undefined)).toBeUndefined();
});
