import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { ConfigIssue } from '@tulle/filter';
import type { OtlpFormat } from '@tulle/model';
import { compilePlain } from '@tulle/record-format';
import type { StreamRecord } from '@tulle/telemetry';

// Fields of opentelemetry/proto/common/v1/common.proto.
const KEY = 1;
const VALUE = 2;
const STRING_VALUE = 1;
const BOOL_VALUE = 2;
const INT_VALUE = 3;
const DOUBLE_VALUE = 4;
const ARRAY_VALUE = 5;
const KVLIST_VALUE = 6;
/** Of `ArrayValue` and `KeyValueList`. */
const VALUES = 1;

/** An `AnyValue` of a record. */
export type RenderValue = (record: StreamRecord) => Uint8Array;

/** @param issues gets what is no format, by where it stands */
export function compileValue(format: unknown, path: string, issues: ConfigIssue[]): RenderValue {
  if (typeof format === 'string') {
    const render = compilePlain(format, { omitEmpty: false }, (message) => issues.push({ path, message }));
    return (record) => stringValue(render(record));
  }
  if (Array.isArray(format)) {
    const items = (format as readonly OtlpFormat[]).map((item, index) =>
      compileValue(item, `${path}/${index}`, issues),
    );
    return (record) => arrayValue(items.map((item) => item(record)));
  }
  if (typeof format === 'object' && format !== null) {
    const members = Object.entries(format).map(
      ([name, item]) => [name, compileValue(item, `${path}/${name}`, issues)] as const,
    );
    return (record) => kvlistValue(members.map(([name, item]) => [name, item(record)]));
  }
  issues.push({ path, message: 'must be a text, or a list or an object of such' });
  return () => stringValue('');
}

/** An `AnyValue` as it is. @param issues gets what is none, by where it stands */
export function encodeValue(value: unknown, path: string, issues: ConfigIssue[]): Uint8Array {
  switch (typeof value) {
    case 'string':
      return stringValue(value);
    case 'boolean':
      return new BinaryWriter().tag(BOOL_VALUE, WireType.Varint).bool(value).finish();
    case 'number':
      return Number.isSafeInteger(value)
        ? new BinaryWriter().tag(INT_VALUE, WireType.Varint).int64(value).finish()
        : new BinaryWriter().tag(DOUBLE_VALUE, WireType.Bit64).double(value).finish();
    case 'object':
      if (Array.isArray(value))
        return arrayValue(value.map((item, index) => encodeValue(item, `${path}/${index}`, issues)));
      if (value !== null)
        return kvlistValue(
          Object.entries(value).map(([name, item]) => [name, encodeValue(item, `${path}/${name}`, issues)]),
        );
      break;
    default:
  }
  issues.push({ path, message: 'must be a text, a number, true, false, or a list or an object of such' });
  return stringValue('');
}

export const stringValue = (text: string): Uint8Array =>
  new BinaryWriter().tag(STRING_VALUE, WireType.LengthDelimited).string(text).finish();

function arrayValue(items: readonly Uint8Array[]): Uint8Array {
  const list = new BinaryWriter();
  for (const item of items) list.tag(VALUES, WireType.LengthDelimited).bytes(item);
  return new BinaryWriter().tag(ARRAY_VALUE, WireType.LengthDelimited).bytes(list.finish()).finish();
}

function kvlistValue(members: readonly (readonly [name: string, value: Uint8Array])[]): Uint8Array {
  const list = new BinaryWriter();
  for (const [name, value] of members) writeKeyValue(list, VALUES, name, value);
  return new BinaryWriter().tag(KVLIST_VALUE, WireType.LengthDelimited).bytes(list.finish()).finish();
}

/** @param value an `AnyValue` */
export function writeKeyValue(out: BinaryWriter, field: number, name: string, value: Uint8Array): void {
  const pair = new BinaryWriter()
    .tag(KEY, WireType.LengthDelimited)
    .string(name)
    .tag(VALUE, WireType.LengthDelimited)
    .bytes(value);
  out.tag(field, WireType.LengthDelimited).bytes(pair.finish());
}
