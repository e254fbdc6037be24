import { isIP } from 'node:net';
import type { JsonSchema } from '@tulle/model';
import type { DiagnosticCode } from '../codes.ts';
import { NOT_HONOURED } from '../kinds/schema-parts.ts';
import { didYouMean } from '../suggest.ts';
import { childPointer } from './documents.ts';

/** One breach of a schema. */
export interface SchemaFault {
  readonly code: DiagnosticCode;
  readonly pointer: string;
  /** Whether the fault is the field's name rather than its value. */
  readonly atKey: boolean;
  readonly message: string;
  readonly hint?: string | undefined;
}

type Report = (fault: SchemaFault) => void;

/**
 * Every breach of `schema` at once. Knows the keywords that the kinds of this package use; their configurations of
 * filters are checked by `@tulle/schema`, which takes any JSON Schema. Unlike a general validator it tells a field
 * that does not exist from one that exists but is not honoured, and gives each fault a code.
 */
export function checkSchema(schema: JsonSchema, value: unknown): SchemaFault[] {
  const faults: SchemaFault[] = [];
  check(schema, value, '', (fault) => faults.push(fault));
  return faults;
}

interface Schema {
  readonly type?: 'object' | 'array' | 'string' | 'number' | 'integer' | 'boolean';
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: false | Schema;
  readonly minProperties?: number;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly [NOT_HONOURED]?: string;
}

const patterns = new Map<string, RegExp>();

function check(schema: Schema, value: unknown, pointer: string, report: Report): void {
  const say = (code: DiagnosticCode, message: string, hint?: string): void =>
    report({ code, pointer, atKey: false, message, hint });
  if (schema.anyOf !== undefined) return checkAny(schema.anyOf, value, pointer, report);
  const type = schema.type ?? (schema.properties === undefined ? undefined : 'object');
  if (type !== undefined && !hasType(value, type))
    return say('TULLE0202', `${nameOf(pointer)} must be ${named(type)}, not ${shown(value)}`);
  const allowed = schema.const === undefined ? schema.enum : [schema.const];
  if (allowed !== undefined && !allowed.includes(value)) {
    const hint =
      typeof value === 'string'
        ? didYouMean(
            value,
            allowed.filter((a) => typeof a === 'string'),
          )
        : undefined;
    return say('TULLE0205', `${nameOf(pointer)} must be ${either(allowed)}, not ${shown(value)}`, hint);
  }
  if (typeof value === 'string') checkText(schema, value, pointer, say);
  else if (typeof value === 'number') checkNumber(schema, value, pointer, say);
  else if (Array.isArray(value)) checkList(schema, value, pointer, say, report);
  else if (typeof value === 'object' && value !== null)
    checkObject(schema, value as Record<string, unknown>, pointer, say, report);
}

type Say = (code: DiagnosticCode, message: string, hint?: string) => void;

function checkText(schema: Schema, value: string, pointer: string, say: Say): void {
  if (schema.minLength !== undefined && value.length < schema.minLength)
    return say('TULLE0207', `${nameOf(pointer)} is shorter than ${schema.minLength} characters`);
  if (schema.maxLength !== undefined && value.length > schema.maxLength)
    return say('TULLE0207', `${nameOf(pointer)} is longer than ${schema.maxLength} characters`);
  if (schema.pattern !== undefined && !patternOf(schema.pattern).test(value)) {
    return say(
      'TULLE0205',
      `${shown(value)} is no ${nameOf(pointer)}: it must match ${schema.pattern}`,
      schema.description,
    );
  }
  if (schema.format === 'ip' && isIP(value) === 0)
    say('TULLE0205', `${shown(value)} is no IP address`, 'write an IPv4 or IPv6 address, not a name');
}

function checkNumber(schema: Schema, value: number, pointer: string, say: Say): void {
  const { minimum = -Infinity, maximum = Infinity, exclusiveMinimum = -Infinity } = schema;
  if (value <= exclusiveMinimum)
    return say('TULLE0204', `${nameOf(pointer)} is ${value}, but must be more than ${exclusiveMinimum}`);
  if (value >= minimum && value <= maximum) return;
  const range =
    maximum === Infinity
      ? `at least ${minimum}`
      : minimum === -Infinity
        ? `at most ${maximum}`
        : `between ${minimum} and ${maximum}`;
  say('TULLE0204', `${nameOf(pointer)} is ${value}, but must be ${range}`);
}

function checkList(
  schema: Schema,
  value: readonly unknown[],
  pointer: string,
  say: Say,
  report: Report,
): void {
  if (schema.minItems !== undefined && value.length < schema.minItems)
    say(
      'TULLE0207',
      `${nameOf(pointer)} needs at least ${schema.minItems} ${schema.minItems === 1 ? 'entry' : 'entries'}`,
    );
  if (schema.maxItems !== undefined && value.length > schema.maxItems) {
    return say('TULLE0207', `${nameOf(pointer)} has ${value.length} entries, more than ${schema.maxItems}`);
  }
  if (schema.uniqueItems === true) {
    const seen = new Set<string>();
    for (const [i, item] of value.entries()) {
      const text = JSON.stringify(item);
      if (seen.has(text))
        report({
          code: 'TULLE0207',
          pointer: childPointer(pointer, i),
          atKey: false,
          message: `${shown(item)} is listed twice in ${nameOf(pointer)}`,
        });
      seen.add(text);
    }
  }
  if (schema.items !== undefined)
    for (const [i, item] of value.entries()) check(schema.items, item, childPointer(pointer, i), report);
}

