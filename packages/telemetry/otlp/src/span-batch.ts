import type { TelemetryHost } from '@tulle/telemetry';
import type { RecordSpan } from './span.ts';

/** Spans held at most, those under way included: some 6 MB. */
const MAX_SPANS = 2_048;
/** Spans in one export: one is encoded in about a millisecond. */
const MAX_BATCH = 128;
/** A span is exported at the latest after so long. */
const DELAY_MS = 1_000;
/** Complaints heard at most once in this time. */
const COMPLAINT_INTERVAL_MS = 60_000;

/** What became of spans. */
export interface BatchCounts {
  exported: number;
  /** Not held because too many were, or given up since nobody took them. */
  dropped: number;
}

/** Holds spans until a batch of them goes out, one batch after the other, and never more than its bound. */
export class SpanBatch {
  readonly counts: BatchCounts = { exported: 0, dropped: 0 };
  readonly #host: TelemetryHost;
  readonly #where: string;
  readonly #send: (spans: readonly RecordSpan[]) => Promise<void>;
  #waiting: RecordSpan[] = [];
  #underWay = 0;
  #cancelTimer: (() => void) | undefined;
  /** Batches keep their order. */
  #last: Promise<void> = Promise.resolve();
  #complainedAt = Number.NEGATIVE_INFINITY;

  /**
   * @param where for people: whom they are sent to
   * @param send rejects where they were not taken
   */
  constructor(host: TelemetryHost, where: string, send: (spans: readonly RecordSpan[]) => Promise<void>) {
    this.#host = host;
    this.#where = where;
    this.#send = send;
  }

  /** Takes all spans of a request or none. */
  add(spans: readonly RecordSpan[]): void {
    const waiting = this.#waiting;
    if (waiting.length + this.#underWay + spans.length > MAX_SPANS) {
      this.counts.dropped += spans.length;
      return;
    }
    waiting.push(...spans);
    if (waiting.length >= MAX_BATCH) this.#begin();
    else this.#cancelTimer ??= this.#host.after(DELAY_MS, () => this.#begin());
  }

  #begin(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const spans = this.#waiting;
    if (spans.length === 0) return;
    this.#waiting = [];
    this.#underWay += spans.length;
    this.#last = this.#last.then(async () => {
      try {
        await this.#send(spans);
        this.counts.exported += spans.length;
      } catch (error) {
        this.counts.dropped += spans.length;
        this.#complain(
          `${spans.length} spans given up: ${error instanceof Error ? error.message : String(error)}`,
        );
      }
      this.#underWay -= spans.length;
    });
  }

  #complain(message: string): void {
    const nowMs = performance.now();
    if (nowMs - this.#complainedAt < COMPLAINT_INTERVAL_MS) return;
    this.#complainedAt = nowMs;
    this.#host.log.warn(`traces to ${this.#where}: ${message}`);
  }

  /** Sends what waits; resolves when it was taken or given up. */
  async flush(): Promise<void> {
    this.#begin();
    await this.#last;
  }
}
