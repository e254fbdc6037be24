import { isRecord, resolve, type SchemaNode, type SchemaObject } from './schema-node.ts';
import { validate } from './validate.ts';

/**
 * A valid value as a frozen copy, with the schema's `default`s where fields are absent: what is configured cannot
 * change afterwards, and code that reads it need not know the defaults again.
 * @param withDefaults false for overrides, where an absent field means "as in the base"
 */
export function settle(node: SchemaNode, value: unknown, root: SchemaNode, withDefaults: boolean): unknown {
  return copy(collect(node, value, root), value, root, withDefaults);
}

/** Every schema object that speaks about `value`: the node, what it refers to, and the alternatives that fit. */
function collect(node: SchemaNode, value: unknown, root: SchemaNode): SchemaObject[] {
  if (typeof node === 'boolean') return [];
  const found = [node];
  const follow = (part: SchemaNode): void => void found.push(...collect(part, value, root));
  if (node.$ref !== undefined) follow(resolve(root, node.$ref) ?? true);
  for (const part of node.allOf ?? []) follow(part);
  for (const part of [...(node.anyOf ?? []), ...(node.oneOf ?? [])]) {
    if (validate(withDefinitions(part, root), value).length === 0) {
      follow(part);
      break;
    }
  }
  return found;
}

/** A part that can be validated alone although it refers to the whole's definitions. */
function withDefinitions(part: SchemaNode, root: SchemaNode): SchemaNode {
  return typeof part === 'object' && typeof root === 'object' && root.$defs !== undefined
    ? { ...part, $defs: root.$defs }
    : part;
}

function copy(
  nodes: readonly SchemaObject[],
  value: unknown,
  root: SchemaNode,
  withDefaults: boolean,
): unknown {
  if (Array.isArray(value)) {
    return Object.freeze(
      value.map((element, index) =>
        copy(
          nodes.flatMap((node) => collect(node.prefixItems?.[index] ?? node.items ?? true, element, root)),
          element,
          root,
          withDefaults,
        ),
      ),
    );
  }
  if (!isRecord(value)) return value;
  const result: Record<string, unknown> = {};
  const set = (name: string, part: unknown): void => {
    // `__proto__` is a field like any other in JSON.
    Object.defineProperty(result, name, {
      value: part,
      enumerable: true,
      writable: true,
      configurable: true,
    });
  };
  for (const [name, part] of Object.entries(value)) {
    if (part !== undefined)
      set(
        name,
        copy(
          nodes.flatMap((node) => collect(propertyOf(node, name), part, root)),
          part,
          root,
          withDefaults,
        ),
      );
  }
  if (withDefaults) {
    for (const node of nodes) {
      for (const [name, part] of Object.entries(node.properties ?? {})) {
        const fallback = Object.hasOwn(result, name) ? undefined : defaultOf(part, root);
        if (fallback !== undefined)
          set(name, copy(collect(part, fallback, root), fallback, root, withDefaults));
      }
    }
  }
  return Object.freeze(result);
}

function propertyOf(node: SchemaObject, name: string): SchemaNode {
  if (node.properties !== undefined && Object.hasOwn(node.properties, name))
    return node.properties[name] as SchemaNode;
  const pattern = Object.entries(node.patternProperties ?? {}).find(([text]) =>
    new RegExp(text, 'u').test(name),
  );
  return pattern?.[1] ?? node.additionalProperties ?? true;
}

function defaultOf(node: SchemaNode, root: SchemaNode): unknown {
  if (typeof node === 'boolean') return undefined;
  return (
    node.default ?? (node.$ref === undefined ? undefined : defaultOf(resolve(root, node.$ref) ?? true, root))
  );
}
