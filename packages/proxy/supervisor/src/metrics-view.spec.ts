import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createMetricsView, type ProcessPage } from './metrics-view.ts';

const counter = (samples: Readonly<Record<string, number>>): string =>
  `# HELP c_total Things.\n# TYPE c_total counter\n${Object.entries(samples)
    .map(([labels, value]) => `c_total${labels} ${value}\n`)
    .join('')}`;
const gauge = (value: number): string => `# HELP g Level.\n# TYPE g gauge\ng{a="b"} ${value}\n`;

const page = (slot: number, generation: number, text: string | undefined, current = true): ProcessPage => ({
  slot,
  generation,
  current,
  text,
});

const valueOf = (text: string, key: string): number | undefined => {
  const line = text.split('\n').find((one) => one.startsWith(`${key} `));
  return line === undefined ? undefined : Number(line.slice(key.length + 1));
};

describe('metrics of several processes', () => {
  it('are the page itself while there is one process', () => {
    const text = `${counter({ '{l="x y} 3"}': 4 })}odd line\n`;
    expect(createMetricsView().merge([page(0, 1, text)])).toBe(text);
  });

  it('count samples that have an exemplar, and show none of them in a sum', () => {
    const text = (n: number): string =>
      `# HELP h Time.\n# TYPE h histogram\nh_bucket{le="+Inf"} ${n} # {trace_id="0a # b"} 0.5 1700000000.123\nh_sum 1.5\nh_count ${n}\n# EOF\n`;
    expect(createMetricsView().merge([page(0, 1, text(3))])).toBe(text(3));
    expect(createMetricsView().merge([page(0, 1, text(3)), page(1, 2, text(4))])).toBe(
      '# HELP h Time.\n# TYPE h histogram\nh_bucket{le="+Inf"} 7\nh_sum 3\nh_count 7\n# EOF\n',
    );
  });

  it('sum counters and histograms by name and labels, and put gauges together by rule', () => {
    const level = (name: string, value: number): string =>
      `# HELP ${name} Level.\n# TYPE ${name} gauge\n${name} ${value}\n`;
    const names = [
      'cx_active',
      'membership_healthy',
      'server_live',
      'telemetry_series',
      'resident_memory_bytes',
    ];
    const [one, two] = [3, 4].map((value) => names.map((name) => level(name, value)).join(''));
    const text = createMetricsView().merge([page(0, 1, one), page(1, 2, two)]);
    expect(names.map((name) => valueOf(text, name))).toEqual([7, 3, 4, 4, 7]);
  });

  it('tell gauges apart by worker where that is asked', () => {
    const histogram = (n: number): string =>
      `# HELP h Time.\n# TYPE h histogram\nh_bucket{le="1"} ${n}\nh_bucket{le="+Inf"} ${n + 1}\nh_sum 1.5\nh_count ${n + 1}\n`;
    const text = createMetricsView(undefined, true).merge([
      page(0, 1, counter({ '{l="a b\\" 7"}': 1, '': 2 }) + histogram(3) + gauge(5)),
      page(1, 2, counter({ '{l="a b\\" 7"}': 10, '{l="z"}': 1 }) + histogram(4) + gauge(6)),
    ]);
    expect(text).toBe(
      '# HELP c_total Things.\n# TYPE c_total counter\nc_total{l="a b\\" 7"} 11\nc_total 2\nc_total{l="z"} 1\n' +
        '# HELP h Time.\n# TYPE h histogram\nh_bucket{le="1"} 7\nh_bucket{le="+Inf"} 9\nh_sum 3\nh_count 9\n' +
        '# HELP g Level.\n# TYPE g gauge\ng{a="b",worker="0"} 5\ng{a="b",worker="1"} 6\n',
    );
  });

  it('leave gauges of a draining process out', () => {
    const text = createMetricsView().merge([page(0, 1, gauge(5), false), page(0, 2, gauge(6))]);
    expect(valueOf(text, 'g{a="b"}')).toBe(6);
  });

  it('keep what an ended process said last, and what one forgot while another still has it', () => {
    const view = createMetricsView();
    view.merge([page(0, 1, counter({ '': 5 }))]);
    expect(valueOf(view.merge([page(0, 2, counter({ '': 1 }))]), 'c_total')).toBe(6);
    expect(valueOf(view.merge([page(0, 2, counter({})), page(1, 3, counter({ '': 2 }))]), 'c_total')).toBe(8);
  });

  it('forget the sums of ended processes ten minutes after the last process forgot the series', () => {
    let now = 0;
    const view = createMetricsView(() => now);
    view.merge([page(0, 1, counter({ '': 5 }))]);
    view.merge([page(0, 2, counter({ '': 1 }))]);
    now = 599_000;
    expect(valueOf(view.merge([page(0, 2, counter({}))]), 'c_total')).toBe(6);
    now += 600_001;
    expect(valueOf(view.merge([page(0, 2, counter({}))]), 'c_total')).toBeUndefined();
  });

  it('end in # EOF where the pages do', () => {
    const text = createMetricsView().merge([
      page(0, 1, `${gauge(1)}# EOF\n`),
      page(1, 2, `${gauge(2)}# EOF\n`),
    ]);
    expect(text.match(/# EOF\n/g)).toHaveLength(1);
    expect(text.endsWith('# EOF\n')).toBe(true);
  });

  it('never fall, whatever processes come, go, drain and fail to answer between scrapes', () => {
    const step = fc.record({
      slot: fc.nat(2),
      what: fc.constantFrom('count', 'count', 'restart', 'crash', 'silent'),
      by: fc.nat(100),
    });
    fc.assert(
      fc.property(fc.array(fc.array(step, { maxLength: 4 }), { maxLength: 20 }), (scrapes) => {
        const view = createMetricsView(() => 0);
        let generation = 3;
        let shown = 0;
        let draining: { generation: number; slot: number; count: number }[] = [];
        const processes = [0, 1, 2].map((slot) => ({ slot, generation: slot + 1, count: 0 }));
        view.merge(processes.map((p) => page(p.slot, p.generation, counter({ '': 0 }))));
        for (const steps of scrapes) {
          const silent = new Set<number>();
          draining = [];
          for (const { slot, what, by } of steps) {
            const process = processes[slot] as (typeof processes)[number];
            if (what === 'count') process.count += by;
            else if (what === 'silent') silent.add(process.generation);
            else {
              if (what === 'restart') draining.push({ ...process });
              process.generation = ++generation;
              process.count = 0;
            }
          }
          const text = view.merge([
            ...processes.map((p) =>
              page(p.slot, p.generation, silent.has(p.generation) ? undefined : counter({ '': p.count })),
            ),
            ...draining.map((p) => page(p.slot, p.generation, counter({ '': p.count }), false)),
          ]);
          const sum = valueOf(text, 'c_total') ?? 0;
          expect(sum).toBeGreaterThanOrEqual(shown);
          shown = sum;
        }
      }),
    );
  });
});
