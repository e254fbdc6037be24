import { describe, expect, it } from 'vitest';
import { parseMetricsPage } from '../src/index.ts';
import { createRegistry, renderText } from '@tulle/metrics';

const page = (registry: ReturnType<typeof createRegistry>): ReturnType<typeof parseMetricsPage> =>
  parseMetricsPage([...renderText(registry, 'prometheus')].join(''), 'prometheus');

const value = (
  registry: ReturnType<typeof createRegistry>,
  name: string,
  labels: Record<string, string> = {},
): number | undefined => {
  for (const family of page(registry).values()) {
    const found = family.samples.find(
      (s) => s.name === name && JSON.stringify(s.labels) === JSON.stringify(labels),
    );
    if (found !== undefined) return found.value;
  }
  return undefined;
};

describe('registry', () => {
  it('gives the same instrument for the same name and labels, in any label order', () => {
    const registry = createRegistry();
    registry.counter('a_total', { help: 'A.', labels: { x: '1', y: '2' } }).add(2);
    registry.counter('a_total', { help: 'A.', labels: { y: '2', x: '1' } }).add(3);
    expect(value(registry, 'a_total', { x: '1', y: '2' })).toBe(5);
  });

  it('keeps a counter from going down or becoming NaN', () => {
    const registry = createRegistry();
    const counter = registry.counter('a_total', { help: 'A.' });
    counter.add();
    counter.add(-5);
    counter.add(Number.NaN);
    expect(value(registry, 'a_total')).toBe(1);
  });

  it('puts an observation into the bucket whose upper bound includes it', () => {
    const registry = createRegistry();
    const h = registry.histogram('h', { help: 'H.', buckets: [1, 2] });
    for (const v of [0, 1, 1.5, 2, 2.5, Number.NaN]) h.observe(v);
    expect(value(registry, 'h_bucket', { le: '1' })).toBe(2);
    expect(value(registry, 'h_bucket', { le: '2' })).toBe(4);
    expect(value(registry, 'h_bucket', { le: '+Inf' })).toBe(5);
    expect(value(registry, 'h_sum')).toBe(7);
  });

  it('refuses one name with two types, other buckets, and names that no scraper reads', () => {
    const registry = createRegistry();
    registry.counter('a', { help: 'A.' });
    expect(() => registry.gauge('a', { help: 'A.' })).toThrow(/a is a counter already/);
    registry.histogram('h', { help: 'H.', buckets: [1] });
    expect(() => registry.histogram('h', { help: 'H.', buckets: [2] })).toThrow(/has the buckets 1 already/);
    expect(() => registry.histogram('g', { help: 'H.', buckets: [2, 1] })).toThrow(/ascending/);
    expect(() => registry.counter('a-b', { help: 'A.' })).toThrow(/"a-b" is no metric name/);
    expect(() => registry.counter('c', { help: 'A.', labels: { 'x"': '' } })).toThrow(/is no label name/);
    expect(() => registry.histogram('i', { help: 'A.', labels: { le: '1' } })).toThrow(
      /"le" is no label name/,
    );
  });

  it('holds no more series than its bound and counts what it did not measure', () => {
    const registry = createRegistry({ maxSeries: 5 }); // three of them are its own
    for (let i = 0; i < 10; i++) registry.counter('a_total', { help: 'A.', labels: { i: String(i) } }).add();
    expect(registry.seriesCount).toBe(5);
    expect(page(registry).get('a_total')?.samples).toHaveLength(2);
    expect(value(registry, 'tulle_telemetry_dropped_updates_total')).toBe(8);
  });

  it('frees a series with its last holder, and a stranger cannot free it', () => {
    const registry = createRegistry({ maxSeries: 4 });
    const a = registry.counter('a_total', { help: 'A.' });
    registry.counter('a_total', { help: 'A.' });
    a.add(7);
    registry.forget('b_total', a);
    registry.forget('a_total', a);
    expect(value(registry, 'a_total')).toBe(7);
    registry.forget('a_total', a);
    expect(value(registry, 'a_total')).toBeUndefined();
    registry.counter('b_total', { help: 'B.' }).add();
    expect(value(registry, 'b_total')).toBe(1);
  });

  it('reads observed numbers at scrape; a newer reader takes the place and an older stop does not remove it', () => {
    const registry = createRegistry();
    const stopOld = registry.observed('pool_size', { help: 'P.' }, () => 1);
    const stopNew = registry.observed('pool_size', { help: 'P.' }, () => 2);
    stopOld();
    expect(value(registry, 'pool_size')).toBe(2);
    stopNew();
    expect(value(registry, 'pool_size')).toBeUndefined();
    registry.observed('broken', { help: 'B.' }, () => {
      throw new Error('no');
    });
    expect(value(registry, 'broken')).toBeNaN();
  });
});
