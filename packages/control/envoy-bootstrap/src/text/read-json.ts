import {
  type DescField,
  type DescMessage,
  fromJson,
  type JsonObject,
  type JsonValue,
  type Registry,
} from '@bufbuild/protobuf';
import { snakeCase, under } from '../field-path.ts';
import { closestName } from './closest-name.ts';

/** Told of everything that cannot be read. */
export type Report = (path: string, message: string) => void;

/** How JSON is read. */
export interface JsonRules {
  /** Messages that may stand in an `Any`. */
  readonly registry: Registry;
  readonly report: Report;
  /** Told of fields that the messages do not have; what it is told of is left out. */
  readonly unknown: Report;
  /** Told of an `Any` that was left out. */
  readonly dropped?: (path: string) => void;
  /** Where an `Any` of an unknown type is left out without a word. */
  readonly opaque?: (path: string) => boolean;
}

/**
 * The JSON of a message without what cannot be read, each of which is reported with its path: protobuf's own reader stops at the first
 * fault and does not say where it is. What is left can be given to `fromJson`.
 */
export function readableJson(desc: DescMessage, value: unknown, rules: JsonRules): JsonObject {
  const cleaned = cleanMessage(desc, value, '', rules);
  return isObject(cleaned) ? (cleaned as JsonObject) : {};
}

/** Deeper messages than this are refused by protobuf's reader, whose bound it is. */
const MAX_DEPTH = 90;

function cleanMessage(desc: DescMessage, value: unknown, path: string, rules: JsonRules, depth = 0): unknown {
  if (desc.typeName === 'google.protobuf.Any') return cleanAny(value, path, rules, depth);
  if (desc.typeName.startsWith('google.protobuf.')) return leaf(desc, value, path, rules);
  if (depth > MAX_DEPTH) return fault(rules, path, `is nested more than ${MAX_DEPTH} deep`);
  if (!isObject(value))
    return fault(rules, path, `must be a mapping (${desc.typeName}), but is ${show(value)}`);
  const cleaned: Record<string, unknown> = {};
  const optional =
    desc.typeName === HTTP_FILTER && (value['is_optional'] === true || value['isOptional'] === true);
  const oneofs = new Map<string, string>();
  for (const [key, given] of Object.entries(value)) {
    const field = fieldOf(desc, key);
    const here = under(path, field?.name ?? key);
    if (field === undefined) {
      const near = closestName(
        snakeCase(key),
        desc.fields.map(({ name }) => name),
      );
      rules.unknown(
        here,
        `${desc.typeName} has no field ${JSON.stringify(key)}${near === undefined ? '' : `; did you mean ${near}?`}`,
      );
      continue;
    }
    if (given === null) continue; // protobuf's JSON: not set
    if (field.name in cleaned) {
      rules.report(here, 'is set twice, by both of its spellings');
      continue;
    }
    const other = field.oneof && oneofs.get(field.oneof.name);
    if (field.oneof !== undefined) {
      if (other !== undefined) {
        rules.report(here, `must not be set beside ${other}: they exclude each other`);
        continue;
      }
      oneofs.set(field.oneof.name, field.name);
    }
    const read =
      optional && isForeign(field, given, rules)
        ? asStruct(given)
        : cleanField(desc, field, given, here, rules, depth);
    if (read !== undefined) cleaned[field.name] = read;
  }
  return cleaned;
}

const HTTP_FILTER = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter';

/** Whether an `Any` is of a type that is not known here. */
function isForeign(field: DescField, value: unknown, { registry }: JsonRules): value is AnyJson {
  if (field.message?.typeName !== 'google.protobuf.Any' || !isObject(value)) return false;
  const { '@type': type } = value;
  return typeof type === 'string' && registry.getMessage(type.slice(type.lastIndexOf('/') + 1)) === undefined;
}

type AnyJson = Readonly<Record<string, unknown>> & { readonly '@type': string };

/** What a filter that may be missing is configured by, whatever it is: whoever has no such filter goes without it. */
function asStruct({ '@type': typeUrl, ...value }: AnyJson): object {
  return { '@type': 'type.googleapis.com/xds.type.v3.TypedStruct', type_url: typeUrl, value };
}

function cleanField(
  desc: DescMessage,
  field: DescField,
  value: unknown,
  path: string,
  rules: JsonRules,
  depth: number,
): unknown {
  switch (field.fieldKind) {
    case 'message':
      return cleanMessage(field.message, value, path, rules, depth + 1);
    case 'list': {
      if (!Array.isArray(value)) return fault(rules, path, `must be a list, but is ${show(value)}`);
      return value.flatMap((item: unknown, index) => {
        const here = `${path}[${index}]`;
        const read =
          field.listKind === 'message'
            ? cleanMessage(field.message, item, here, rules, depth + 1)
            : single(desc, field, [item], here, rules) && item;
        return read === undefined ? [] : [read];
      });
    }
    case 'map': {
      if (!isObject(value)) return fault(rules, path, `must be a mapping, but is ${show(value)}`);
      return Object.fromEntries(
        Object.entries(value).flatMap(([key, item]) => {
          const here = `${path}[${JSON.stringify(key)}]`;
          const read =
            field.mapKind === 'message'
              ? cleanMessage(field.message, item, here, rules, depth + 1)
              : single(desc, field, { [key]: item }, here, rules) && item;
          return read === undefined ? [] : [[key, read]];
        }),
      );
    }
    case 'scalar':
    case 'enum': {
      const written = isBool(field) ? yamlBool(value) : value;
      return single(desc, field, written, path, rules) && written;
    }
  }
}

