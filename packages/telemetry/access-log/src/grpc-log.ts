import { create, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { callGrpc } from '@tulle/filter';
import type { CustomTag, GrpcAccessLogOutput } from '@tulle/model';
import type { StreamRecord, TelemetryHost } from '@tulle/telemetry';
import type { AccessLoggersOptions } from './access-loggers.ts';
import { httpEntry, tcpEntry, type EntryOptions } from './grpc-entry.ts';
import { StreamAccessLogsMessage_IdentifierSchema } from './gen/envoy/service/accesslog/v3/als_pb.js';

const METHOD = '/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs';
const TIMEOUT_MS = 5_000;
/** Envoy's defaults. */
const FLUSH_INTERVAL_MS = 1_000;
const BUFFER_BYTES = 16_384;
/** Bytes held while the service is slow, those under way included. */
const MAX_QUEUED_BYTES = 4 * 1024 * 1024;
/** The answer says nothing. */
const MAX_ANSWER_BYTES = 4_096;
const COMPLAINT_INTERVAL_MS = 60_000;

// Fields of StreamAccessLogsMessage, and of its lists.
const IDENTIFIER = 1;
const HTTP_LOGS = 2;
const TCP_LOGS = 3;
const LOG_ENTRY = 1;

/** An access log that a service keeps. */
export interface GrpcLog {
  record(record: StreamRecord): undefined;
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** Entries that wait, encoded. */
interface Waiting {
  readonly entries: Uint8Array[];
  readonly field: typeof HTTP_LOGS | typeof TCP_LOGS;
  bytes: number;
}

/**
 * Sends records to `StreamAccessLogs`, a batch a call: each begins with who logs, as a stream has to, and what it holds is
 * bounded.
 */
export function createGrpcLog(
  to: GrpcAccessLogOutput,
  host: TelemetryHost,
  { meter, node, env = process.env }: AccessLoggersOptions,
): GrpcLog {
  const { cluster, flushIntervalMs = FLUSH_INTERVAL_MS, bufferBytes = BUFFER_BYTES } = to;
  const counts = { lines: 0, dropped: 0, errors: 0 };
  const options: EntryOptions = {
    requestHeaders: (to.requestHeaders ?? []).map((name) => name.toLowerCase()),
    responseHeaders: (to.responseHeaders ?? []).map((name) => name.toLowerCase()),
    tags: (to.customTags ?? []).map((tag) => tagOf(tag, env)),
  };
  const identifier = toBinary(
    StreamAccessLogsMessage_IdentifierSchema,
    create(StreamAccessLogsMessage_IdentifierSchema, {
      logName: to.logName,
      ...(node && { node: { id: node.id, cluster: node.cluster ?? '' } }),
    }),
  );
  const http: Waiting = { entries: [], field: HTTP_LOGS, bytes: 0 };
  const tcp: Waiting = { entries: [], field: TCP_LOGS, bytes: 0 };
  let underWayBytes = 0;
  let cancelTimer: (() => void) | undefined;
  let last: Promise<void> = Promise.resolve();
  let complainedAtMs = Number.NEGATIVE_INFINITY;

  const complain = (message: string): void => {
    const nowMs = performance.now();
    if (nowMs - complainedAtMs < COMPLAINT_INTERVAL_MS) return;
    complainedAtMs = nowMs;
    host.log.warn(`access log to ${cluster}: ${message}`);
  };

  const send = (waiting: Waiting): void => {
    const entries = waiting.entries.splice(0);
    if (entries.length === 0) return;
    const { bytes } = waiting;
    waiting.bytes = 0;
    underWayBytes += bytes;
    const message = messageOf(identifier, waiting.field, entries);
    last = last.then(async () => {
      try {
        const { status, text } = await callGrpc(host, {
          cluster,
          ...(to.authority === undefined ? {} : { authority: to.authority }),
          path: METHOD,
          message,
          timeoutMs: to.timeoutMs ?? TIMEOUT_MS,
          maxBytes: MAX_ANSWER_BYTES,
          mayBeEmpty: true,
        });
        if (status !== 0) throw new Error(`gRPC status ${status} ${text}`.trimEnd());
      } catch (error) {
        counts.errors += 1;
        counts.dropped += entries.length;
        complain(
          `${entries.length} records given up: ${error instanceof Error ? error.message : String(error)}`,
        );
      }
      underWayBytes -= bytes;
    });
  };

  const sendAll = (): void => {
    cancelTimer?.();
    cancelTimer = undefined;
    send(http);
    send(tcp);
  };

  const stops =
    meter === undefined
      ? []
      : (['lines', 'dropped', 'errors'] as const).map((name) =>
          meter.observed(
            `tulle_access_log_${name}_total`,
            { help: HELP[name], labels: { output: cluster } },
            () => counts[name],
          ),
        );

  const flush = async (): Promise<void> => {
    sendAll();
    await last;
  };
  return {
    record(record) {
      const waiting = record.kind === 'http' ? http : tcp;
      const entry = record.kind === 'http' ? httpEntry(record, options) : tcpEntry(record, options);
      if (http.bytes + tcp.bytes + underWayBytes + entry.length > MAX_QUEUED_BYTES) {
        counts.dropped += 1;
        return;
      }
      counts.lines += 1;
      waiting.entries.push(entry);
      waiting.bytes += entry.length;
      if (waiting.bytes >= bufferBytes) send(waiting);
      else cancelTimer ??= host.after(flushIntervalMs, sendAll);
    },
    flush,
    async close() {
      await flush();
      for (const stop of stops) stop();
    },
  };
}

const HELP = {
  lines: 'Lines taken by the access log.',
  dropped: 'Lines not written: queue full, or the target refused them.',
  errors: 'Writes of the access log that failed.',
} as const;

/** A `StreamAccessLogsMessage` of entries that are encoded already. */
function messageOf(identifier: Uint8Array, field: number, entries: readonly Uint8Array[]): Uint8Array {
  const list = new BinaryWriter();
  for (const entry of entries) list.tag(LOG_ENTRY, WireType.LengthDelimited).bytes(entry);
  return new BinaryWriter()
    .tag(IDENTIFIER, WireType.LengthDelimited)
    .bytes(identifier)
    .tag(field, WireType.LengthDelimited)
    .bytes(list.finish())
    .finish();
}

function tagOf(
  tag: CustomTag,
  env: Readonly<Record<string, string | undefined>>,
): EntryOptions['tags'][number] {
  if (tag.kind === 'literal') return [tag.name, () => tag.value];
  if (tag.kind === 'environment') {
    const value = env[tag.variable] ?? tag.byDefault;
    return [tag.name, () => value];
  }
  const header = tag.header.toLowerCase();
  return [tag.name, (record) => record.requestHeader(header) ?? tag.byDefault];
}
