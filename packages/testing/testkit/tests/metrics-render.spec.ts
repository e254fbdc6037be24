import fc from 'fast-check';
import { Counter, Gauge, Histogram, Registry as PromRegistry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { labelKey, parseMetricsPage, type ParsedFamily } from '../src/index.ts';
import { createRegistry, renderText } from '@tulle/metrics';

const nasty = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    '"} 1\nforged_total 9',
    '\\',
    '\\n',
    '"',
    'a\nb',
    '\r\n',
    '\u2028',
    '\ud800',
    '{}',
    ',x="y"',
    '',
  ),
);

const withoutOwn = (families: Map<string, ParsedFamily>): Map<string, ParsedFamily> =>
  new Map([...families].filter(([name]) => !name.startsWith('tulle_telemetry_')));

describe('text of the metrics', () => {
  it('carries any label value so that no value can forge a label, a sample or a line', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(nasty, nasty), {
          maxLength: 20,
          selector: ([a, b]) => `${a.toWellFormed()}\0${b.toWellFormed()}`,
        }),
        (pairs) => {
          for (const format of ['prometheus', 'openmetrics'] as const) {
            const registry = createRegistry();
            pairs.forEach(([a, b], i) => {
              registry
                .counter('a_total', { help: 'A "quoted" \\ thing\nsecond', labels: { a, b } })
                .add(i + 1);
            });
            const families = withoutOwn(parseMetricsPage([...renderText(registry, format)].join(''), format));
            expect([...families.keys()]).toEqual(
              pairs.length === 0 ? [] : [format === 'openmetrics' ? 'a' : 'a_total'],
            );
            const samples = [...families.values()].flatMap((f) => f.samples);
            expect(samples.map((s) => [s.labels['a'], s.labels['b'], s.value])).toEqual(
              pairs.map(([a, b], i) => [a.toWellFormed(), b.toWellFormed(), i + 1]),
            );
          }
        },
      ),
    );
  });

  it('agrees with prom-client, sample for sample', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.tuple(
            nasty.map((s) => s.toWellFormed()),
            fc.double({ min: 0, max: 1e9, noNaN: true }),
          ),
          { maxLength: 30 },
        ),
        async (events) => {
          const ours = createRegistry();
          const theirs = new PromRegistry();
          const common = { help: 'Help.', registers: [theirs], labelNames: ['l'] };
          const c = new Counter({ name: 'c_total', ...common });
          const g = new Gauge({ name: 'g', ...common });
          const h = new Histogram({ name: 'h', ...common, buckets: [0.5, 1, 1e6] });
          for (const [l, v] of events) {
            const options = { help: 'Help.', labels: { l } };
            ours.counter('c_total', options).add(v);
            ours.gauge('g', options).set(v);
            ours.histogram('h', { ...options, buckets: [0.5, 1, 1e6] }).observe(v);
            c.inc({ l }, v);
            g.set({ l }, v);
            h.observe({ l }, v);
          }
          const flat = (text: string): string[] =>
            [...withoutOwn(parseMetricsPage(text, 'prometheus')).values()]
              .flatMap((f) => f.samples.map((s) => `${f.type} ${s.name} ${labelKey(s.labels)} ${s.value}`))
              .sort();
          expect(flat([...renderText(ours, 'prometheus')].join(''))).toEqual(
            flat((await theirs.metrics()).replaceAll('\n\n', '\n')),
          );
        },
      ),
      { numRuns: 50 },
    );
  });

  it('comes in pieces under 64 KiB also with the longest labels, and a histogram stays consistent between pieces', () => {
    const registry = createRegistry();
    const long = '\u20ac'.repeat(2000);
    const histograms = Array.from({ length: 40 }, (_, i) =>
      registry.histogram('h', { help: 'H.', labels: { i: String(i), long } }),
    );
    let text = '';
    let pieces = 0;
    for (const piece of renderText(registry, 'prometheus')) {
      expect(Buffer.byteLength(piece)).toBeLessThanOrEqual(64 * 1024);
      for (const h of histograms) h.observe(Math.random());
      text += piece;
      pieces++;
    }
    expect(pieces).toBeGreaterThan(10);
    parseMetricsPage(text, 'prometheus');
  });

  it('shows exemplars where OpenMetrics wants them: the latest of each bucket, on buckets and counters only', () => {
    const registry = createRegistry();
    const h = registry.histogram('h', { help: 'H.', labels: { a: '1' }, buckets: [1, 10] });
    const c = registry.counter('c_total', { help: 'C.' });
    const g = registry.gauge('g', { help: 'G.' });
    for (const [i, value] of [0.5, 1, 5, 50].entries()) {
      h.observe(value);
      registry.exemplify(h, value, { trace_id: `t${i}` }, 1_700_000_000_000 + i);
    }
    c.add(2);
    registry.exemplify(c, 2, { trace_id: 'tc', span_id: 's' }, 1_700_000_000_500);
    registry.exemplify(g, 1, { trace_id: 'tg' }, 0);
    const families = parseMetricsPage([...renderText(registry, 'openmetrics')].join(''), 'openmetrics');
    expect(families.get('h')?.samples.map(({ labels, exemplar }) => [labels['le'], exemplar])).toEqual([
      ['1.0', { labels: { trace_id: 't1' }, value: 1, epochSeconds: 1_700_000_000.001 }],
      ['10.0', { labels: { trace_id: 't2' }, value: 5, epochSeconds: 1_700_000_000.002 }],
      ['+Inf', { labels: { trace_id: 't3' }, value: 50, epochSeconds: 1_700_000_000.003 }],
      [undefined, undefined],
      [undefined, undefined],
    ]);
    expect(families.get('c')?.samples[0]?.exemplar?.labels).toEqual({ trace_id: 'tc', span_id: 's' });
    // The old text format has no exemplars, and the parser would refuse them.
    parseMetricsPage([...renderText(registry, 'prometheus')].join(''), 'prometheus');
  });

  it('leaves out what is not included', () => {
    const registry = createRegistry();
    registry.counter('a_total', { help: 'A.' }).add();
    registry.counter('b_total', { help: 'B.' }).add();
    const text = [...renderText(registry, 'prometheus', (name) => name !== 'a_total')].join('');
    expect([...withoutOwn(parseMetricsPage(text, 'prometheus')).keys()]).toEqual(['b_total']);
  });
});
