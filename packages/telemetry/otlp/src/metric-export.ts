import type { MetricPipeline } from './sdk-metrics.ts';
import { metricSlices, type MetricSources } from './metric-slices.ts';
import { CLOSE_LIMIT_MS, FLUSH_LIMIT_MS, LAST_FLUSH_LIMIT_MS, within } from './within.ts';

/** What became of metric exports. */
export interface MetricExportCounts {
  /** Data points that the collector took. */
  readonly points: number;
  /** Exports that failed; the next round tells the same again, for totals are cumulative. */
  readonly failures: number;
  /** Rounds left out because the one before was still under way. */
  readonly skipped: number;
  /** Why the latest export failed. */
  readonly lastError: string;
}

/** How often, and how much at a time. */
export interface MetricExportOptions {
  readonly intervalMs: number;
  /** Data points in one export at most. */
  readonly maxBatchPoints: number;
  readonly epochMs: () => number;
}

/**
 * Exports all metrics every interval, in slices that are sent one after the other. Nothing is queued: a round that fails is
 * over, and at most one is under way.
 */
export class MetricExport {
  readonly #sources: MetricSources;
  readonly #options: MetricExportOptions;
  readonly #loaded: Promise<MetricPipeline | undefined>;
  readonly #onError: (message: string) => void;
  readonly #timer: NodeJS.Timeout;
  readonly counts: { -readonly [Key in keyof MetricExportCounts]: MetricExportCounts[Key] } = {
    points: 0,
    failures: 0,
    skipped: 0,
    lastError: '',
  };
  #round: Promise<void> | undefined;
  #closed = false;

  /** @param load makes the pipeline; is called at once */
  constructor(
    sources: MetricSources,
    options: MetricExportOptions,
    load: () => Promise<MetricPipeline>,
    onError: (message: string) => void,
  ) {
    this.#sources = sources;
    this.#options = options;
    this.#onError = onError;
    this.#loaded = load().catch((error: unknown) => {
      this.#note(`cannot be started: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    });
    this.#timer = setInterval(() => {
      if (this.#round === undefined) void this.#export();
      else this.counts.skipped += 1;
    }, options.intervalMs);
    this.#timer.unref();
  }

  /** One round; the one under way when there is one. */
  async #export(): Promise<void> {
    this.#round ??= this.#sendAll().finally(() => {
      this.#round = undefined;
    });
    await this.#round;
  }

  async #sendAll(): Promise<void> {
    const pipeline = await this.#loaded;
    if (pipeline === undefined) return;
    const nowEpochMs = this.#options.epochMs();
    const { requests, registry } = this.#sources;
    requests.expire(nowEpochMs);
    registry?.prepare();
    for (const metrics of metricSlices(this.#sources, nowEpochMs, this.#options.maxBatchPoints)) {
      if (this.#closed) return;
      const error = await new Promise<Error | undefined>((done) => pipeline.send(metrics, done));
      if (error !== undefined) return this.#note(error.message || error.name);
      for (const { dataPoints } of metrics) this.counts.points += dataPoints.length;
    }
  }

  #note(message: string): void {
    this.counts.failures += 1;
    this.counts.lastError = message;
    this.#onError(message);
  }

  /** Sends what there is now, for at most 4 s. */
  async flush(): Promise<void> {
    await within(FLUSH_LIMIT_MS, async () => this.#last());
  }

  /** What was under way began before the end: a round after it tells all. */
  async #last(): Promise<void> {
    await this.#round;
    await this.#export();
  }

  /** Sends the last numbers, for at most 2 s, and ends. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await within(LAST_FLUSH_LIMIT_MS, async () => this.#last());
    this.#closed = true;
    await within(CLOSE_LIMIT_MS, async () => {
      const pipeline = await this.#loaded;
      await pipeline?.close();
    });
  }
}
