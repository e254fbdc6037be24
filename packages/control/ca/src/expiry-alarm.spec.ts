import { expect, it } from 'vitest';
import { expiryAlarm } from './expiry-alarm.ts';

it('tells each share of a life once, the highest of several at once, and begins anew with the next life', () => {
  const alarm = expiryAlarm();
  const life = { id: 'a', fromMs: 1_000, untilMs: 2_000 };
  expect(alarm.nextAtMs(life)).toBe(1_500);
  expect(alarm.passed(life, 1_499)).toBeUndefined();
  expect(alarm.passed(life, 1_500)).toBe(0.5);
  expect(alarm.passed(life, 1_600)).toBeUndefined();
  expect(alarm.nextAtMs(life)).toBe(1_750);
  expect(alarm.passed(life, 1_950)).toBe(0.9);
  expect(alarm.passed(life, 3_000)).toBeUndefined();
  expect(alarm.nextAtMs(life)).toBe(Infinity);
  expect(alarm.passed({ ...life, id: 'b' }, 1_800)).toBe(0.75);
});
