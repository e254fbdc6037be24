/**
 * The protobuf encoding of OTLP (opentelemetry-proto 1.x), read by a small decoder that shares nothing with the SDK.
 * Messages come out in the shape of OTLP's JSON encoding: camel case, ids in hex, 64-bit integers as text.
 */
type Kind = 'string' | 'hex' | 'varint' | 'int64' | 'bool' | 'fixed32' | 'fixed64' | 'double' | Schema;
interface Field {
  readonly name: string;
  readonly kind: Kind;
  readonly repeated?: boolean;
}
interface Schema {
  readonly [number: number]: Field;
}

const anyValue: Record<number, Field> = {
  1: { name: 'stringValue', kind: 'string' },
  2: { name: 'boolValue', kind: 'bool' },
  3: { name: 'intValue', kind: 'int64' },
  4: { name: 'doubleValue', kind: 'double' },
};
anyValue[5] = { name: 'arrayValue', kind: { 1: { name: 'values', kind: anyValue, repeated: true } } };
const keyValue: Schema = { 1: { name: 'key', kind: 'string' }, 2: { name: 'value', kind: anyValue } };
anyValue[6] = { name: 'kvlistValue', kind: { 1: { name: 'values', kind: keyValue, repeated: true } } };
const attributes = (number: number): Schema => ({
  [number]: { name: 'attributes', kind: keyValue, repeated: true },
});
const resource: Schema = { ...attributes(1), 2: { name: 'droppedAttributesCount', kind: 'varint' } };
const scope: Schema = {
  1: { name: 'name', kind: 'string' },
  2: { name: 'version', kind: 'string' },
  ...attributes(3),
  4: { name: 'droppedAttributesCount', kind: 'varint' },
};
const span: Schema = {
  1: { name: 'traceId', kind: 'hex' },
  2: { name: 'spanId', kind: 'hex' },
  3: { name: 'traceState', kind: 'string' },
  4: { name: 'parentSpanId', kind: 'hex' },
  5: { name: 'name', kind: 'string' },
  6: { name: 'kind', kind: 'varint' },
  7: { name: 'startTimeUnixNano', kind: 'fixed64' },
  8: { name: 'endTimeUnixNano', kind: 'fixed64' },
  ...attributes(9),
  10: { name: 'droppedAttributesCount', kind: 'varint' },
  12: { name: 'droppedEventsCount', kind: 'varint' },
  14: { name: 'droppedLinksCount', kind: 'varint' },
  15: {
    name: 'status',
    kind: { 2: { name: 'message', kind: 'string' }, 3: { name: 'code', kind: 'varint' } },
  },
  16: { name: 'flags', kind: 'fixed32' },
};
const times: Schema = {
  2: { name: 'startTimeUnixNano', kind: 'fixed64' },
  3: { name: 'timeUnixNano', kind: 'fixed64' },
};
const numberPoint: Schema = {
  ...times,
  4: { name: 'asDouble', kind: 'double' },
  6: { name: 'asInt', kind: 'fixed64' },
  ...attributes(7),
  8: { name: 'flags', kind: 'varint' },
};
const histogramPoint: Schema = {
  ...times,
  4: { name: 'count', kind: 'fixed64' },
  5: { name: 'sum', kind: 'double' },
  6: { name: 'bucketCounts', kind: 'fixed64', repeated: true },
  7: { name: 'explicitBounds', kind: 'double', repeated: true },
  ...attributes(9),
  10: { name: 'flags', kind: 'varint' },
  11: { name: 'min', kind: 'double' },
  12: { name: 'max', kind: 'double' },
};
const metric: Schema = {
  1: { name: 'name', kind: 'string' },
  2: { name: 'description', kind: 'string' },
  3: { name: 'unit', kind: 'string' },
  5: { name: 'gauge', kind: { 1: { name: 'dataPoints', kind: numberPoint, repeated: true } } },
  7: {
    name: 'sum',
    kind: {
      1: { name: 'dataPoints', kind: numberPoint, repeated: true },
      2: { name: 'aggregationTemporality', kind: 'varint' },
      3: { name: 'isMonotonic', kind: 'bool' },
    },
  },
  9: {
    name: 'histogram',
    kind: {
      1: { name: 'dataPoints', kind: histogramPoint, repeated: true },
      2: { name: 'aggregationTemporality', kind: 'varint' },
    },
  },
};
const logRecord: Schema = {
  1: { name: 'timeUnixNano', kind: 'fixed64' },
  2: { name: 'severityNumber', kind: 'varint' },
  3: { name: 'severityText', kind: 'string' },
  5: { name: 'body', kind: anyValue },
  ...attributes(6),
  7: { name: 'droppedAttributesCount', kind: 'varint' },
  8: { name: 'flags', kind: 'fixed32' },
  9: { name: 'traceId', kind: 'hex' },
  10: { name: 'spanId', kind: 'hex' },
  11: { name: 'observedTimeUnixNano', kind: 'fixed64' },
};
const request = (signal: 'Spans' | 'Metrics' | 'LogRecords', item: Schema): Schema => ({
  1: {
    name: `resource${signal}`,
    repeated: true,
    kind: {
      1: { name: 'resource', kind: resource },
      2: {
        name: `scope${signal}`,
        repeated: true,
        kind: {
          1: { name: 'scope', kind: scope },
          2: { name: signal.charAt(0).toLowerCase() + signal.slice(1), kind: item, repeated: true },
          3: { name: 'schemaUrl', kind: 'string' },
        },
      },
      3: { name: 'schemaUrl', kind: 'string' },
    },
  },
});

