import { createCellStore, HistogramSeries } from '@tulle/metrics';
import { parseWireName } from '@tulle/model';
import type { AttemptRecord, StreamRecord } from '@tulle/telemetry';
import {
  ERROR_TYPE,
  HTTP_REQUEST_METHOD,
  HTTP_RESPONSE_STATUS_CODE,
  HTTP_ROUTE,
  knownMethod,
  NETWORK_PROTOCOL_NAME,
  NETWORK_PROTOCOL_VERSION,
  SERVER_ADDRESS,
  SERVER_PORT,
  URL_SCHEME,
} from './attributes.ts';

/** Seconds: what the semantic conventions give for HTTP durations. */
export const HTTP_DURATION_BOUNDS: readonly number[] = Object.freeze([
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
  readonly name: 'http.server.request.duration' | 'http.client.request.duration';
  readonly description: string;
  /** By what they count; never more than the bound and one for all others. */
  readonly series: ReadonlyMap<string, DurationSeries>;
}

/**
 * Attribute of the one series that takes what does not fit (OpenTelemetry metrics SDK, cardinality limits): sums over all
 * series stay right.
 */
const OVERFLOW: MetricAttributes = Object.freeze({ 'otel.metric.overflow': true });

/** The stable HTTP metrics of the semantic conventions, counted from records. */
export class HttpMetrics {
  readonly #server = new Durations('http.server.request.duration', 'Duration of HTTP server requests.');
  readonly #client = new Durations('http.client.request.duration', 'Duration of HTTP client requests.');
  readonly #maxSeries: number;
  readonly #idleSeriesMs: number;

  /**
   * @param maxSeries series of each metric
   * @param idleSeriesMs series without traffic for so long are forgotten
   */
  constructor(maxSeries: number, idleSeriesMs: number) {
    this.#maxSeries = maxSeries;
    this.#idleSeriesMs = idleSeriesMs;
  }

  get metrics(): readonly DurationMetric[] {
    return [this.#server, this.#client];
  }

  record(record: StreamRecord): void {
    if (record.kind !== 'http') return;
    const endEpochMs = record.startEpochMs + record.durationMs;
    const method = knownMethod(record.method);
    const error = record.status >= 500 || record.status === 0 ? record.code || String(record.status) : '';
    const { protocol, routePattern, status, tls } = record;
    const key = `${method} ${status} ${protocol} ${tls} ${error} ${routePattern}`;
    const series =
      this.#server.get(key) ??
      this.#server.add(key, this.#maxSeries, record.startEpochMs, () => ({
        [HTTP_REQUEST_METHOD]: method,
        [URL_SCHEME]: tls ? 'https' : 'http',
        [NETWORK_PROTOCOL_NAME]: 'http',
        [NETWORK_PROTOCOL_VERSION]: protocol.slice(5),
        ...(routePattern === '' ? {} : { [HTTP_ROUTE]: routePattern }),
        ...(status === 0 ? {} : { [HTTP_RESPONSE_STATUS_CODE]: status }),
        ...(error === '' ? {} : { [ERROR_TYPE]: error }),
      }));
    series.histogram.observe(record.durationMs / 1000);
    series.lastEpochMs = endEpochMs;
    for (let i = 0; i < record.attempts.length; i++)
      this.#attempt(record, record.attempts[i] as AttemptRecord, method, endEpochMs);
  }

  #attempt(record: StreamRecord, attempt: AttemptRecord, method: string, endEpochMs: number): void {
    const { status, failure, cluster } = attempt;
    const error = failure !== '' ? failure : status >= 400 ? String(status) : '';
    const key = `${method} ${status} ${error} ${cluster}`;
    const series =
      this.#client.get(key) ??
      this.#client.add(key, this.#maxSeries, record.startEpochMs, () => {
        // By the service, not by what callers write into Host: that would be theirs to multiply.
        const wire = parseWireName(cluster);
        return {
          [HTTP_REQUEST_METHOD]: method,
          [SERVER_ADDRESS]: wire?.host ?? cluster,
          ...(wire === undefined ? {} : { [SERVER_PORT]: wire.port }),
          [NETWORK_PROTOCOL_NAME]: 'http',
          ...(status === 0 ? {} : { [HTTP_RESPONSE_STATUS_CODE]: status }),
          ...(error === '' ? {} : { [ERROR_TYPE]: error }),
        };
      });
    series.histogram.observe(attempt.durationMs / 1000);
    series.lastEpochMs = endEpochMs;
  }

  /** Forgets series that no traffic has touched for the idle time. Called before numbers are read. */
  expire(nowEpochMs: number): void {
    if (this.#idleSeriesMs <= 0) return;
    this.#server.expire(nowEpochMs - this.#idleSeriesMs);
    this.#client.expire(nowEpochMs - this.#idleSeriesMs);
  }
}

const BOUNDS = Float64Array.from(HTTP_DURATION_BOUNDS);

class Durations implements DurationMetric {
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
