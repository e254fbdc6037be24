import { expect, it } from 'vitest';
import { summary } from '../report.ts';
import { runPolicies } from './run-policies.ts';

const quick = { seed: 7, rounds: 2 };

it.each(['slashes', 'userinfo', 'named in Connection', 'no algorithm', 'networks', 'pages'])(
  'what a policy forbids does not arrive: %s',
  async (filter) => {
    const results = await runPolicies({ ...quick, filter });
    expect(results.flatMap(({ faults }) => faults)).toEqual([]);
    expect(summary(results)['sends']).toBe(results.length * 2);
  },
);

it.each([
  'path denied: as it is',
  'path not allowed: case',
  'host denied: ports',
  'headers: claims in trailers',
  'headers: lines that decide',
  'tokens: no algorithm',
  'tokens: claims that decide',
  'networks',
  'foreign pages',
])('and the judges see it arrive where the policy is gone: %s', async (filter) => {
  const results = await runPolicies({ ...quick, rounds: 1, filter }, true);
  expect(summary(results)['breach']).toBeGreaterThan(0);
});
