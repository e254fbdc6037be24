import type { Counter, Gauge, Histogram, InstrumentOptions, Labels, Meter } from '@tulle/telemetry';
import { createCellStore } from './cells.ts';
import { CounterSeries, GaugeSeries, HistogramSeries, type Series } from './instruments.ts';
import { checkMetricName, labelText } from './label-text.ts';

/** Upper bounds in seconds, 0.5 ms to 10 s: what a histogram gets that names none. */
export const DEFAULT_BUCKETS: readonly number[] = Object.freeze([
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
]);

/** The series of one metric name. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** Histogram bounds; empty otherwise. */
  readonly bounds: Float64Array;
  /** By label text. */
  readonly series: Map<string, Series>;
  /** Read at scrape; by label text. */
  readonly observed: Map<string, () => number>;
}

/** A {@link Meter} whose numbers can be rendered and whose size is bounded. */
export interface Registry extends Meter {
  readonly families: ReadonlyMap<string, Family>;
  /** Series held now. */
  readonly seriesCount: number;
  /** Whether no further series fits. */
  readonly full: boolean;
  /** Counts updates that were not recorded for want of a series. */
  dropped(updates: number): void;
  /**
   * Has something done before the numbers are read, whoever reads them: e.g. idle series forgotten.
   * @returns stops it
   */
  beforeRead(prepare: () => void): () => void;
  /** Called by readers before they walk {@link families}. */
  prepare(): void;
  /**
   * Shows a measurement that was just taken as an example: OpenMetrics pages carry the latest of each bucket. Instruments
   * without a series of their own, and gauges, have none.
   * @param labels short: OpenMetrics allows 128 characters of names and values
   */
  exemplify(instrument: Counter | Histogram, value: number, labels: Labels, epochMs: number): void;
  /** Whether an instrument has a series of its own, i.e. was not made past the bound. */
  holds(instrument: Counter | Gauge | Histogram): boolean;
  /**
   * Gives an instrument back, once for each time it was asked for; with the last holder the series goes. A holder that
   * gave it back must not use it again: its cells serve the next series of the same shape.
   * @param instrument one that was made under this name; others are ignored
   */
  forget(name: string, instrument: Counter | Gauge | Histogram): void;
}

/** Bounds of a registry. */
export interface RegistryOptions {
  /**
   * Series (label combinations; a histogram counts as one) kept at most. Default 10,000: some 2 MiB of cells and
   * names, a scrape of a few MiB. Past it, new label combinations are not measured;
   * `tulle_telemetry_dropped_updates_total` counts what they would have recorded.
   */
  readonly maxSeries?: number;
}

