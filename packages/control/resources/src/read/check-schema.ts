import { isIP } from 'node:net';
import type { JsonSchema } from '@tulle/model';
import { findIssues, issuePointer, type Fault, type OwnRule } from '@tulle/schema';
import type { DiagnosticCode } from '../codes.ts';
import { NOT_HONOURED } from '../kinds/schema-parts.ts';

/** One breach of a schema. */
export interface SchemaFault {
  readonly code: DiagnosticCode;
  readonly pointer: string;
  /** Whether the fault is the field's name rather than its value. */
  readonly atKey: boolean;
  readonly message: string;
  readonly hint?: string | undefined;
}

const CODES: Readonly<Record<Fault, DiagnosticCode>> = {
  unknown: 'TULLE0201',
  type: 'TULLE0202',
  missing: 'TULLE0203',
  range: 'TULLE0204',
  value: 'TULLE0205',
  own: 'TULLE0206',
  size: 'TULLE0207',
  shape: 'TULLE0208',
};

/** Every breach of `schema` at once, with its code. Tells a field that does not exist from one that is not honoured. */
export function checkSchema(schema: JsonSchema, value: unknown): SchemaFault[] {
  return findIssues(schema, value, rule).map(({ path, what, hint, fault, atKey }) => {
    const pointer = issuePointer(path);
    return { code: CODES[fault], pointer, atKey, hint, message: messageOf(fault, path, pointer, what) };
  });
}

/** What kinds say beside JSON Schema: fields that are not honoured, addresses; and a field without a value. */
const rule: OwnRule = (node, value, path) => {
  const name = path.at(-1);
  const instead = (node as { readonly [NOT_HONOURED]?: string })[NOT_HONOURED];
  if (instead !== undefined)
    return { fault: 'own', atKey: true, what: 'is not honoured by Tulle', hint: instead };
  if (value === null && typeof name === 'string')
    return { fault: 'type', atKey: true, what: 'has no value', hint: 'give it one, or remove the field' };
  if (node.format === 'ip' && typeof value === 'string' && isIP(value) === 0)
    return {
      fault: 'value',
      atKey: false,
      what: `must be an IP address, not the text ${JSON.stringify(value.slice(0, 80))}`,
      hint: 'write an IPv4 or IPv6 address, not a name',
    };
  return undefined;
};

function messageOf(fault: Fault, path: readonly (string | number)[], pointer: string, what: string): string {
  if (fault === 'unknown') return path.length < 2 ? what : `${what} in ${nameOf(parentOf(pointer))}`;
  return fault === 'missing' ? `${nameOf(pointer)}: ${what}` : `${nameOf(pointer)} ${what}`;
}

const parentOf = (pointer: string): string => pointer.slice(0, pointer.lastIndexOf('/'));

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
function nameOf(pointer: string): string {
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
