/** A tag that Envoy takes out of a name. */
export type Tags = Readonly<Record<string, string>>;

/** A statistic with Envoy's name. */
export type Stat = {
  /** As `/stats` has it: `cluster.web.upstream_rq_2xx`. */
  readonly name: string;
  /** As Prometheus gets it, without the prefix `envoy_`: `cluster_upstream_rq_xx`. */
  readonly tagless: string;
  readonly tags: Tags;
} & (
  | { readonly kind: 'counter' | 'gauge'; value: number }
  | { readonly kind: 'histogram'; readonly histogram: Histogram }
);

/** What a histogram holds: its observations are at most as large as a bucket's bound. */
export interface Histogram {
  /** Bounds, ascending, with the count of all observations up to each. */
  readonly buckets: { readonly le: number; count: number }[];
  count: number;
  sum: number;
}

/** Percentiles that Envoy prints. */
export const QUANTILES: readonly number[] = [0, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 100];

/** By linear interpolation within a bucket. @returns `undefined` where nothing was observed */
export function quantileOf({ buckets, count }: Histogram, percent: number): number | undefined {
  if (count === 0) return undefined;
  const wanted = (percent / 100) * count;
  let before = { le: 0, count: 0 };
  for (const bucket of buckets) {
    if (bucket.count >= wanted && bucket.count > before.count) {
      if (bucket.le === Infinity) return before.le;
      const share = (wanted - before.count) / (bucket.count - before.count);
      return before.le + (bucket.le - before.le) * Math.max(0, share);
    }
    before = bucket;
  }
  return before.le;
}
