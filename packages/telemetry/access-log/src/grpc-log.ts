import { compileTag } from '@tulle/record-format';
import { create, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { GrpcAccessLogOutput } from '@tulle/model';
import type { TelemetryHost } from '@tulle/telemetry';
import type { AccessLoggersOptions } from './access-loggers.ts';
import { overGrpc } from './deliver.ts';
import { httpEntry, tcpEntry, type EntryOptions } from './grpc-entry.ts';
import { StreamAccessLogsMessage_IdentifierSchema } from './gen/envoy/service/accesslog/v3/als_pb.js';
import { createServiceLog, type ServiceLog } from './service-log.ts';

const METHOD = '/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs';

// Fields of StreamAccessLogsMessage, and of its lists.
const IDENTIFIER = 1;
const LOGS = [2, 3] as const; // of HTTP, of TCP
const LOG_ENTRY = 1;

/** Sends records to `StreamAccessLogs`: each batch is a call that begins with who logs, as a stream has to. */
export function createGrpcLog(
  to: GrpcAccessLogOutput,
  host: TelemetryHost,
  { meter, node, env = process.env }: AccessLoggersOptions,
): ServiceLog {
  const options: EntryOptions = {
    requestHeaders: (to.requestHeaders ?? []).map((name) => name.toLowerCase()),
    responseHeaders: (to.responseHeaders ?? []).map((name) => name.toLowerCase()),
    tags: (to.customTags ?? []).map((tag) => compileTag(tag, env)),
    filterState: to.filterState ?? [],
  };
  const identifier = toBinary(
    StreamAccessLogsMessage_IdentifierSchema,
    create(StreamAccessLogsMessage_IdentifierSchema, {
      logName: to.logName,
      ...(node && { node: { id: node.id, cluster: node.cluster ?? '' } }),
    }),
  );
  return createServiceLog(
    to,
    {
      stats: 'grpc_access_log.',
      deliver: overGrpc(host, to, METHOD),
      lanes: LOGS.length,
      lane: ({ kind }) => (kind === 'http' ? 0 : 1),
      entry: (record) => (record.kind === 'http' ? httpEntry(record, options) : tcpEntry(record, options)),
      message: (lane, entries) => messageOf(identifier, LOGS[lane as 0 | 1], entries),
    },
    host,
    meter,
  );
}

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
