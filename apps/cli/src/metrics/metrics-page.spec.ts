import { expect, it } from 'vitest';
import { increase, quantile, readMetrics, sumBuckets } from './metrics-page.ts';

it('reads names, labels with whatever is in them, and numbers', () => {
  expect(
    readMetrics(
      '# HELP a x\na 1\nb_total{x="1",path="/a\\"b\\\\,}"} 2.5 # {trace_id="1"} 0.1\nc{le="+Inf"} +Inf\nnonsense\n',
    ),
  ).toEqual([
    { name: 'a', labels: {}, value: 1, key: 'a{}' },
    {
      name: 'b_total',
      labels: { x: '1', path: '/a"b\\,}' },
      value: 2.5,
      key: 'b_total{x="1",path="/a\\"b\\\\,}"}',
    },
    { name: 'c', labels: { le: '+Inf' }, value: Infinity, key: 'c{le="+Inf"}' },
  ]);
});

it('counts what came between two pages, also over a restart and for series that are new', () => {
  const [before, after] = [readMetrics('a 10\nb 7\n'), readMetrics('a 12\nb 3\nc 4\n')];
  expect(increase(after, before).map(({ value }) => value)).toEqual([2, 3, 4]);
  expect(increase(after, undefined).map(({ value }) => value)).toEqual([12, 3, 4]);
});

it('estimates quantiles as Prometheus does, over all series together', () => {
  const page = (counts: readonly number[]): string =>
    counts.map((count, i) => `h_bucket{le="${['0.1', '0.2', '+Inf'][i]}"} ${count}\n`).join('');
  const buckets = sumBuckets([...readMetrics(page([5, 10, 10])), ...readMetrics(page([0, 10, 20]))]);
  expect(buckets).toEqual([
    { le: 0.1, count: 5 },
    { le: 0.2, count: 20 },
    { le: Infinity, count: 30 },
  ]);
  expect(quantile(0.1, buckets)).toBeCloseTo(0.06);
  expect(quantile(0.5, buckets)).toBeCloseTo(0.1 + (0.1 * 10) / 15);
  expect(quantile(0.99, buckets)).toBe(0.2); // somewhere past the last bound
  expect(quantile(0.5, [])).toBeUndefined();
  expect(quantile(0.5, [{ le: Infinity, count: 0 }])).toBeUndefined();
});
