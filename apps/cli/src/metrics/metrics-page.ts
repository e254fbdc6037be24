/** One number of a page in Prometheus' text format. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** Name and labels as they stand, for comparing two pages. */
  readonly key: string;
}

const LINE =
  /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\]|\\.)*",?)*)\})? (\S+)(?: # \{.*)?$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n' };

/** Reads a page of metrics (Prometheus text format 0.0.4); lines that are no sample are left out. */
export function readMetrics(text: string): Sample[] {
  return text.split('\n').flatMap((line) => {
    if (line === '' || line.startsWith('#')) return [];
    const [, name, labels = '', value] = LINE.exec(line) ?? [];
    if (name === undefined || value === undefined) return [];
    return [
      {
        name,
        labels: Object.fromEntries(
          [...labels.matchAll(LABEL)].map(([, label = '', quoted = '']) => [
            label,
            quoted.replace(/\\(.)/g, (_, escaped: string) => ESCAPES[escaped] ?? escaped),
          ]),
        ),
        value: value === '+Inf' ? Infinity : Number(value),
        key: `${name}{${labels}}`,
      },
    ];
  });
}

/**
 * What was counted between two pages of one process. A number that fell was begun again: all of it is new.
 * @param before absent: since the process began
 */
export function increase(after: readonly Sample[], before: readonly Sample[] | undefined): Sample[] {
  const values = new Map(before?.map(({ key, value }) => [key, value]));
  return after.map((sample) => {
    const was = values.get(sample.key) ?? 0;
    return { ...sample, value: sample.value >= was ? sample.value - was : sample.value };
  });
}

/** A histogram, counted up: upper bounds in order, the last infinite. */
export type Buckets = readonly { readonly le: number; readonly count: number }[];

/** Adds the buckets of several series of one histogram. */
export function sumBuckets(samples: readonly Sample[]): Buckets {
  const counts = new Map<number, number>();
  for (const { labels, value } of samples) {
    const le = labels['le'] === '+Inf' ? Infinity : Number(labels['le']);
    counts.set(le, (counts.get(le) ?? 0) + value);
  }
  return [...counts].map(([le, count]) => ({ le, count })).toSorted((a, b) => a.le - b.le);
}

/**
 * A quantile as `histogram_quantile` of Prometheus estimates it: within a bucket evenly spread. Past the last bound it is
 * that bound.
 * @param q 0 to 1
 * @returns undefined when nothing was counted
 */
export function quantile(q: number, buckets: Buckets): number | undefined {
  const total = buckets.at(-1)?.count ?? 0;
  if (total === 0) return undefined;
  const rank = q * total;
  let [below, from] = [0, 0];
  for (const { le, count } of buckets) {
    if (count >= rank && count > below)
      return le === Infinity ? from : from + ((le - from) * (rank - below)) / (count - below);
    [below, from] = [count, le === Infinity ? from : le];
  }
  return from;
}
