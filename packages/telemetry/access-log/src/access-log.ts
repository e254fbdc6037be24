import type { Meter, StreamRecord, TelemetryPlugin } from '@tulle/telemetry';
import { createBatchWriter, SPARE_BYTES, type BatchWriterCounts } from './batch-writer.ts';
import { compileFormat, type AccessLogFormat } from './formats.ts';
import { createLineWriter } from './json-line.ts';
import { LineBuffer } from './line-buffer.ts';
import { openTarget, type AccessLogTarget } from './target.ts';

/** Options of {@link accessLog}. */
export interface AccessLogOptions {
  /** Default `'stdout'`. A file is appended to and made with mode 0640. */
  readonly to?: AccessLogTarget;
  /**
   * What a line is made of: a text with the operators of Envoy's access log (`ENVOY_FORMAT`, `ISTIO_FORMAT`, or your own),
   * or an object of such texts for JSON (`ISTIO_JSON_FORMAT`). Default: JSON with Istio's keys and Tulle's own, which is
   * also the fastest.
   */
  readonly format?: AccessLogFormat;
  /** Which streams are logged. Default: all. Called with the borrowed record; must not throw. */
  readonly when?: (record: StreamRecord) => boolean;
  /** Whether queries are written with the path. Default `keep`, as Envoy does; `strip` where they carry secrets. */
  readonly query?: 'keep' | 'strip';
  /** Longer values are cut and end in `…`. Default 4,096: long enough for real paths, short enough for a flood. */
  readonly maxFieldChars?: number;
  /** A line is written at the latest after so long. Default 200: what a person watching does not notice. */
  readonly flushIntervalMs?: number;
  /**
   * A batch is written as soon as it is so large, in bytes. Default 131,072: handing a write to Node's threads costs more
   * than the write of 32 KiB itself, so that a line costs a third less than with batches of that size; larger ones save
   * nothing more. It is what a process that is killed may lose.
   */
  readonly batchBytes?: number;
  /** Bytes held while the target is slow. Default 4 MiB; past it lines are dropped and counted. */
  readonly maxQueuedBytes?: number;
  /** Where lines, drops and errors are counted (`tulle_access_log_*_total`), e.g. the meter of the metrics exporter. */
  readonly meter?: Meter;
}

/** The access log: a telemetry plugin with its sink there, and what an operator does with a log file. */
export interface AccessLogPlugin extends TelemetryPlugin {
  readonly sink: Required<NonNullable<TelemetryPlugin['sink']>>;
  /** Opens the file anew under its name, e.g. on SIGHUP after a rotation; no line is lost or torn between the two. */
  reopen(): Promise<void>;
  readonly counts: BatchWriterCounts;
}

/**
 * One line for each completed stream: `createProxy({ telemetry: [accessLog({ to: { file: 'access.log' } })] })`.
 * @throws TulleError `TULLE_CONFIG_INVALID` for a format, with everything that is wrong by its column
 */
export function accessLog(options: AccessLogOptions = {}): AccessLogPlugin {
  const maxFieldChars = options.maxFieldChars ?? 4096;
  const batchBytes = options.batchBytes ?? 131_072;
  const lines = { maxFieldChars, query: options.query ?? 'keep' };
  const writeLine =
    options.format === undefined ? createLineWriter(lines) : compileFormat(options.format, lines);
  const { when, meter } = options;
  const out = new LineBuffer(maxFieldChars, batchBytes + SPARE_BYTES);
  const writer = createBatchWriter(openTarget(options.to ?? 'stdout'), out, {
    flushIntervalMs: options.flushIntervalMs ?? 200,
    batchBytes,
    maxQueuedBytes: options.maxQueuedBytes ?? 4 * 1024 * 1024,
  });
  const { counts } = writer;
  const stops =
    meter === undefined
      ? []
      : [
          meter.observed(
            'tulle_access_log_lines_total',
            { help: 'Lines taken by the access log.' },
            () => counts.lines,
          ),
          meter.observed(
            'tulle_access_log_dropped_total',
            { help: 'Lines not written: queue full, or the target refused them.' },
            () => counts.dropped,
          ),
          meter.observed(
            'tulle_access_log_errors_total',
            { help: 'Writes of the access log that failed.' },
            () => counts.errors,
          ),
        ];
  return {
    name: 'access-log',
    sink: {
      name: 'access-log',
      record(record) {
        if (when !== undefined && !when(record)) return;
        writer.begin();
        writeLine(out, record);
        writer.commit();
      },
      flush: async () => writer.flush(),
      async close() {
        for (const stop of stops) stop();
        await writer.close();
      },
    },
    reopen: async () => writer.reopen(),
    counts,
  };
}
