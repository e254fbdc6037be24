import { TulleError, type ConfigIssue } from '@tulle/filter';

/** Names of the types of JSON Schema. */
export type TypeName = 'null' | 'boolean' | 'object' | 'array' | 'number' | 'integer' | 'string';

/** The part of JSON Schema (draft 2020-12) that is understood. `true` allows everything, `false` nothing. */
export interface SchemaObject {
  readonly type?: TypeName | readonly TypeName[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly patternProperties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: SchemaNode;
  readonly propertyNames?: SchemaNode;
  readonly required?: readonly string[];
  readonly dependentRequired?: Readonly<Record<string, readonly string[]>>;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly items?: SchemaNode;
  readonly prefixItems?: readonly SchemaNode[];
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  /** An annotation: nothing is checked. */
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly multipleOf?: number;
  readonly anyOf?: readonly SchemaNode[];
  readonly oneOf?: readonly SchemaNode[];
  readonly allOf?: readonly SchemaNode[];
  readonly not?: SchemaNode;
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, SchemaNode>>;
  readonly description?: string;
  readonly default?: unknown;
}

/** A schema or a part of one. */
export type SchemaNode = SchemaObject | boolean;

/** The types that a schema allows; empty when it does not say. */
export function typesOf(node: SchemaObject): readonly TypeName[] {
  if (node.type === undefined) return [];
  return typeof node.type === 'string' ? [node.type] : node.type;
}

/** What a keyword's value must be, so that schemas themselves are checked. */
const KEYWORDS: Readonly<
  Record<
    string,
    | 'any'
    | 'schema'
    | 'schemas'
    | 'schemaMap'
    | 'number'
    | 'boolean'
    | 'string'
    | 'strings'
    | 'pattern'
    | 'list'
    | 'type'
    | 'ref'
  >
> = {
  type: 'type',
  enum: 'list',
  const: 'any',
  properties: 'schemaMap',
  patternProperties: 'schemaMap',
  additionalProperties: 'schema',
  propertyNames: 'schema',
  required: 'strings',
  dependentRequired: 'any',
  minProperties: 'number',
  maxProperties: 'number',
  items: 'schema',
  prefixItems: 'schemas',
  minItems: 'number',
  maxItems: 'number',
  uniqueItems: 'boolean',
  minLength: 'number',
  maxLength: 'number',
  pattern: 'pattern',
  minimum: 'number',
  maximum: 'number',
  exclusiveMinimum: 'number',
  exclusiveMaximum: 'number',
  multipleOf: 'number',
  anyOf: 'schemas',
  oneOf: 'schemas',
  allOf: 'schemas',
  not: 'schema',
  $ref: 'ref',
  $defs: 'schemaMap',
  // Annotations: they say something to people and tools, and nothing about validity.
  $schema: 'string',
  $id: 'string',
  $comment: 'string',
  title: 'string',
  description: 'string',
  default: 'any',
  examples: 'list',
  deprecated: 'boolean',
  readOnly: 'boolean',
  writeOnly: 'boolean',
  format: 'string',
};

const TYPES: readonly string[] = ['null', 'boolean', 'object', 'array', 'number', 'integer', 'string'];

/**
 * Refuses a schema that would not do what its author thinks: a keyword that is not understood here validates nothing.
 * @throws TulleError `TULLE_CONFIG_INVALID` with every fault, paths into the schema
 */
export function checkSchema(schema: unknown): void {
  const issues: ConfigIssue[] = [];
  walk(schema, '', schema, issues);
  if (issues.length === 0) return;
  throw new TulleError(
    'TULLE_CONFIG_INVALID',
    `JSON Schema: ${issues.map((issue) => `${issue.path} ${issue.message}`).join('; ')}`,
    { issues },
  );
}

function walk(node: unknown, path: string, root: unknown, issues: ConfigIssue[]): void {
  if (typeof node === 'boolean') return;
  const say = (keyword: string, message: string): void =>
    void issues.push({ path: `${path}/${keyword}`, message });
  if (!isRecord(node))
    return void issues.push({ path, message: 'must be a schema: an object, true or false' });
  for (const [keyword, value] of Object.entries(node)) {
    if (keyword.startsWith('x-')) continue; // an annotation of whoever made it
    switch (KEYWORDS[keyword]) {
      case undefined:
        say(keyword, 'is no keyword that is understood here, so it would check nothing');
        break;
      case 'schema':
        walk(value, `${path}/${keyword}`, root, issues);
        break;
      case 'schemas':
        if (!Array.isArray(value)) say(keyword, 'must be a list of schemas');
        else
          for (const [index, part] of value.entries())
            walk(part, `${path}/${keyword}/${index}`, root, issues);
        break;
      case 'schemaMap':
        if (!isRecord(value)) say(keyword, 'must be an object of schemas');
        else
          for (const [name, part] of Object.entries(value))
            walk(part, `${path}/${keyword}/${escapePointer(name)}`, root, issues);
        break;
      case 'number':
        if (typeof value !== 'number') say(keyword, 'must be a number');
        break;
      case 'boolean':
        if (typeof value !== 'boolean') say(keyword, 'must be true or false');
        break;
      case 'string':
        if (typeof value !== 'string') say(keyword, 'must be a string');
        break;
      case 'strings':
        if (!Array.isArray(value) || value.some((part) => typeof part !== 'string'))
          say(keyword, 'must be a list of strings');
        break;
      case 'list':
        if (!Array.isArray(value)) say(keyword, 'must be a list');
        break;
      case 'type':
        if (![value].flat().every((name) => TYPES.includes(name as string)))
          say(keyword, `must be one or more of ${TYPES.join(', ')}`);
        break;
      case 'pattern':
        if (typeof value !== 'string' || !isPattern(value)) say(keyword, 'must be a regular expression');
        break;
      case 'ref':
        if (typeof value !== 'string' || resolve(root, value) === undefined)
          say(
            keyword,
            `${JSON.stringify(value)} is not found; only references within the schema (#/$defs/name) are followed`,
          );
        break;
      case 'any':
        break;
    }
  }
}

function isPattern(text: string): boolean {
  try {
    new RegExp(text, 'u');
    return true;
  } catch {
    return false;
  }
}

/** What `#/$defs/name` points to. */
export function resolve(root: unknown, reference: string): SchemaNode | undefined {
  if (!reference.startsWith('#')) return undefined;
  let node: unknown = root;
  for (const part of reference.slice(1).split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof node !== 'object' || node === null || !Object.hasOwn(node, key)) return undefined;
    node = (node as Record<string, unknown>)[key];
  }
  return typeof node === 'boolean' || isRecord(node) ? node : undefined;
}

/** Whether a value is an object of JSON. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** One segment of a JSON pointer (RFC 6901 §3). */
export function escapePointer(segment: string): string {
  return segment.replaceAll('~', '~0').replaceAll('/', '~1');
}
