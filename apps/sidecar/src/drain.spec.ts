import { expect, it } from 'vitest';
import { describeRestart, DRAIN } from './drain.ts';

it('tells the time line of a restart, which in one process is another', () => {
  expect(describeRestart(DRAIN)).toMatch(
    /^at 0 s the new process takes .*; by 5 s .*; at 600 s what is left is cut$/,
  );
  expect(describeRestart(DRAIN, false)).toMatch(/^in one process no new connection is taken until .* 600 s/);
});
