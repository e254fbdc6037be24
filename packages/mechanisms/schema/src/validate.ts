import { describe, describeAll, either, show, typesText } from './describe.ts';
import {
  isRecord,
  resolve,
  typesOf,
  type SchemaNode,
  type SchemaObject,
  type TypeName,
} from './schema-node.ts';
import { didYouMean } from './suggest.ts';

/** One breach of a schema. */
export interface Issue {
  /** Where in the value, outermost first; a field that should not be there is named itself, a missing one by its object. */
  readonly path: readonly (string | number)[];
  readonly message: string;
  /** Whether the fault is the field's name rather than its value. */
  readonly atKey: boolean;
  /** The value is of another kind altogether than this schema asks for; tells alternatives apart. */
  readonly wrongKind: boolean;
}

type Path = readonly (string | number)[];

/** Deeper values are refused: configuration is not that deep, and recursion is not free. */
const MAX_DEPTH = 100;

/** Every breach of `root` by `value`. */
export function validate(root: SchemaNode, value: unknown): Issue[] {
  const issues: Issue[] = [];
  new Validation(root).check(root, value, [], issues);
  return issues;
}

class Validation {
  readonly #root: SchemaNode;
  #depth = 0;

  constructor(root: SchemaNode) {
    this.#root = root;
  }

