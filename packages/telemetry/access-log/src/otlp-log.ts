import { compileTag, type TagOf } from '@tulle/record-format';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { TulleError, type ConfigIssue } from '@tulle/filter';
import type { OtlpAccessLogOutput } from '@tulle/model';
import type { StreamRecord, TelemetryHost } from '@tulle/telemetry';
import type { AccessLoggersOptions } from './access-loggers.ts';
import { overGrpc, overHttp } from './deliver.ts';
import { environmentAttributes } from './environment-attributes.ts';
import { filterStateJson } from './filter-state.ts';
import { compileValue, encodeValue, type RenderValue, stringValue, writeKeyValue } from './otlp-value.ts';
import { createServiceLog, type ServiceLog } from './service-log.ts';

const METHOD = '/opentelemetry.proto.collector.logs.v1.LogsService/Export';

// Fields of opentelemetry/proto/logs/v1/logs.proto, common.proto and logs_service.proto.
const REQUEST_RESOURCE_LOGS = 1;
const RESOURCE = 1;
const SCOPE_LOGS = 2;
const RESOURCE_ATTRIBUTES = 1;
const SCOPE_LOG_RECORDS = 2;
const TIME = 1;
const BODY = 5;
const ATTRIBUTES = 6;
const TRACE_ID = 9;
const SPAN_ID = 10;

/** Sends records to a collector of OpenTelemetry, as Envoy's access logger does. @throws TulleError for a format */
export function createOtlpLog(
  to: OtlpAccessLogOutput,
  host: TelemetryHost,
  { meter, node, env = process.env }: AccessLoggersOptions,
): ServiceLog {
  const issues: ConfigIssue[] = [];
  const body = to.body === undefined ? undefined : compileValue(to.body, '/to/body', issues);
  const attributes = Object.entries(to.attributes ?? {}).map(
    ([name, format]) => [name, compileValue(format, `/to/attributes/${name}`, issues)] as const,
  );
  const labels: Record<string, string> =
    to.builtinLabels === false
      ? {}
      : { log_name: to.logName, zone_name: '', cluster_name: node?.cluster ?? '', node_name: node?.id ?? '' };
  const detected =
    to.environment === true ? environmentAttributes(env, (message) => host.log.warn(message)) : {};
  const resource = new BinaryWriter();
  for (const [name, value] of Object.entries({ ...labels, ...detected, ...to.resource }))
    writeKeyValue(resource, RESOURCE_ATTRIBUTES, name, encodeValue(value, `/to/resource/${name}`, issues));
  if (issues.length > 0)
    throw new TulleError(
      'TULLE_CONFIG_INVALID',
      `access log ${issues.map(({ path, message }) => `${path} ${message}`).join('; ')}`,
      { issues },
    );
  const found: readonly TagOf[] = [
    ...(to.filterState ?? []).map((key): TagOf => [key, (record) => filterStateJson(record, key)]),
    ...(to.customTags ?? []).map((tag) => compileTag(tag, env)),
  ];
  const resourceBytes = resource.finish();

  return createServiceLog(
    to,
    {
      stats: `open_telemetry_access_log.${to.statPrefix ?? ''}`,
      deliver: to.http === undefined ? overGrpc(host, to, METHOD) : overHttp(host, to, to.http),
      lanes: 1,
      lane: () => 0,
      entry: (record) => logRecord(record, body, attributes, found),
      message: (_, entries) => exportOf(resourceBytes, entries),
    },
    host,
    meter,
  );
}

function logRecord(
  record: StreamRecord,
  body: RenderValue | undefined,
  attributes: readonly (readonly [name: string, render: RenderValue])[],
  found: readonly TagOf[],
): Uint8Array {
  const out = new BinaryWriter()
    .tag(TIME, WireType.Bit64)
    .fixed64(BigInt(Math.round(record.startEpochMs * 1000)) * 1000n);
  if (body !== undefined) out.tag(BODY, WireType.LengthDelimited).bytes(body(record));
  for (const [name, render] of attributes) writeKeyValue(out, ATTRIBUTES, name, render(record));
  for (const [name, valueOf] of found) {
    const value = valueOf(record);
    if (value !== undefined) writeKeyValue(out, ATTRIBUTES, name, stringValue(value));
  }
  if (record.traceId !== '')
    out.tag(TRACE_ID, WireType.LengthDelimited).bytes(Buffer.from(record.traceId, 'hex'));
  if (record.spanId !== '')
    out.tag(SPAN_ID, WireType.LengthDelimited).bytes(Buffer.from(record.spanId, 'hex'));
  return out.finish();
}

function exportOf(resource: Uint8Array, records: readonly Uint8Array[]): Uint8Array {
  const scope = new BinaryWriter();
  for (const record of records) scope.tag(SCOPE_LOG_RECORDS, WireType.LengthDelimited).bytes(record);
  const logs = new BinaryWriter()
    .tag(RESOURCE, WireType.LengthDelimited)
    .bytes(resource)
    .tag(SCOPE_LOGS, WireType.LengthDelimited)
    .bytes(scope.finish());
  return new BinaryWriter()
    .tag(REQUEST_RESOURCE_LOGS, WireType.LengthDelimited)
    .bytes(logs.finish())
    .finish();
}
