import { expect, it } from 'vitest';
import { areaText, MOST_FLEETING, tooManyFleeting, unexplainedOf, wholeText } from './report.ts';
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

it('says why that may be, as far as it is known', () => {
  const told = (one: Partial<Finding>): string =>
    wholeText([{ ...result, fleeting: [{ ...finding, ...one }] }])
      .split('; ')
      .at(-1) ?? '';
  const late = [{ aspect: 'took', envoy: 'as expected', tulle: '900 ms' }];
  expect(told({ differences: late })).toBe('how long it took, and nothing else');
  expect(told({})).toBe('cause unknown');
  const bounded = { ...exchange, took: { from: 0, to: 1 } };
  expect(told({ exchange: bounded, configuration: { id: 'retries/1/7', exchanges: [bounded] } })).toBe(
    'perhaps a deadline that passed at one side',
  );
});

it('fails where more differs under load only than luck does', () => {
  const times = (count: number): AreaResult => ({
    ...result,
    fleeting: Array.from({ length: count }, () => finding),
  });
  expect(tooManyFleeting([times(MOST_FLEETING)])).toBeUndefined();
  expect(tooManyFleeting([times(MOST_FLEETING), times(1)])).toBe(
    `${MOST_FLEETING + 1} cases differ under load only, more than ${MOST_FLEETING}`,
  );
});

it('fails where something differs again', () => {
  expect(() => areaText({ ...result, findings: [finding] })).toThrow(
    /again: npm run .*retries\/1\/7 --exchange 1/,
  );
});