/** Makes an empty registry that also measures itself (`tulle_telemetry_*`). */
export function createRegistry(options: RegistryOptions = {}): Registry {
  const maxSeries = options.maxSeries ?? 10_000;
  const cells = createCellStore();
  const families = new Map<string, Family>();
  const preparations = new Set<() => void>();
  let seriesCount = 0;
  let droppedUpdates = 0;
  const drop = (): void => {
    droppedUpdates += 1;
  };
  const overflow: Counter & Gauge & Histogram = { add: drop, set: drop, observe: drop };

  const family = (name: string, type: Family['type'], help: string, buckets?: readonly number[]): Family => {
    const known = families.get(name);
    if (known !== undefined) {
      if (known.type !== type)
        throw new TypeError(`${name} is a ${known.type} already and cannot be a ${type} too`);
      if (
        buckets !== undefined &&
        (buckets.length !== known.bounds.length || buckets.some((b, i) => b !== known.bounds[i]))
      ) {
        throw new TypeError(
          `${name} has the buckets ${known.bounds.join(', ')} already and cannot have ${buckets.join(', ')} too`,
        );
      }
      return known;
    }
    checkMetricName(name);
    const bounds = Float64Array.from(type === 'histogram' ? (buckets ?? DEFAULT_BUCKETS) : []);
    for (let i = 0; i < bounds.length; i++) {
      if (!Number.isFinite(bounds[i]) || (i > 0 && (bounds[i] as number) <= (bounds[i - 1] as number))) {
        throw new TypeError(
          `${name}: buckets must be finite and ascending (+Inf is added), not ${bounds.join(', ')}`,
        );
      }
    }
    const made: Family = { name, help, type, bounds, series: new Map(), observed: new Map() };
    families.set(name, made);
    return made;
  };

  const instrument = <S extends Series>(of: Family, labels: string, make: () => S): S | typeof overflow => {
    const known = of.series.get(labels);
    if (known !== undefined) {
      known.holders += 1;
      return known as S;
    }
    if (seriesCount >= maxSeries) return overflow;
    seriesCount += 1;
    const series = make();
    series.holders = 1;
    of.series.set(labels, series);
    return series;
  };

  const observed = (name: string, opts: InstrumentOptions, read: () => number): (() => void) => {
    const of = family(name, name.endsWith('_total') ? 'counter' : 'gauge', opts.help);
    const labels = labelText(name, opts.labels);
    if (!of.observed.has(labels)) {
      if (seriesCount >= maxSeries) {
        drop();
        return () => {};
      }
      seriesCount += 1;
    }
    of.observed.set(labels, read);
    return () => {
      // A newer generation may have taken the place: then it is not ours to stop.
      if (of.observed.get(labels) !== read) return;
      of.observed.delete(labels);
      seriesCount -= 1;
    };
  };

  const registry: Registry = {
    families,
    get seriesCount() {
      return seriesCount;
    },
    get full() {
      return seriesCount >= maxSeries;
    },
    dropped(updates) {
      droppedUpdates += updates;
    },
    beforeRead(prepare) {
      preparations.add(prepare);
      return () => preparations.delete(prepare);
    },
    prepare() {
      for (const prepare of preparations) prepare();
    },
    exemplify(made, value, labels, epochMs) {
      const bucket =
        made instanceof HistogramSeries ? made.bucketOf(value) : made instanceof CounterSeries ? 0 : -1;
      if (bucket < 0) return;
      const series = made as HistogramSeries | CounterSeries;
      series.exemplars ??= new Map();
      series.exemplars.set(bucket, { labels: labelText('exemplar', labels), value, epochMs });
    },
    holds: (made) => 'run' in made,
    counter(name, opts) {
      const labels = labelText(name, opts.labels);
      return instrument(
        family(name, 'counter', opts.help),
        labels,
        () => new CounterSeries(labels, cells.take(1)),
      );
    },
    gauge(name, opts) {
      const labels = labelText(name, opts.labels);
      return instrument(
        family(name, 'gauge', opts.help),
        labels,
        () => new GaugeSeries(labels, cells.take(1)),
      );
    },
    histogram(name, opts) {
      const labels = labelText(name, opts.labels, 'le');
      const of = family(name, 'histogram', opts.help, opts.buckets);
      const length = of.bounds.length + 2;
      return instrument(of, labels, () => new HistogramSeries(labels, cells.take(length), of.bounds));
    },
    observed,
    forget(name, made) {
      const of = families.get(name);
      if (of === undefined || !('run' in made)) return;
      const series = made as unknown as Series;
      if (of.series.get(series.labels) !== series) return;
      series.holders -= 1;
      if (series.holders > 0) return;
      of.series.delete(series.labels);
      cells.giveBack(series.run);
      seriesCount -= 1;
    },
  };

  observed(
    'tulle_telemetry_series',
    { help: 'Time series held by the metrics registry.' },
    () => seriesCount,
  );
  observed(
    'tulle_telemetry_series_limit',
    { help: 'Most time series that the registry will hold.' },
    () => maxSeries,
  );
  observed(
    'tulle_telemetry_dropped_updates_total',
    { help: 'Measurements not taken because the registry holds as many series as it may.' },
    () => droppedUpdates,
  );
  return registry;
}