function checkObject(
  schema: Schema,
  value: Record<string, unknown>,
  pointer: string,
  say: Say,
  report: Report,
): void {
  const properties = schema.properties ?? {};
  for (const [name, child] of Object.entries(value)) {
    const at = childPointer(pointer, name);
    const property = Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (property !== undefined) {
      const instead = property[NOT_HONOURED];
      if (instead !== undefined)
        report({
          code: 'TULLE0206',
          pointer: at,
          atKey: true,
          message: `${name} is not honoured by Tulle`,
          hint: instead,
        });
      else if (child !== null) check(property, child, at, report);
      else
        report({
          code: 'TULLE0202',
          pointer: at,
          atKey: true,
          message: `${name} has no value`,
          hint: 'give it one, or remove the field',
        });
    } else if (typeof schema.additionalProperties === 'object') {
      check(schema.additionalProperties, child, at, report);
    } else if (schema.additionalProperties === false) {
      const known = Object.keys(properties).filter((p) => properties[p]?.[NOT_HONOURED] === undefined);
      const hint =
        didYouMean(name, known) ?? (known.length <= 12 ? `fields here: ${known.join(', ')}` : undefined);
      report({
        code: 'TULLE0201',
        pointer: at,
        atKey: true,
        message: `unknown field ${JSON.stringify(name)}${pointer === '' ? '' : ` in ${nameOf(pointer)}`}`,
        hint,
      });
    }
  }
  for (const name of schema.required ?? []) {
    if (!Object.hasOwn(value, name))
      say(
        'TULLE0203',
        `${pointer === '' ? 'the resource' : nameOf(pointer)} needs the field ${JSON.stringify(name)}`,
        properties[name]?.description,
      );
  }
  if (schema.minProperties !== undefined && Object.keys(value).length < schema.minProperties)
    say('TULLE0207', `${nameOf(pointer)} must not be empty`);
}

/** The branch that the value comes nearest to speaks: right type first, then fewest faults. */
function checkAny(branches: readonly Schema[], value: unknown, pointer: string, report: Report): void {
  let best: SchemaFault[] | undefined;
  for (const branch of branches) {
    const faults: SchemaFault[] = [];
    check(branch, value, pointer, (fault) => faults.push(fault));
    if (faults.length === 0) return;
    const distance = (f: readonly SchemaFault[]): number =>
      f.length + (f.some((x) => x.pointer === pointer && x.code === 'TULLE0202') ? 1000 : 0);
    if (best === undefined || distance(faults) < distance(best)) best = faults;
  }
  const types = branches.map((b) => b.type).filter((t) => t !== undefined);
  if (
    best?.length === 1 &&
    best[0]?.code === 'TULLE0202' &&
    best[0].pointer === pointer &&
    types.length > 1
  ) {
    report({
      ...best[0],
      message: `${nameOf(pointer)} must be ${types.map(named).join(' or ')}, not ${shown(value)}`,
    });
    return;
  }
  for (const fault of best ?? []) report(fault);
}

function hasType(value: unknown, type: string): boolean {
  switch (type) {
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    case 'array':
      return Array.isArray(value);
    case 'integer':
      return Number.isSafeInteger(value);
    case 'number':
      return Number.isFinite(value);
    default:
      return typeof value === type;
  }
}

function named(type: string): string {
  return type === 'array'
    ? 'a list'
    : type === 'object'
      ? 'a mapping'
      : type === 'integer'
        ? 'a whole number'
        : type === 'boolean'
          ? 'true or false'
          : type === 'string'
            ? 'text'
            : `a ${type}`;
}

function either(values: readonly unknown[]): string {
  const shownValues = values.map((v) => JSON.stringify(v));
  return shownValues.length === 1
    ? (shownValues[0] as string)
    : `${shownValues.slice(0, -1).join(', ')} or ${String(shownValues.at(-1))}`;
}

/** A value for a message: short, and with its type where that is the fault. */
export function shown(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  if (typeof value === 'string')
    return `the text ${JSON.stringify(value.length > 80 ? `${value.slice(0, 77)}...` : value)}`;
  return typeof value === 'number' ? `the number ${value}` : JSON.stringify(value);
}

/** Last named step of a pointer, e.g. `weight` or `backendRefs[1]`. */
export function nameOf(pointer: string): string {
  const steps = pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  let name = '';
  for (const step of steps.reverse()) {
    if (!/^\d+$/.test(step)) return step + name;
    name = `[${step}]${name}`;
  }
  return name === '' ? 'the resource' : name;
}

function patternOf(source: string): RegExp {
  let pattern = patterns.get(source);
  if (pattern === undefined) patterns.set(source, (pattern = new RegExp(source)));
  return pattern;
}
