import type { Target } from './target.ts';

/** Bounds of a writer. */
export interface BatchWriterOptions {
  /** A batch is written at the latest after so long. */
  readonly flushIntervalMs: number;
  /** A batch is written as soon as it is so large. */
  readonly batchBytes: number;
  /** Text waiting or being written, at most; a line past it is dropped and counted. */
  readonly maxQueuedBytes: number;
}

/** Collects lines, writes them in batches one after the other, and never holds more than its bound. */
export interface BatchWriter {
  /** @param line one line with its line end */
  add(line: string): void;
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

/** Makes a writer on a target. Sizes are counted in characters, which for log lines are bytes. */
export function createBatchWriter(target: Target, options: BatchWriterOptions): BatchWriter {
  const counts: { -readonly [K in keyof BatchWriterCounts]: BatchWriterCounts[K] } = {
    lines: 0,
    dropped: 0,
    errors: 0,
    lastError: undefined,
  };
  let batch = '';
  let batchLines = 0;
  let writingChars = 0;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  // One job at a time: batches keep their order, and a reopen falls between two of them.
  let last: Promise<void> = Promise.resolve();

  const writeBatch = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (batch === '') return;
    const text = batch;
    const lines = batchLines;
    batch = '';
    batchLines = 0;
    writingChars += text.length;
    last = last.then(async () => {
      try {
        await target.write(Buffer.from(text));
      } catch (error) {
        counts.errors += 1;
        counts.dropped += lines;
        counts.lastError = error instanceof Error ? error : new Error(String(error));
      }
      writingChars -= text.length;
    });
  };

  return {
    counts,
    add(line) {
      if (closed || batch.length + writingChars + line.length > options.maxQueuedBytes) {
        counts.dropped += 1;
        return;
      }
      counts.lines += 1;
      batch += line;
      batchLines += 1;
      // While the target is behind, lines gather into fewer and larger batches.
      if (batch.length >= options.batchBytes && writingChars === 0) writeBatch();
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
