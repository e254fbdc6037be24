import { describe } from './describe.ts';
import { resolve, type SchemaNode, type SchemaObject } from './schema-node.ts';

/**
 * A schema's options as a Markdown table (name, type, default, meaning), nested ones by their path. Generated into
 * READMEs and the reference, so that documentation cannot differ from what is accepted.
 */
export function optionTable(schema: Readonly<Record<string, unknown>>): string {
  const rows = ['| Option | Type | Default | Meaning |', '|---|---|---|---|'];
  collectRows(schema, '', schema, rows, []);
  return rows.join('\n');
}

function collectRows(
  node: SchemaNode,
  prefix: string,
  root: SchemaNode,
  rows: string[],
  seen: readonly SchemaNode[],
): void {
  const target =
    typeof node === 'object' && node.$ref !== undefined ? (resolve(root, node.$ref) ?? true) : node;
  if (typeof target === 'boolean' || seen.includes(target)) return;
  const inside = [...seen, target];
  for (const [name, part] of Object.entries(target.properties ?? {})) {
    const path = prefix === '' ? name : `${prefix}.${name}`;
    rows.push(row(path, part, root, (target.required ?? []).includes(name)));
    collectRows(part, path, root, rows, inside);
  }
  if (target.items !== undefined) collectRows(target.items, `${prefix}[]`, root, rows, inside);
  for (const part of [...(target.anyOf ?? []), ...(target.oneOf ?? []), ...(target.allOf ?? [])])
    collectRows(part, prefix, root, rows, inside);
}

function row(path: string, node: SchemaNode, root: SchemaNode, required: boolean): string {
  const target =
    (typeof node === 'object' && node.$ref !== undefined ? resolve(root, node.$ref) : node) ?? true;
  const of = typeof target === 'object' ? target : {};
  const fallback =
    of.default === undefined ? (required ? '(required)' : '') : `\`${JSON.stringify(of.default)}\``;
  return `| \`${path}\` | ${cell(typeText(target, root))} | ${cell(fallback)} | ${cell(of.description ?? '')} |`;
}

function typeText(node: SchemaNode, root: SchemaNode): string {
  if (typeof node === 'boolean') return 'anything';
  const text =
    node.type === 'array' && node.items !== undefined
      ? `list of ${elementText(node.items, root)}`
      : describe({ ...node, required: [] }, root);
  return `${text.replace(/^an? /, '')}${rangeText(node)}`;
}

function elementText(node: SchemaNode, root: SchemaNode): string {
  return typeof node === 'object'
    ? describe({ ...node, required: [] }, root).replace(
        /^an? (object|string|number|whole number|list)$/,
        '$1s',
      )
    : 'anything';
}

function rangeText(node: SchemaObject): string {
  if (node.minimum !== undefined && node.maximum !== undefined) return `, ${node.minimum}–${node.maximum}`;
  if (node.minimum !== undefined) return `, ≥ ${node.minimum}`;
  if (node.exclusiveMinimum !== undefined) return `, > ${node.exclusiveMinimum}`;
  return node.maximum === undefined ? '' : `, ≤ ${node.maximum}`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
