import { quantile, sumBuckets, type Sample } from './metrics-page.ts';

/** By what requests are put together. */
export type GroupBy = 'service' | 'route' | 'workload' | 'source';

/** Rate, errors and durations of one group of requests. */
export interface GoldenSignals {
  readonly namespace: string;
  /** The Service that was called; the workload on its own side, where that is all its proxy knows. */
  readonly service: string;
  /** Whose proxy counted: the caller's, or the called one's. */
  readonly side: 'client' | 'server';
  /** What it is grouped by beside the service. */
  readonly by?: string;
  readonly requests: number;
  /** Requests a second. */
  readonly rps: number;
  /** Share of requests that did not fail, 0 to 1; undefined without requests. */
  readonly success: number | undefined;
  readonly latencyMsP50: number | undefined;
  readonly latencyMsP95: number | undefined;
  readonly latencyMsP99: number | undefined;
}

/** Counters of one proxy over a time. */
export interface CountedInterval {
  readonly seconds: number;
  readonly samples: readonly Sample[];
}

const BY: Readonly<Record<GroupBy, (labels: Sample['labels']) => string | undefined>> = {
  service: () => undefined,
  route: (labels) => labels['route'],
  workload: (labels) => `${labels['destination_workload']} ${labels['destination_version']}`,
  source: (labels) => `${labels['source_workload']}.${labels['source_namespace']}`,
};

/**
 * Golden signals from the request metrics of proxies, in Tulle's own words (`tulle_requests_total`,
 * `tulle_request_duration_seconds`). Rates of proxies that were looked at for different times add up.
 */
export function goldenSignals(intervals: readonly CountedInterval[], by: GroupBy): GoldenSignals[] {
  const groups = new Map<
    string,
    { readonly first: Sample; requests: number; failures: number; rps: number; readonly buckets: Sample[] }
  >();
  for (const { seconds, samples } of intervals)
    for (const sample of samples) {
      const counts = sample.name === 'tulle_requests_total';
      if (!counts && sample.name !== 'tulle_request_duration_seconds_bucket') continue;
      const { labels } = sample;
      const key = JSON.stringify([
        labels['destination_namespace'],
        labels['destination_service'],
        labels['direction'],
        BY[by](labels),
      ]);
      let group = groups.get(key);
      if (group === undefined)
        groups.set(key, (group = { first: sample, requests: 0, failures: 0, rps: 0, buckets: [] }));
      if (!counts) group.buckets.push(sample);
      else {
        group.requests += sample.value;
        group.rps += sample.value / seconds;
        if (labels['outcome'] === 'failure') group.failures += sample.value;
      }
    }
  return [...groups.values()].map(({ first: { labels }, requests, failures, rps, buckets }) => {
    const all = sumBuckets(buckets);
    const ms = (q: number): number | undefined => {
      const seconds = quantile(q, all);
      return seconds === undefined ? undefined : seconds * 1000;
    };
    const group = BY[by](labels);
    return {
      namespace: labels['destination_namespace'] ?? '',
      service: labels['destination_service'] ?? '',
      side: labels['direction'] === 'inbound' ? 'server' : 'client',
      ...(group === undefined ? {} : { by: group }),
      requests,
      rps,
      success: requests === 0 ? undefined : 1 - failures / requests,
      latencyMsP50: ms(0.5),
      latencyMsP95: ms(0.95),
      latencyMsP99: ms(0.99),
    };
  });
}
