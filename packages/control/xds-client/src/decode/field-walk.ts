import type { DescEnum, DescField, DescMessage, Message } from '@bufbuild/protobuf';
import { HONOURED } from './honoured.ts';

/** What an operator lets pass although it is not honoured. */
export interface FieldRules {
  /** Fields by full name, e.g. `envoy.config.listener.v3.Listener.access_log`. */
  readonly tolerated: ReadonlySet<string>;
  /** Field numbers, and numbers of enums, that this version has no name for. */
  readonly allowUnknown: boolean;
  /**
   * What is given to whoever translates a message that was checked, e.g. one that notes what is read of it: so tests tell
   * that no field is taken and then ignored. Default: the message itself.
   */
  readonly watch?: Watch;
}

/** @param path of the message in its resource @returns what stands for it */
export type Watch = (desc: DescMessage, message: Message, path: string) => Message;

type Report = (path: string, message: string) => void;

/**
 * Goes through everything that is set in a message and reports each field that its type's list does not have, with
 * its path. `Any` is a leaf: whoever opens it walks what is inside.
 */
export function checkFields(
  desc: DescMessage,
  message: Message,
  path: string,
  rules: FieldRules,
  report: Report,
): void {
  const unknown = message.$unknown;
  if (unknown && unknown.length > 0 && !rules.allowUnknown) {
    const numbers = [...new Set(unknown.map(({ no }) => no))].join(', ');
    report(path, `${desc.typeName} has field number ${numbers}, which this version does not know`);
  }
  // What an expression says is for whoever reads it.
  if (/^(?:google\.(?:protobuf|api\.expr)|cel\.expr)\./.test(desc.typeName)) return;
  for (const { field, honoured, child } of planOf(desc)) {
    const value = valueOf(field, message);
    if (value === undefined) continue;
    const here = path === '' ? field.name : `${path}.${field.name}`;
    if (!honoured) {
      if (!rules.tolerated.has(`${desc.typeName}.${field.name}`))
        report(here, `${desc.typeName}.${field.name} is set, and this proxy does not honour it`);
    } else if (child) {
      walkValue(field, child, value, here, rules, report);
    } else if (field.enum !== undefined && !rules.allowUnknown) {
      checkEnum(field.enum, value, here, report);
    }
  }
}

interface PlannedField {
  readonly field: DescField;
  readonly honoured: boolean;
  /** Type to go on with; `undefined` for a leaf. */
  readonly child: DescMessage | undefined;
}

const plans = new WeakMap<DescMessage, readonly PlannedField[]>();

function planOf(desc: DescMessage): readonly PlannedField[] {
  let plan = plans.get(desc);
  if (!plan) {
    const list = HONOURED[desc.typeName] ?? [];
    plan = desc.fields.map((field) => ({
      field,
      honoured: list.includes(field.name),
      child: childOf(field),
    }));
    plans.set(desc, plan);
  }
  return plan;
}

function childOf(field: DescField): DescMessage | undefined {
  if (field.fieldKind === 'message') return field.message;
  if (field.fieldKind === 'list' && field.listKind === 'message') return field.message;
  if (field.fieldKind === 'map' && field.mapKind === 'message') return field.message;
  return undefined;
}

/** @returns `undefined` when the field is not set */
function valueOf(field: DescField, message: Message): unknown {
  const fields = message as unknown as Readonly<Record<string, unknown>>;
  if (field.oneof) {
    const group = fields[field.oneof.localName] as
      | { readonly case?: string; readonly value?: unknown }
      | undefined;
    return group?.case === field.localName ? group.value : undefined;
  }
  const value = fields[field.localName];
  switch (field.fieldKind) {
    case 'list':
      return Array.isArray(value) && value.length > 0 ? value : undefined;
    case 'map':
      return value !== undefined && Object.keys(value as object).length > 0 ? value : undefined;
    case 'message':
      return value;
    default:
      return isZero(value) ? undefined : value; // proto3: what is zero was not said
  }
}

function isZero(value: unknown): boolean {
  if (value instanceof Uint8Array) return value.length === 0;
  return value === undefined || value === 0 || value === '' || value === false || value === 0n;
}

function walkValue(
  field: DescField,
  child: DescMessage,
  value: unknown,
  path: string,
  rules: FieldRules,
  report: Report,
): void {
  if (field.fieldKind === 'list') {
    for (const [index, item] of (value as readonly unknown[]).entries())
      walkMessage(child, item, `${path}[${index}]`, rules, report);
  } else if (field.fieldKind === 'map') {
    for (const [key, item] of Object.entries(value as object))
      walkMessage(child, item, `${path}[${JSON.stringify(key)}]`, rules, report);
  } else {
    walkMessage(child, value, path, rules, report);
  }
}

/** A value of an enum that is newer than this version would be taken for none at all. */
function checkEnum({ typeName, value: known }: DescEnum, value: unknown, path: string, report: Report): void {
  if (typeName === STATUS_CODE) return;
  for (const number of (Array.isArray(value) ? value : [value]) as number[])
    if (known[number] === undefined)
      report(path, `is ${number}, a ${typeName} that this version does not know`);
}

/** Its numbers say themselves what they are, also those that it has no name for. */
const STATUS_CODE = 'envoy.type.v3.StatusCode';

/** Wrappers and Struct are plain values here, not messages. */
function walkMessage(
  desc: DescMessage,
  value: unknown,
  path: string,
  rules: FieldRules,
  report: Report,
): void {
  if (typeof value !== 'object' || value === null || !('$typeName' in value)) return;
  checkFields(desc, value as Message, path, rules, report);
}
