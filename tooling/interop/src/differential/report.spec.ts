import { expect, it } from 'vitest';
import { areaText, unexplainedOf, wholeText } from './report.ts';
import type { AreaResult, Finding } from './run.ts';

const exchange = { path: '/b' };
const finding: Finding = {
  configuration: { id: 'retries/1/7', exchanges: [{}, exchange] },
  exchange,
  differences: [{ aspect: 'seen', envoy: '2', tulle: '1' }],
};
const result: AreaResult = {
  ...{ area: 'retries', seed: 1, cases: 2, configurations: 1, refusedByBoth: 0 },
  ...{ findings: [], fleeting: [], hits: new Map<string, number>() },
};

it('tells by name what differed once and, alone, no more', () => {
  const told = 'retries/1/7 --exchange 1: seen: "2" by Envoy, "1" by Tulle';
  const fleeting = { ...result, fleeting: [finding] };
  expect(areaText(fleeting)).toContain(told);
  expect(wholeText([fleeting])).toContain(`differs under load only, and not again alone: 1\n  ${told}`);
  expect(unexplainedOf([fleeting])).toBe(0);
  expect(wholeText([result])).not.toContain('under load');
});

it('fails where something differs again', () => {
  expect(() => areaText({ ...result, findings: [finding] })).toThrow(
    /again: npm run .*retries\/1\/7 --exchange 1/,
  );
});
