import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { TulleError, type ConfigIssue } from '@tulle/filter';
import type { OtlpAccessLogOutput } from '@tulle/model';
import { compileText, type FormatIssue, type Render } from '@tulle/record-format';
import type { StreamRecord, TelemetryHost } from '@tulle/telemetry';
import type { AccessLoggersOptions } from './access-loggers.ts';
import { tagOf, type TagOf } from './custom-tags.ts';
import { filterStateJson } from './filter-state.ts';
import { createServiceLog, type ServiceLog } from './service-log.ts';

const METHOD = '/opentelemetry.proto.collector.logs.v1.LogsService/Export';
const MAX_FIELD_CHARS = 4_096;

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
const KEY = 1;
const VALUE = 2;
const STRING_VALUE = 1;

/** Sends records to a collector of OpenTelemetry, as Envoy's access logger does. @throws TulleError for a format */
export function createOtlpLog(
  to: OtlpAccessLogOutput,
  host: TelemetryHost,
  { meter, node, env = process.env }: AccessLoggersOptions,
): ServiceLog {
  const issues: ConfigIssue[] = [];
  const compile = (format: string, path: string): Render => {
    const found: FormatIssue[] = [];
    const render = compileText(format, found, {
      query: 'keep',
      maxFieldChars: MAX_FIELD_CHARS,
      // Nothing here is a line that a value could break.
      valueText: (value) => value,
    });
    for (const { at, message } of found) issues.push({ path, message: `column ${at + 1}: ${message}` });
    return render;
  };
  const body = to.body === undefined ? undefined : compile(to.body, '/to/body');
  const attributes = Object.entries(to.attributes ?? {}).map(
    ([name, format]) => [name, compile(format, `/to/attributes/${name}`)] as const,
  );
  if (issues.length > 0)
    throw new TulleError(
      'TULLE_CONFIG_INVALID',
      `access log ${issues.map(({ path, message }) => `${path} ${message}`).join('; ')}`,
      { issues },
    );
  const found: readonly TagOf[] = [
    ...(to.filterState ?? []).map((key): TagOf => [key, (record) => filterStateJson(record, key)]),
    ...(to.customTags ?? []).map((tag) => tagOf(tag, env)),
  ];
  const labels: Record<string, string> =
    to.builtinLabels === false
      ? {}
      : { log_name: to.logName, zone_name: '', cluster_name: node?.cluster ?? '', node_name: node?.id ?? '' };
  const resource = keyValues(new BinaryWriter(), RESOURCE_ATTRIBUTES, { ...labels, ...to.resource }).finish();

  return createServiceLog(
    to,
    {
      path: METHOD,
      lanes: 1,
      lane: () => 0,
      entry: (record) => logRecord(record, body, attributes, found),
      message: (_, entries) => exportOf(resource, entries),
    },
    host,
    meter,
  );
}

function logRecord(
  record: StreamRecord,
  body: Render | undefined,
  attributes: readonly (readonly [name: string, render: Render])[],
  found: readonly TagOf[],
): Uint8Array {
  const out = new BinaryWriter()
    .tag(TIME, WireType.Bit64)
    .fixed64(BigInt(Math.round(record.startEpochMs * 1000)) * 1000n);
  if (body !== undefined) out.tag(BODY, WireType.LengthDelimited).bytes(stringValue(body(record)));
  for (const [name, render] of attributes) keyValue(out, ATTRIBUTES, name, render(record));
  for (const [name, valueOf] of found) {
    const value = valueOf(record);
    if (value !== undefined) keyValue(out, ATTRIBUTES, name, value);
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

function keyValues(out: BinaryWriter, field: number, values: Readonly<Record<string, string>>): BinaryWriter {
  for (const [name, value] of Object.entries(values)) keyValue(out, field, name, value);
  return out;
}

function keyValue(out: BinaryWriter, field: number, name: string, value: string): void {
  const pair = new BinaryWriter()
    .tag(KEY, WireType.LengthDelimited)
    .string(name)
    .tag(VALUE, WireType.LengthDelimited)
    .bytes(stringValue(value));
  out.tag(field, WireType.LengthDelimited).bytes(pair.finish());
}

const stringValue = (text: string): Uint8Array =>
  new BinaryWriter().tag(STRING_VALUE, WireType.LengthDelimited).string(text).finish();
