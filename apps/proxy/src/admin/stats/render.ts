import { QUANTILES, quantileOf, type Histogram, type Stat } from './stat.ts';

/** `name: value`, sorted; histograms last, as Envoy has them. */
export function statsText(stats: readonly Stat[]): string {
  const lines = stats.flatMap((stat) => (stat.kind === 'histogram' ? [] : [`${stat.name}: ${stat.value}\n`]));
  const histograms = stats.flatMap((stat) =>
    stat.kind === 'histogram' ? [`${stat.name}: ${summary(stat.histogram)}\n`] : [],
  );
  return [...lines.toSorted(), ...histograms.toSorted()].join('');
}

/** Envoy prints the last interval and all of it; there are no intervals here. */
function summary(histogram: Histogram): string {
  if (histogram.count === 0) return 'No recorded values';
  return QUANTILES.map((percent) => `P${percent}(nan,${number(quantileOf(histogram, percent) ?? 0)})`).join(
    ' ',
  );
}

const number = (value: number): string => String(Number(value.toPrecision(6)));

/** Envoy's `/stats?format=json`. */
export function statsJson(stats: readonly Stat[]): unknown {
  const histograms = stats.filter((stat) => stat.kind === 'histogram').toSorted(byName);
  return {
    stats: [
      ...stats
        .filter((stat) => stat.kind !== 'histogram')
        .toSorted(byName)
        .map(({ name, value }) => ({ name, value })),
      ...(histograms.length === 0
        ? []
        : [
            {
              histograms: {
                supported_quantiles: QUANTILES,
                computed_quantiles: histograms.map(({ name, histogram }) => ({
                  name,
                  values: QUANTILES.map((percent) => ({
                    interval: null,
                    cumulative: quantileOf(histogram, percent) ?? null,
                  })),
                })),
              },
            },
          ]),
    ],
  };
}

const byName = (a: { readonly name: string }, b: { readonly name: string }): number =>
  a.name < b.name ? -1 : 1;

/** Prometheus's text format with Envoy's names and tags. */
export function statsPrometheus(stats: readonly Stat[]): string {
  const families = Map.groupBy(stats, ({ tagless }) => tagless.replace(/[^a-zA-Z0-9_]/g, '_'));
  return [...families]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, members]) => {
      const full = `envoy_${name}`;
      const [first] = members;
      return [
        `# TYPE ${full} ${first?.kind ?? 'untyped'}`,
        ...members.flatMap((stat) => samplesOf(full, stat)),
        '',
      ].join('\n');
    })
    .join('');
}

function samplesOf(full: string, stat: Stat): string[] {
  const tags = Object.entries(stat.tags).map(([key, value]) => `envoy_${key}="${escaped(value)}"`);
  const labels = (more: readonly string[] = []): string => `{${[...tags, ...more].join(',')}}`;
  if (stat.kind !== 'histogram') return [`${full}${labels()} ${stat.value}`];
  const { buckets, sum, count } = stat.histogram;
  return [
    ...buckets.map(
      ({ le, count: upTo }) => `${full}_bucket${labels([`le="${le === Infinity ? '+Inf' : le}"`])} ${upTo}`,
    ),
    `${full}_sum${labels()} ${sum}`,
    `${full}_count${labels()} ${count}`,
  ];
}

const escaped = (value: string): string =>
  value.replace(/[\\"\n]/g, (char) => (char === '\n' ? '\\n' : `\\${char}`));
