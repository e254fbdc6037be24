import { hasCel, loadCelEngine } from '@tulle/cel';
import { TulleError } from '@tulle/filter';
import type { AccessLog, AccessLogOutput, GrpcAccessLogOutput, OtlpAccessLogOutput } from '@tulle/model';
import type { ServiceLog } from './service-log.ts';
import type { AccessLoggers, LineFile, Meter, Sink, TelemetryHost, TelemetryPlugin } from '@tulle/telemetry';
import { observeCounts } from './observe-counts.ts';
import { createBatchWriter, SPARE_BYTES, type BatchWriter, type BatchWriterCounts } from './batch-writer.ts';
import { compileFormat } from './formats.ts';
import { LineBuffer } from './line-buffer.ts';
import { openTarget, type AccessLogTarget, type Target } from './target.ts';

/** Options of {@link accessLoggers}; as those of `accessLog`, for each place that lines go to. */
export interface AccessLoggersOptions {
  /** Longer values are cut and end in `…`. Default 4,096. */
  readonly maxFieldChars?: number;
  /** Default 200. */
  readonly flushIntervalMs?: number;
  /** Default 131,072. */
  readonly batchBytes?: number;
  /** Default 4 MiB; past it lines are dropped and counted. */
  readonly maxQueuedBytes?: number;
  /** Where lines, drops and errors are counted, with the place as label `output`. */
  readonly meter?: Meter;
  /** Who logs, for services over gRPC (Envoy `Node`). Default none. */
  readonly node?: { readonly id: string; readonly cluster?: string };
  /** Of custom tags. Default `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Opens what a proxy's configuration asks for. */
export interface AccessLoggersPlugin extends TelemetryPlugin {
  readonly accessLoggers: Required<AccessLoggers>;
  /** Opens every file anew under its name, e.g. after a rotation; no line is lost or torn between the two. */
  reopen(): Promise<void>;
  /** Of every place that is open: its path, `stdout` or `stderr`. */
  readonly counts: ReadonlyMap<string, BatchWriterCounts>;
}

/** A place that lines go to, for all logs that name it. */
interface Output {
  readonly writer: BatchWriter;
  readonly lines: LineBuffer;
  readonly target: Target;
  readonly stops: readonly (() => void)[];
  users: number;
}

/**
 * The access logs that a configuration asks for (`HttpHandler.accessLogs`, Envoy's `access_log`): files and the standard
 * streams, `createProxy({ telemetry: [accessLoggers()] })`. Logs that name the same file share it, so that their lines
 * keep their order, and a new configuration goes on in it without a gap. Nothing is opened, and no request costs more,
 * where the configuration asks for none.
 */
export function accessLoggers(options: AccessLoggersOptions = {}): AccessLoggersPlugin {
  const { maxFieldChars = 4096, batchBytes = 131_072, flushIntervalMs = 200, meter } = options;
  const { maxQueuedBytes = 4 * 1024 * 1024 } = options;
  const outputs = new Map<string, Output>();
  const services = new Set<ServiceLog>();
  const all = async (use: (writer: BatchWriter) => Promise<void>): Promise<void> => {
    await Promise.all([...outputs.values()].map(async ({ writer }) => use(writer)));
  };

  const make = async (name: string, to: AccessLogTarget): Promise<Output> => {
    const target = openTarget(to);
    await target.open();
    const lines = new LineBuffer(maxFieldChars, batchBytes + SPARE_BYTES);
    const writer = createBatchWriter(target, lines, { flushIntervalMs, batchBytes, maxQueuedBytes });
    return { writer, lines, target, stops: observeCounts(meter, name, writer.counts), users: 0 };
  };

  const outputOf = async (to: AccessLogOutput): Promise<Output> => {
    const { name, target } = placeOf(to);
    const known = outputs.get(name);
    if (known !== undefined) return known;
    const made = await make(name, target).catch((error: unknown) => {
      const message = `cannot be appended to: ${error instanceof Error ? error.message : String(error)}`;
      throw new TulleError('TULLE_CONFIG_INVALID', `access log ${name} ${message}`, {
        cause: error,
        issues: [{ path: '/to/path', message: `${name} ${message}` }],
      });
    });
    outputs.set(name, made);
    return made;
  };

  const openService = async (
    to: GrpcAccessLogOutput | OtlpAccessLogOutput,
    host: TelemetryHost,
  ): Promise<Sink> => {
    const log =
      to.kind === 'grpc'
        ? (await import('./grpc-log.ts')).createGrpcLog(to, host, options)
        : (await import('./otlp-log.ts')).createOtlpLog(to, host, options);
    services.add(log);
    return {
      name: `access log to ${to.cluster}`,
      record: (record) => log.record(record),
      flush: async () => log.flush(),
      async close() {
        services.delete(log);
        await log.close();
      },
    };
  };

  const letGo = async (name: string, output: Output): Promise<void> => {
    output.users--;
    if (output.users > 0) return output.writer.flush();
    outputs.delete(name);
    for (const stop of output.stops) stop();
    await output.writer.close();
  };

  /** A use of a place, which others may have too; closed once, whoever closes it again. */
  const lease = async (
    to: AccessLogOutput,
  ): Promise<Pick<Output, 'writer' | 'lines'> & { readonly name: string; close(): Promise<void> }> => {
    const { name } = placeOf(to);
    const output = await outputOf(to);
    output.users++;
    let closed = false;
    return {
      name,
      writer: output.writer,
      lines: output.lines,
      async close() {
        if (closed) return;
        closed = true;
        await letGo(name, output);
      },
    };
  };

  return {
    name: 'access-loggers',
    accessLoggers: {
      kinds: ['file', 'stdout', 'stderr', 'grpc', 'otlp'],
      async open(given, host): Promise<Sink> {
        const log = given as AccessLog;
        if (hasCel(log)) await loadCelEngine();
        if (!('format' in log)) return openService(log.to, host);
        const { to, format } = log;
        const write = compileFormat('text' in format ? format.text : format, {
          maxFieldChars,
          query: 'keep',
          omitEmpty: format.omitEmpty ?? false,
          where: '/text',
        });
        const { name, writer, lines, close } = await lease(to);
        return {
          name: `access log ${name}`,
          record(record) {
            writer.begin();
            write(lines, record);
            writer.commit();
          },
          flush: async () => writer.flush(),
          close,
        };
      },
      async openFile(path): Promise<LineFile> {
        const { writer, lines, close } = await lease({ kind: 'file', path });
        return {
          write(line) {
            writer.begin();
            lines.utf8(`${line}\n`);
            writer.commit();
          },
          close,
        };
      },
      async flush() {
        await Promise.all([
          all(async (writer) => writer.flush()),
          ...[...services].map(async (log) => log.flush()),
        ]);
      },
      async close() {
        for (const output of outputs.values()) for (const stop of output.stops) stop();
        await all(async (writer) => writer.close());
        outputs.clear();
      },
    },
    reopen: async () => all(async (writer) => writer.reopen()),
    get counts() {
      return new Map([...outputs].map(([name, { writer }]) => [name, writer.counts]));
    },
  };
}

/** `/dev/stdout` and `/dev/stderr` are written through their streams, which know how to wait for a full pipe. */
function placeOf(to: AccessLogOutput): { readonly name: string; readonly target: AccessLogTarget } {
  if (to.kind !== 'file') return { name: to.kind, target: to.kind };
  if (to.path === '/dev/stdout') return { name: 'stdout', target: 'stdout' };
  if (to.path === '/dev/stderr') return { name: 'stderr', target: 'stderr' };
  return { name: to.path, target: { file: to.path } };
}