/** By path of the request. */
export const SCHEMAS: Readonly<Record<string, Schema>> = {
  '/v1/traces': request('Spans', span),
  '/v1/metrics': request('Metrics', metric),
  '/v1/logs': request('LogRecords', logRecord),
};

/** Reads one message. @throws Error for a field that the schema lacks, or bytes that end too early */
export function decode(bytes: Buffer, schema: Schema): Record<string, unknown> {
  const message: Record<string, unknown> = {};
  let at = 0;
  const need = (length: number): number => {
    const start = at;
    if (start + length > bytes.length) throw new Error('the message ends too early');
    at += length;
    return start;
  };
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[need(1)] as number;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  const scalar = (kind: Kind): unknown => {
    if (kind === 'varint') return Number(varint());
    if (kind === 'int64') return String(BigInt.asIntN(64, varint()));
    if (kind === 'bool') return varint() !== 0n;
    if (kind === 'fixed32') return bytes.readUInt32LE(need(4));
    if (kind === 'fixed64') return String(bytes.readBigUInt64LE(need(8)));
    if (kind === 'double') return bytes.readDoubleLE(need(8));
    throw new Error('no scalar');
  };
  const WIRE: Readonly<Record<string, number>> = {
    varint: 0,
    int64: 0,
    bool: 0,
    fixed32: 5,
    fixed64: 1,
    double: 1,
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const field = schema[tag >>> 3];
    if (field === undefined) throw new Error(`field ${tag >>> 3} of wire type ${tag & 7} is not expected`);
    const values: unknown[] = [];
    if ((tag & 7) === 2) {
      const length = Number(varint());
      const start = need(length);
      const part = bytes.subarray(start, start + length);
      if (field.kind === 'string') values.push(part.toString('utf8'));
      else if (field.kind === 'hex') values.push(part.toString('hex'));
      else if (typeof field.kind === 'object') values.push(decode(part, field.kind));
      else {
        // packed
        const end = at;
        at = start;
        while (at < end) values.push(scalar(field.kind));
      }
    } else {
      if (WIRE[field.kind as string] !== (tag & 7)) throw new Error(`${field.name} has wire type ${tag & 7}`);
      values.push(scalar(field.kind));
    }
    if (field.repeated === true) ((message[field.name] ??= []) as unknown[]).push(...values);
    else message[field.name] = values.at(-1);
  }
  return message;
}
