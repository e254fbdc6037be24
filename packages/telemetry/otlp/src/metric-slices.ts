import type { Attributes, HrTime, ValueType } from '@opentelemetry/api';
import type { AggregationTemporality, DataPointType, MetricData } from '@opentelemetry/sdk-metrics';
import { parseLabelText, type Family, type Registry } from '@tulle/metrics';
import { DURATION_BOUNDS } from './durations.ts';
import type { RequestMetrics } from './request-metrics.ts';
import { hrTime } from './span.ts';

// The numbers of the SDK's enumerations, which are not loaded for them.
const DOUBLE: ValueType = 1;
const CUMULATIVE: AggregationTemporality = 1;
const HISTOGRAM: DataPointType.HISTOGRAM = 0;
const GAUGE: DataPointType.GAUGE = 2;
const SUM: DataPointType.SUM = 3;

/** Where the numbers come from. */
export interface MetricSources {
  readonly requests: RequestMetrics;
  /** What engine and filters count, under the names it has there; undefined: nothing of that. */
  readonly registry: Registry | undefined;
  /** Since when the registry counts. */
  readonly startEpochMs: number;
}

/**
 * All metrics in slices of at most `maxPoints` data points, so that encoding one never stalls the loop. Numbers are read
 * when their slice is made; those of one histogram together.
 */
export function* metricSlices(
  sources: MetricSources,
  nowEpochMs: number,
  maxPoints: number,
): Generator<MetricData[], void, undefined> {
  const now = hrTime(nowEpochMs);
  let slice: MetricData[] = [];
  let points = 0;
  const metrics = [...requestData(sources.requests, now), ...registryData(sources, now)];
  for (const { empty, next } of metrics) {
    let data = empty();
    for (let point = next(); point !== undefined; point = next()) {
      if (data.dataPoints.length === 0) slice.push(data);
      (data.dataPoints as unknown[]).push(point);
      if (++points < maxPoints) continue;
      yield slice;
      slice = [];
      points = 0;
      data = empty();
    }
  }
  if (points > 0) yield slice;
}

/** One metric: its data without points, and its points one by one. */
interface Walk {
  readonly empty: () => MetricData;
  readonly next: () => { readonly attributes: Attributes } | undefined;
}

function* requestData(requests: RequestMetrics, now: HrTime): Generator<Walk> {
  for (const metric of requests.metrics) {
    const series = metric.series.values();
    yield {
      empty: () => histogramData(metric.name, metric.description, 's'),
      next() {
        const { value: one, done } = series.next();
        if (done === true) return undefined;
        const { chunk, at, length } = one.histogram.run;
        return histogramPoint(
          chunk.subarray(at, at + length),
          DURATION_BOUNDS,
          one.attributes,
          hrTime(one.startEpochMs),
          now,
        );
      },
    };
  }
}

function* registryData({ registry, startEpochMs }: MetricSources, now: HrTime): Generator<Walk> {
  if (registry === undefined) return;
  const start = hrTime(startEpochMs);
  for (const family of registry.families.values()) {
    const series = family.series.values();
    const bounds = [...family.bounds];
    const observed = family.observed.entries();
    yield {
      empty: () => emptyData(family),
      next() {
        const { value: one, done } = series.next();
        if (done !== true) {
          const { chunk, at, length } = one.run;
          const attributes = parseLabelText(one.labels);
          return family.type === 'histogram'
            ? histogramPoint(chunk.subarray(at, at + length), bounds, attributes, start, now)
            : { attributes, startTime: start, endTime: now, value: chunk[at] as number };
        }
        for (let entry = observed.next(); entry.done !== true; entry = observed.next()) {
          const [labels, read] = entry.value;
          const value = readSafely(read);
          if (!Number.isNaN(value))
            return { attributes: parseLabelText(labels), startTime: start, endTime: now, value };
        }
        return undefined;
      },
    };
  }
}

function emptyData(family: Family): MetricData {
  const unit = unitOf(family.name);
  if (family.type === 'histogram') return histogramData(family.name, family.help, unit);
  const descriptor = { name: family.name, description: family.help, unit, valueType: DOUBLE };
  return family.type === 'counter'
    ? {
        descriptor,
        aggregationTemporality: CUMULATIVE,
        dataPointType: SUM,
        isMonotonic: true,
        dataPoints: [],
      }
    : { descriptor, aggregationTemporality: CUMULATIVE, dataPointType: GAUGE, dataPoints: [] };
}

function histogramData(name: string, description: string, unit: string): MetricData {
  return {
    descriptor: { name, description, unit, valueType: DOUBLE },
    aggregationTemporality: CUMULATIVE,
    dataPointType: HISTOGRAM,
    dataPoints: [],
  };
}

/** @param cells counts by bucket, the one above the last bound, the sum */
function histogramPoint(
  cells: Float64Array,
  bounds: readonly number[],
  attributes: Attributes,
  startTime: HrTime,
  endTime: HrTime,
): { readonly attributes: Attributes } {
  const counts = Array.from(cells.subarray(0, bounds.length + 1));
  const value = {
    buckets: { boundaries: bounds, counts },
    count: counts.reduce((sum, n) => sum + n, 0),
    sum: cells[bounds.length + 1] as number,
  };
  const point = { attributes, startTime, endTime, value };
  return point;
}

/** UCUM unit that a Prometheus name ends in. */
function unitOf(name: string): string {
  const base = name.endsWith('_total') ? name.slice(0, -6) : name;
  if (base.endsWith('_seconds')) return 's';
  if (base.endsWith('_milliseconds')) return 'ms';
  return base.endsWith('_bytes') ? 'By' : '';
}

/** One broken reader must not cost the whole export. */
function readSafely(read: () => number): number {
  try {
    return read();
  } catch {
    return Number.NaN;
  }
}