const isBool = (field: DescField): boolean => field.fieldKind === 'scalar' && field.scalar === 8;

/** Words that yaml-cpp, which Envoy reads with, takes for a boolean and YAML 1.2 for text. */
function yamlBool(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  if (/^(?:y|yes|on)$/i.test(value)) return true;
  return /^(?:n|no|off)$/i.test(value) ? false : value;
}

/** @returns `true`, or `undefined` after a report */
function single(
  desc: DescMessage,
  field: DescField,
  value: unknown,
  path: string,
  rules: JsonRules,
): true | undefined {
  try {
    fromJson(desc, { [field.name]: value as JsonValue });
    return true;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const enumeration =
      field.fieldKind === 'enum' ? field.enum : field.fieldKind === 'list' ? field.enum : undefined;
    rules.report(
      path,
      enumeration === undefined
        ? reason
            .replace(/^cannot decode (?:field )?\S+ from JSON: /, '')
            .replace(/^(?:list item #\d+|map (?:value|key)[^:]*): /, '')
        : `must be one of ${enumeration.values.map(({ name }) => name).join(', ')}, but is ${show(Array.isArray(value) ? value[0] : value)}`,
    );
    return undefined;
  }
}

/** A well-known type, whose JSON is its own. */
function leaf(desc: DescMessage, value: unknown, path: string, rules: JsonRules): unknown {
  const written =
    desc.typeName === 'google.protobuf.BoolValue'
      ? yamlBool(value)
      : desc.typeName === 'google.protobuf.Duration'
        ? durationText(value)
        : value;
  try {
    fromJson(desc, written as JsonValue);
    return written;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return fault(
      rules,
      path,
      desc.typeName === 'google.protobuf.Duration'
        ? `must be a duration such as 0.25s, but is ${show(value)}`
        : reason.replace(/^cannot decode (?:message |field )?\S+ from JSON: /, ''),
    );
  }
}

/** A duration by the fields of its message, as Envoy reads it too and many of its published configurations have it. */
function durationText(value: unknown): unknown {
  if (!isObject(value) || Object.keys(value).some((key) => key !== 'seconds' && key !== 'nanos'))
    return value;
  const { seconds = 0, nanos = 0 } = value;
  const [whole, part] = [Number(seconds), Number(nanos)];
  if (!Number.isSafeInteger(whole) || !Number.isInteger(part) || Math.abs(part) > 999_999_999) return value;
  if (whole * part < 0) return value; // one of them would be before, the other after
  const sign = whole < 0 || part < 0 ? '-' : '';
  return `${sign}${Math.abs(whole)}.${String(Math.abs(part)).padStart(9, '0')}s`;
}

function cleanAny(value: unknown, path: string, rules: JsonRules, depth: number): unknown {
  const drop = (message: string): undefined => {
    rules.report(path, message);
    rules.dropped?.(path);
    return undefined;
  };
  if (!isObject(value)) return drop(`must be a mapping with "@type", but is ${show(value)}`);
  const { '@type': type, ...rest } = value;
  if (typeof type !== 'string') return drop('has no "@type"');
  const name = type.slice(type.lastIndexOf('/') + 1);
  const desc = rules.registry.getMessage(name);
  if (desc === undefined && rules.opaque?.(path) === true) return undefined;
  if (desc === undefined)
    return drop(
      /\.v2(?:alpha)?\b|^envoy\.(?:api|config)\.(?:v2|filter)\b/.test(name)
        ? `the type ${name} is of the v2 API, which is gone; use that of v3`
        : `the type ${name === '' ? '(none)' : name} is not supported by this proxy`,
    );
  if (desc.typeName.startsWith('google.protobuf.'))
    return {
      '@type': type,
      value: cleanMessage(desc, rest['value'], under(path, 'value'), rules, depth + 1),
    };
  const cleaned = cleanMessage(desc, rest, path, rules, depth + 1);
  return isObject(cleaned) ? { '@type': type, ...cleaned } : undefined;
}

/** Reports, and stands for what could not be read. */
function fault({ report }: JsonRules, path: string, message: string): undefined {
  report(path, message);
  return undefined;
}

function fieldOf(desc: DescMessage, key: string): DescField | undefined {
  return desc.fields.find(({ name, jsonName }) => name === key || jsonName === key);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value in a message, cut where it gets long. */
export function show(value: unknown): string {
  const text = value === undefined ? 'missing' : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
