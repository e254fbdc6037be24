import type { StreamRecord } from '@tulle/telemetry';
import type { BuildSpans } from './build-spans.ts';
import type { RecordSpan } from './span.ts';
import type { TracePipeline } from './sdk-traces.ts';
import { CLOSE_LIMIT_MS, FLUSH_LIMIT_MS, LAST_FLUSH_LIMIT_MS, within } from './within.ts';

/** What became of spans. */
export interface SpanCounts {
  /** Taken by the collector. */
  readonly exported: number;
  /** Held now, those under way included. */
  readonly queued: number;
  /** Not held, because as many were as may be. */
  readonly droppedFull: number;
  /** Given up: the collector was away, too slow, or refused them. */
  readonly droppedFailed: number;
  /** Exports that failed. */
  readonly failures: number;
  /** Why the latest did. */
  readonly lastError: string;
}

/**
 * The bound on spans. They wait here until the SDK is loaded, then go to its processor; what is held never exceeds the
 * bound, wherever it is held.
 */
export class SpanQueue {
  readonly #max: number;
  readonly #build: BuildSpans;
  readonly #loaded: Promise<TracePipeline | undefined>;
  readonly #onError: (message: string) => void;
  readonly counts: { -readonly [Key in keyof SpanCounts]: SpanCounts[Key] } = {
    exported: 0,
    queued: 0,
    droppedFull: 0,
    droppedFailed: 0,
    failures: 0,
    lastError: '',
  };
  #pipeline: TracePipeline | undefined;
  #waiting: RecordSpan[] = [];
  #closed = false;
  /** Who waits until nothing is held. */
  readonly #emptied: (() => void)[] = [];

  /**
   * @param max spans held at most
   * @param load makes the pipeline; is called at once
   */
  constructor(
    max: number,
    build: BuildSpans,
    load: (onExported: (spans: number, error: Error | undefined) => void) => Promise<TracePipeline>,
    onError: (message: string) => void,
  ) {
    this.#max = max;
    this.#build = build;
    this.#onError = onError;
    this.#loaded = load((spans, error) => this.#exported(spans, error)).then(
      (pipeline) => this.#take(pipeline),
      (error: unknown) => this.#failed(error),
    );
  }

  /** Takes all spans of a request or none: half of one would be a riddle. */
  add(record: StreamRecord): void {
    const { counts } = this;
    const most = 1 + record.attempts.length;
    if (this.#closed || counts.queued + most > this.#max) {
      counts.droppedFull += most;
      return;
    }
    const spans = this.#build(record);
    counts.queued += spans.length;
    const pipeline = this.#pipeline;
    for (const span of spans) {
      if (pipeline === undefined) this.#waiting.push(span);
      else pipeline.processor.onEnd(span);
    }
  }

  #take(pipeline: TracePipeline): TracePipeline {
    this.#pipeline = pipeline;
    for (const span of this.#waiting) pipeline.processor.onEnd(span);
    this.#waiting = [];
    return pipeline;
  }

  #failed(error: unknown): undefined {
    this.#closed = true;
    this.counts.queued -= this.#waiting.length;
    this.counts.droppedFailed += this.#waiting.length;
    this.#waiting = [];
    this.#note(`cannot be started: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }

  #exported(spans: number, error: Error | undefined): void {
    const { counts } = this;
    counts.queued -= spans;
    if (counts.queued === 0) for (const resolve of this.#emptied.splice(0)) resolve();
    if (error === undefined) {
      counts.exported += spans;
      return;
    }
    counts.droppedFailed += spans;
    this.#note(`${spans} spans given up: ${error.message || error.name}`);
  }

  #note(message: string): void {
    this.counts.failures += 1;
    this.counts.lastError = message;
    this.#onError(message);
  }

  /** Sends what is held, for at most 4 s. */
  async flush(): Promise<void> {
    await this.#flushWithin(FLUSH_LIMIT_MS);
  }

  async #flushWithin(limitMs: number): Promise<void> {
    await within(limitMs, async () => {
      const pipeline = await this.#loaded;
      // The processor waits neither for a batch under way nor, after one failed, for the others.
      pipeline?.processor.forceFlush().catch(() => {});
      if (this.counts.queued > 0) await new Promise<void>((resolve) => this.#emptied.push(resolve));
    });
  }

  /** Sends what is held, for at most 2 s, and ends. */
  async close(): Promise<void> {
    await this.#flushWithin(LAST_FLUSH_LIMIT_MS);
    this.#closed = true;
    await within(CLOSE_LIMIT_MS, async () => {
      const pipeline = await this.#loaded;
      await pipeline?.close();
      await pipeline?.processor.shutdown();
    });
  }
}