  check(node: SchemaNode, value: unknown, path: Path, issues: Issue[]): void {
    if (node === true) return;
    if (node === false) return issue(issues, path, 'must not be there');
    if (this.#depth >= MAX_DEPTH) return issue(issues, path, `is nested deeper than ${MAX_DEPTH} levels`);
    this.#depth += 1;
    this.#checkNode(node, value, path, issues);
    this.#depth -= 1;
  }

  #checkNode(node: SchemaObject, value: unknown, path: Path, issues: Issue[]): void {
    if (node.type !== undefined) {
      const types = typesOf(node);
      if (!types.some((type) => hasType(value, type))) {
        return issue(issues, path, `must be ${typesText(types)}, not ${show(value)}${hintOf(node)}`, true);
      }
    }
    if (node.enum !== undefined && !node.enum.some((allowed) => equal(allowed, value))) {
      return issue(
        issues,
        path,
        `must be ${either(node.enum)}, not ${show(value)}${meantOf(node.enum, value)}`,
        true,
      );
    }
    if (node.const !== undefined && !equal(node.const, value)) {
      return issue(issues, path, `must be ${JSON.stringify(node.const)}, not ${show(value)}`, true);
    }
    if (typeof value === 'string') checkString(node, value, path, issues);
    else if (typeof value === 'number') checkNumber(node, value, path, issues);
    else if (Array.isArray(value)) this.#checkList(node, value, path, issues);
    else if (isRecord(value)) this.#checkObject(node, value, path, issues);
    if (node.$ref !== undefined) this.check(resolve(this.#root, node.$ref) ?? false, value, path, issues);
    for (const part of node.allOf ?? []) this.check(part, value, path, issues);
    if (node.anyOf !== undefined) this.#checkAlternatives(node.anyOf, value, path, issues);
    if (node.oneOf !== undefined && this.#checkAlternatives(node.oneOf, value, path, issues) > 1) {
      issue(issues, path, `fits more than one of: ${describeAll(node.oneOf, this.#root)}; it must fit one`);
    }
    if (node.not !== undefined && this.#try(node.not, value, path).length === 0)
      issue(issues, path, `must not be ${describe(node.not, this.#root)}`);
  }

  #try(node: SchemaNode, value: unknown, path: Path): Issue[] {
    const issues: Issue[] = [];
    this.check(node, value, path, issues);
    return issues;
  }

  /** @returns how many fit; when none does, the issues of the one that was meant are reported */
  #checkAlternatives(all: readonly SchemaNode[], value: unknown, path: Path, issues: Issue[]): number {
    const tag = isRecord(value) ? tagOf(all, this.#root) : undefined;
    const tagged = tag === undefined ? undefined : (value as Record<string, unknown>)[tag];
    let nodes = all;
    if (tag !== undefined && tagged !== undefined) {
      // Which alternative was meant is said: the others are out of the question.
      nodes = all.filter((node) => tagValues(node, tag, this.#root)?.some((known) => equal(known, tagged)));
      if (nodes.length === 0) {
        const known = all.flatMap((node) => tagValues(node, tag, this.#root) ?? []);
        issue(
          issues,
          [...path, tag],
          `must be ${either(known)}, not ${show(tagged)}${meantOf(known, tagged)}`,
          true,
        );
        return 0;
      }
      const [only] = nodes;
      if (nodes.length === 1 && only !== undefined) {
        const before = issues.length;
        this.check(only, value, path, issues);
        return issues.length === before ? 1 : 0;
      }
    }
    const results = nodes.map((node) => this.#try(node, value, path));
    const fitting = results.filter((result) => result.length === 0).length;
    if (fitting > 0) return fitting;
    const near = results.filter(
      (result) => !result.some((found) => found.wrongKind && found.path.length <= path.length),
    );
    if (near.length === 0) {
      issue(
        issues,
        path,
        `must be ${describeAll(nodes, this.#root)}, not ${show(value)}${meantOf(
          nodes.flatMap((node) => (typeof node === 'object' ? (node.enum ?? []) : [])),
          value,
        )}`,
        true,
      );
      return 0;
    }
    // Of several that are near, the one whose distinguishing fields fit, then the one whose own fields are there and no
    // others (faults further inside say nothing about which was meant), then the one with the fewest faults.
    const rank = (result: readonly Issue[]): number => {
      const own = result.filter((found) => found.path.length <= path.length + 1);
      const wrong = own.filter((found) => found.wrongKind).length;
      const strange = own.filter((found) => found.atKey || found.path.length === path.length).length;
      return wrong * 1_000_000 + strange * 1_000 + result.length;
    };
    issues.push(...near.reduce((best, result) => (rank(result) < rank(best) ? result : best)));
    return 0;
  }

  #checkList(node: SchemaObject, value: readonly unknown[], path: Path, issues: Issue[]): void {
    if (node.minItems !== undefined && value.length < node.minItems)
      issue(issues, path, `must have at least ${count(node.minItems, 'element')}, not ${value.length}`);
    if (node.maxItems !== undefined && value.length > node.maxItems)
      issue(issues, path, `must have at most ${count(node.maxItems, 'element')}, not ${value.length}`);
    if (node.uniqueItems === true) {
      const double = value.findIndex((element, index) =>
        value.slice(0, index).some((earlier) => equal(earlier, element)),
      );
      if (double !== -1)
        issue(issues, [...path, double], `stands in the list before; each element may stand once`);
    }
    const prefix = node.prefixItems ?? [];
    for (const [index, element] of value.entries()) {
      const part = prefix[index] ?? node.items;
      if (part !== undefined) this.check(part, element, [...path, index], issues);
    }
  }

  #checkObject(node: SchemaObject, value: Record<string, unknown>, path: Path, issues: Issue[]): void {
    const names = Object.keys(value).filter((name) => value[name] !== undefined);
    const properties = node.properties ?? {};
    for (const name of node.required ?? []) {
      if (!names.includes(name))
        issue(
          issues,
          path,
          `${JSON.stringify(name)} is missing${hintOf(Object.hasOwn(properties, name) ? properties[name] : undefined)}`,
        );
    }
    for (const [name, others] of Object.entries(node.dependentRequired ?? {})) {
      if (!names.includes(name)) continue;
      for (const other of others)
        if (!names.includes(other))
          issue(issues, path, `${JSON.stringify(other)} is missing; ${JSON.stringify(name)} needs it`);
    }
    if (node.minProperties !== undefined && names.length < node.minProperties)
      issue(issues, path, `must have at least ${count(node.minProperties, 'field')}, not ${names.length}`);
    if (node.maxProperties !== undefined && names.length > node.maxProperties)
      issue(issues, path, `must have at most ${count(node.maxProperties, 'field')}, not ${names.length}`);
    for (const name of names) {
      const at = [...path, name];
      if (node.propertyNames !== undefined) {
        for (const found of this.#try(node.propertyNames, name, at))
          issues.push({
            ...found,
            message: `the name ${JSON.stringify(name)} ${found.message}`,
            atKey: true,
          });
      }
      const known = Object.hasOwn(properties, name);
      if (known) this.check(properties[name] as SchemaNode, value[name], at, issues);
      const patterns = Object.entries(node.patternProperties ?? {}).filter(([pattern]) =>
        new RegExp(pattern, 'u').test(name),
      );
      for (const [, part] of patterns) this.check(part, value[name], at, issues);
      if (known || patterns.length > 0 || node.additionalProperties === undefined) continue;
      if (node.additionalProperties === false)
        unknownField(
          issues,
          at,
          name,
          Object.keys(properties).filter((other) => !names.includes(other)),
          Object.keys(properties),
        );
      else this.check(node.additionalProperties, value[name], at, issues);
    }
  }
}

/** The property by whose constant value these alternatives are told apart, if there is one. Found once for each list. */
function tagOf(nodes: readonly SchemaNode[], root: SchemaNode): string | undefined {
  let tag = tags.get(nodes);
  if (tag === undefined) {
    const [first] = nodes;
    const names = typeof first === 'object' ? Object.keys(target(first, root).properties ?? {}) : [];
    tag = names.find((name) => nodes.every((node) => tagValues(node, name, root) !== undefined)) ?? '';
    tags.set(nodes, tag);
  }
  return tag === '' ? undefined : tag;
}

const tags: WeakMap<readonly SchemaNode[], string> = new WeakMap();

/** What an alternative allows its tag to be; `undefined`: that is no closed set. */
function tagValues(node: SchemaNode, tag: string, root: SchemaNode): readonly unknown[] | undefined {
  if (typeof node === 'boolean') return undefined;
  const { properties = {} } = target(node, root);
  const part = Object.hasOwn(properties, tag) ? properties[tag] : undefined;
  if (typeof part !== 'object') return undefined;
  return part.enum ?? (part.const === undefined ? undefined : [part.const]);
}

/** The schema itself, or what it refers to. */
function target(node: SchemaObject, root: SchemaNode): SchemaObject {
  const referred = node.$ref === undefined ? undefined : resolve(root, node.$ref);
  return typeof referred === 'object' ? referred : node;
}

function unknownField(
  issues: Issue[],
  path: Path,
  name: string,
  free: readonly string[],
  all: readonly string[],
): void {
  const meant = didYouMean(name, free);
  const fields =
    all.length === 0
      ? 'there are no fields here'
      : all.length <= 12
        ? `fields here: ${all.join(', ')}`
        : undefined;
  const hint = meant === undefined ? fields : `did you mean ${JSON.stringify(meant)}?`;
  issues.push({
    path,
    message: `unknown field ${JSON.stringify(name)}${hint === undefined ? '' : `; ${hint}`}`,
    atKey: true,
    wrongKind: false,
  });
}

function checkString(node: SchemaObject, value: string, path: Path, issues: Issue[]): void {
  if (node.minLength !== undefined || node.maxLength !== undefined) {
    const length = Array.from(value).length;
    if (node.minLength !== undefined && length < node.minLength)
      issue(
        issues,
        path,
        length === 0
          ? 'must not be empty'
          : `must have at least ${count(node.minLength, 'character')}, not ${length}`,
      );
    if (node.maxLength !== undefined && length > node.maxLength)
      issue(issues, path, `must have at most ${count(node.maxLength, 'character')}, not ${length}`);
  }
  if (node.pattern !== undefined && !new RegExp(node.pattern, 'u').test(value))
    issue(issues, path, `${show(value)} does not match ${node.pattern}${hintOf(node)}`);
}

function checkNumber(node: SchemaObject, value: number, path: Path, issues: Issue[]): void {
  if (node.minimum !== undefined && value < node.minimum)
    issue(issues, path, `must be at least ${node.minimum}, not ${value}`);
  if (node.maximum !== undefined && value > node.maximum)
    issue(issues, path, `must be at most ${node.maximum}, not ${value}`);
  if (node.exclusiveMinimum !== undefined && value <= node.exclusiveMinimum)
    issue(issues, path, `must be more than ${node.exclusiveMinimum}, not ${value}`);
  if (node.exclusiveMaximum !== undefined && value >= node.exclusiveMaximum)
    issue(issues, path, `must be less than ${node.exclusiveMaximum}, not ${value}`);
  if (node.multipleOf !== undefined && !isMultiple(value, node.multipleOf))
    issue(issues, path, `must be a multiple of ${node.multipleOf}, not ${value}`);
}

function isMultiple(value: number, of: number): boolean {
  const quotient = value / of;
  return Math.abs(quotient - Math.round(quotient)) < 1e-9;
}

function hasType(value: unknown, type: TypeName): boolean {
  switch (type) {
    case 'null':
      return value === null;
    case 'array':
      return Array.isArray(value);
    case 'object':
      return isRecord(value);
    case 'integer':
      return Number.isInteger(value);
    case 'number':
      return typeof value === 'number' && Number.isFinite(value);
    default:
      return typeof value === type;
  }
}

/** Deep equality of JSON values; order of fields does not count. */
function equal(a: unknown, b: unknown): boolean {
  if (Object.is(a, b) || a === b) return true;
  if (Array.isArray(a))
    return Array.isArray(b) && a.length === b.length && a.every((part, index) => equal(part, b[index]));
  if (!isRecord(a) || !isRecord(b)) return false;
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && equal(a[name], b[name]))
  );
}

function issue(issues: Issue[], path: Path, message: string, wrongKind = false): void {
  issues.push({ path, message, atKey: false, wrongKind });
}

function meantOf(allowed: readonly unknown[], value: unknown): string {
  const meant =
    typeof value === 'string'
      ? didYouMean(
          value,
          allowed.filter((candidate) => typeof candidate === 'string'),
        )
      : undefined;
  return meant === undefined ? '' : `; did you mean ${JSON.stringify(meant)}?`;
}

/** What the schema says of itself, as the way out. */
function hintOf(node: SchemaNode | undefined): string {
  return typeof node === 'object' && node.description !== undefined
    ? ` (${node.description.replace(/\.$/, '')})`
    : '';
}

function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`;
}
