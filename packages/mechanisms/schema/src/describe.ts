import { resolve, typesOf, type SchemaNode, type TypeName } from './schema-node.ts';

const TYPE_TEXT: Readonly<Record<TypeName, string>> = {
  null: 'null',
  boolean: 'true or false',
  object: 'an object',
  array: 'a list',
  number: 'a number',
  integer: 'a whole number',
  string: 'a string',
};

/** Longest piece of a value that a message shows. */
const SHOWN_LENGTH = 60;

/** A value as a message shows it: its kind, and what it is when that is short. */
export function show(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${value.length}`;
  switch (typeof value) {
    case 'object':
      return value === null ? 'null' : 'an object';
    case 'string':
      return `the string ${shorten(JSON.stringify(value))}`;
    case 'number':
      return `the number ${value}`;
    case 'boolean':
      return String(value);
    case 'undefined':
      return 'nothing';
    default:
      return `a ${typeof value}`;
  }
}

function shorten(text: string): string {
  return text.length <= SHOWN_LENGTH ? text : `${text.slice(0, SHOWN_LENGTH)}…"`;
}

/** `"a", "b" or "c"` */
export function either(values: readonly unknown[]): string {
  return join(
    values.map((value) => JSON.stringify(value)),
    'or',
  );
}

/** `a, b or c` */
export function join(parts: readonly string[], word: string): string {
  return parts.length < 2
    ? parts.join('')
    : `${parts.slice(0, -1).join(', ')} ${word} ${parts.at(-1) as string}`;
}

/** What a schema asks for, in a few words. */
export function describe(node: SchemaNode, root: SchemaNode): string {
  if (typeof node === 'boolean') return node ? 'anything' : 'nothing';
  if (node.$ref !== undefined) return describe(resolve(root, node.$ref) ?? true, root);
  if (node.const !== undefined) return JSON.stringify(node.const);
  if (node.enum !== undefined) return either(node.enum);
  const alternatives = node.anyOf ?? node.oneOf;
  if (alternatives !== undefined) return describeAll(alternatives, root);
  const isObject = node.type === undefined || node.type === 'object';
  if (isObject && node.required !== undefined && node.required.length > 0)
    return `an object with ${join(
      node.required.map((name) => JSON.stringify(name)),
      'and',
    )}`;
  if (node.type !== undefined) return typesText(typesOf(node));
  if (node.properties !== undefined) return 'an object';
  return node.items === undefined ? 'anything' : 'a list';
}

/** What several alternatives ask for; the values of an enumeration count as alternatives themselves. */
export function describeAll(nodes: readonly SchemaNode[], root: SchemaNode): string {
  const parts = nodes.flatMap((node) =>
    typeof node === 'object' && node.enum !== undefined
      ? node.enum.map((value) => JSON.stringify(value))
      : [describe(node, root)],
  );
  return join([...new Set(parts)], 'or');
}

/** `a string or null` */
export function typesText(types: readonly TypeName[]): string {
  return join(
    types.map((type) => TYPE_TEXT[type]),
    'or',
  );
}
