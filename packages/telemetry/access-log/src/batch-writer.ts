import type { LineBuffer } from './line-buffer.ts';
import type { Target } from './target.ts';

/** Room behind a full batch for the line that filled it. */
export const SPARE_BYTES = 16_384;
/** A larger storage is not kept for the next batch. */
const MAX_KEPT_BYTES = 262_144;

/** Bounds of a writer. */
export interface BatchWriterOptions {
  /** A batch is written at the latest after so long. */
  readonly flushIntervalMs: number;
  /** A batch is written as soon as it is so large. */
  readonly batchBytes: number;
  /** Bytes waiting or being written, at most; a line past it is dropped and counted. */
  readonly maxQueuedBytes: number;
}

/** Collects lines, writes them in batches one after the other, and never holds more than its bound. */
export interface BatchWriter {
  /** Where the next line begins: what was written and not committed, because writing it threw, is gone. */
  begin(): void;
  /** Takes the line that was written into the buffer since {@link begin}. */
  commit(): void;
  /** Resolves when all that was added before is written or dropped. */
  flush(): Promise<void>;
  reopen(): Promise<void>;
  /** Flushes and closes; later lines are dropped. */
  close(): Promise<void>;
  readonly counts: BatchWriterCounts;
}

/** What a writer has done. */
export interface BatchWriterCounts {
  readonly lines: number;
  /** Lines not written: the queue was full, or writing failed. */
  readonly dropped: number;
  /** Writes that the system refused. */
  readonly errors: number;
  /** The latest such error. */
  readonly lastError: Error | undefined;
}

/** Makes a writer of the lines that are written into `out`, on a target. */
export function createBatchWriter(target: Target, out: LineBuffer, options: BatchWriterOptions): BatchWriter {
  const counts: { -readonly [K in keyof BatchWriterCounts]: BatchWriterCounts[K] } = {
    lines: 0,
    dropped: 0,
    errors: 0,
    lastError: undefined,
  };
  /** Bytes of whole lines in `out`. */
  let committed = 0;
  let batchLines = 0;
  let writingBytes = 0;
  /** The storage of the batch before, while it is not being written. */
  let spare: Buffer | undefined;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  // One job at a time: batches keep their order, and a reopen falls between two of them.
  let last: Promise<void> = Promise.resolve();

  const writeBatch = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (committed === 0) return;
    const size = committed;
    const lines = batchLines;
    const storage = out.exchange(spare);
    spare = undefined;
    committed = 0;
    batchLines = 0;
    writingBytes += size;
    last = last.then(async () => {
      try {
        await target.write(storage.subarray(0, size));
      } catch (error) {
        counts.errors += 1;
        counts.dropped += lines;
        counts.lastError = error instanceof Error ? error : new Error(String(error));
      }
      writingBytes -= size;
      // What grew far behind a slow target is let go.
      if (storage.length <= Math.max(MAX_KEPT_BYTES, options.batchBytes + SPARE_BYTES)) spare = storage;
    });
  };

  return {
    counts,
    begin() {
      out.length = committed;
    },
    commit() {
      if (closed || out.length + writingBytes > options.maxQueuedBytes) {
        out.length = committed;
        counts.dropped += 1;
        return;
      }
      counts.lines += 1;
      committed = out.length;
      batchLines += 1;
      // While the target is behind, lines gather into fewer and larger batches.
      if (committed >= options.batchBytes && writingBytes === 0) writeBatch();
      else timer ??= setTimeout(writeBatch, options.flushIntervalMs).unref();
    },
    async flush() {
      writeBatch();
      await last;
    },
    async reopen() {
      writeBatch();
      const reopened = last.then(async () => target.reopen());
      last = reopened.catch(() => {});
      await reopened;
    },
    async close() {
      closed = true;
      writeBatch();
      await last;
      await target.close();
    },
  };
}
