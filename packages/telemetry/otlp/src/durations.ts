import { createCellStore, HistogramSeries } from '@tulle/metrics';

/** Seconds: what the semantic conventions give for durations of HTTP and RPC. */
export const DURATION_BOUNDS: readonly number[] = Object.freeze([
  0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
]);

/** Attributes of one time series. */
export type MetricAttributes = Readonly<Record<string, string | number | boolean>>;

/** One time series of a duration. */
export interface DurationSeries {
  readonly attributes: MetricAttributes;
  readonly histogram: HistogramSeries;
  readonly startEpochMs: number;
  lastEpochMs: number;
}

/** One metric with its series. */
export interface DurationMetric {
  readonly name:
    | 'http.server.request.duration'
    | 'http.client.request.duration'
    | 'rpc.server.call.duration'
    | 'rpc.client.call.duration';
  readonly description: string;
  /** By what they count; never more than the bound and one for all others. */
  readonly series: ReadonlyMap<string, DurationSeries>;
}

/**
 * Attribute of the one series that takes what does not fit (OpenTelemetry metrics SDK, cardinality limits): sums over all
 * series stay right.
 */
const OVERFLOW: MetricAttributes = Object.freeze({ 'otel.metric.overflow': true });

const BOUNDS = Float64Array.from(DURATION_BOUNDS);

/** Time series of one metric, bounded. */
export class Durations implements DurationMetric {
  readonly name: DurationMetric['name'];
  readonly description: string;
  readonly series: Map<string, DurationSeries> = new Map<string, DurationSeries>();
  readonly #cells = createCellStore();

  constructor(name: DurationMetric['name'], description: string) {
    this.name = name;
    this.description = description;
  }

  get(key: string): DurationSeries | undefined {
    return this.series.get(key);
  }

  add(
    key: string,
    maxSeries: number,
    startEpochMs: number,
    attributes: () => MetricAttributes,
  ): DurationSeries {
    const fits = this.series.size < maxSeries;
    const made = fits ? undefined : this.series.get('');
    if (made !== undefined) return made;
    const series: DurationSeries = {
      attributes: fits ? Object.freeze(attributes()) : OVERFLOW,
      histogram: new HistogramSeries('', this.#cells.take(BOUNDS.length + 2), BOUNDS),
      startEpochMs,
      lastEpochMs: startEpochMs,
    };
    this.series.set(fits ? key : '', series);
    return series;
  }

  expire(beforeEpochMs: number): void {
    for (const [key, series] of this.series) {
      if (series.lastEpochMs >= beforeEpochMs) continue;
      this.series.delete(key);
      this.#cells.giveBack(series.histogram.run);
    }
  }
}
