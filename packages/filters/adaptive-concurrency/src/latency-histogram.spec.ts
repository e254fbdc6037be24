import fc from 'fast-check';
import { expect, it } from 'vitest';
import { LatencyHistogram } from './latency-histogram.ts';

it('gives percentiles that are right to 1/32, as the sorted samples do', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0, max: 4_000_000, noNaN: true }), { minLength: 1, maxLength: 200 }),
      fc.double({ min: 0, max: 100, noNaN: true }),
      (samples, percent) => {
        const histogram = new LatencyHistogram();
        for (const sample of samples) histogram.record(sample);
        const sorted = samples.toSorted((a, b) => a - b);
        const rank = Math.max(Math.ceil((samples.length * percent) / 100), 1);
        const exact = sorted[rank - 1] as number;
        expect(Math.abs(histogram.percentile(percent) - exact)).toBeLessThanOrEqual(exact / 32 + 0.001);
        histogram.reset();
        expect([histogram.count, histogram.percentile(percent)]).toEqual([0, 0]);
      },
    ),
  );
});

it('takes what cannot be: less than nothing, more than an hour', () => {
  const histogram = new LatencyHistogram();
  histogram.record(-1);
  expect(histogram.percentile(100)).toBe(0);
  histogram.record(1e12);
  expect(histogram.percentile(100)).toBeGreaterThan(4_000_000);
});
