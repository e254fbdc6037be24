import {
  type DescField,
  type DescMessage,
  fromJson,
  type JsonValue,
  type Registry,
} from '@bufbuild/protobuf';
import type { ConfigIssue } from '@tulle/filter';

/** Deeper JSON is refused: no resource comes near, and every reader has a bound somewhere. */
const MAX_DEPTH = 100;

/** Messages whose JSON is not an object of their fields (protobuf "ProtoJSON Format"). */
const SPECIAL: ReadonlySet<string> = new Set(
  [
    'Duration',
    'Timestamp',
    'FieldMask',
    'Struct',
    'Value',
    'ListValue',
    'BoolValue',
    'StringValue',
    'BytesValue',
    'DoubleValue',
    'FloatValue',
    'Int32Value',
    'Int64Value',
    'UInt32Value',
    'UInt64Value',
  ].map((name) => `google.protobuf.${name}`),
);

/**
 * Everything that is wrong with a message in protobuf's JSON, each with its place.
 * @param path JSON pointer to the message
 */
export function jsonFaults(schema: DescMessage, json: unknown, registry: Registry, path = ''): ConfigIssue[] {
  const faults: ConfigIssue[] = [];
  checkMessage(schema, json, path, 0);
  if (faults.length > 0) return faults;
  // What only the whole shows, such as two fields of which one may be set.
  const whole = faultOf(() => fromJson(schema, json as JsonValue, { registry }));
  return whole === undefined ? [] : [{ path, message: whole }];

  function fault(at: string, message: string): void {
    faults.push({ path: at, message });
  }

  function checkMessage(desc: DescMessage, value: unknown, at: string, depth: number): void {
    if (depth > MAX_DEPTH) return fault(at, `is nested more than ${MAX_DEPTH} deep`);
    if (SPECIAL.has(desc.typeName)) {
      const wrong = faultOf(() => fromJson(desc, value as JsonValue, { registry }));
      if (wrong !== undefined) fault(at, wrong);
      return;
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return fault(at, `must be an object (${desc.typeName}), but is ${kindOf(value)}`);
    if (desc.typeName === 'google.protobuf.Any') return checkAny(value, at, depth);
    checkFields(desc, value, at, depth);
  }

  function checkAny(value: object, at: string, depth: number): void {
    const entries = Object.entries(value);
    if (entries.length === 0) return;
    const typeUrl: unknown = new Map<string, unknown>(entries).get('@type');
    if (typeof typeUrl !== 'string')
      return fault(`${at}/@type`, 'is missing: it says of which type this is, as type.googleapis.com/NAME');
    const desc = registry.getMessage(typeUrl.slice(typeUrl.lastIndexOf('/') + 1));
    if (!desc) return fault(`${at}/@type`, `${JSON.stringify(typeUrl)} is no type that is known here`);
    const rest = Object.fromEntries(entries.filter(([key]) => key !== '@type'));
    if (SPECIAL.has(desc.typeName)) checkMessage(desc, rest['value'], `${at}/value`, depth + 1);
    else checkMessage(desc, rest, at, depth + 1);
  }

  function checkFields(desc: DescMessage, value: object, at: string, depth: number): void {
    for (const [key, one] of Object.entries(value)) {
      const here = `${at}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
      const field = desc.fields.find(({ name, jsonName }) => key === name || key === jsonName);
      if (field) checkField(desc, field, key, one, here, depth);
      else fault(here, `is no field of ${desc.typeName}${nearest(desc, key)}`);
    }
  }

  function checkField(
    desc: DescMessage,
    field: DescField,
    key: string,
    value: unknown,
    at: string,
    depth: number,
  ): void {
    const message = messageOf(field);
    if (value === null && message?.typeName !== 'google.protobuf.Value') return;
    if (field.fieldKind === 'list') {
      if (!Array.isArray(value)) return fault(at, `must be a list, but is ${kindOf(value)}`);
      for (const [i, one] of value.entries()) {
        if (message) checkMessage(message, one, `${at}/${i}`, depth + 1);
        else checkLeaf(desc, field, key, [one], `${at}/${i}`);
      }
    } else if (field.fieldKind === 'map') {
      if (typeof value !== 'object' || value === null || Array.isArray(value))
        return fault(at, `must be an object, but is ${kindOf(value)}`);
      for (const [name, one] of Object.entries(value)) {
        const here = `${at}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
        if (message) checkMessage(message, one, here, depth + 1);
        else checkLeaf(desc, field, key, Object.fromEntries([[name, one]]), here);
      }
    } else if (message) checkMessage(message, value, at, depth + 1);
    else checkLeaf(desc, field, key, value, at);
  }

  function checkLeaf(desc: DescMessage, field: DescField, key: string, value: unknown, at: string): void {
    const wrong = faultOf(() =>
      fromJson(desc, Object.fromEntries([[key, value]]) as JsonValue, { registry }),
    );
    if (wrong === undefined) return;
    const { enum: names } = field;
    fault(at, names ? `${wrong}; it is one of ${names.values.map(({ name }) => name).join(', ')}` : wrong);
  }
}

function messageOf(field: DescField): DescMessage | undefined {
  return field.message ?? undefined;
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  return Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** A field that differs in case or underscores alone, or by an `s`. */
function nearest(desc: DescMessage, key: string): string {
  const plain = (text: string): string => text.toLowerCase().replaceAll(/[_-]/g, '').replace(/s$/, '');
  const field = desc.fields.find(({ name }) => plain(name) === plain(key));
  return field ? `; did you mean ${field.name}?` : '';
}

/** The words of a failed reading, without the prefix that says what was read: the path does. */
function faultOf(read: () => unknown): string | undefined {
  try {
    read();
    return undefined;
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    return text.replace(/^cannot decode (?:message|field|enum) [\w.]+ from JSON: /, '').slice(0, 500);
  }
}
