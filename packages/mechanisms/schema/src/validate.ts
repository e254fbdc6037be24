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
  /** What is wrong, and what would be right. */
  readonly what: string;
  /** A way out: what was probably meant, the fields that exist, or what the schema says of itself. */
  readonly hint?: string;
  readonly fault: Fault;
  /** Whether the fault is the field's name rather than its value. */
  readonly atKey: boolean;
  /** The value is of another kind altogether than this schema asks for; tells alternatives apart. */
  readonly wrongKind: boolean;
}

/** What kind of fault. `shape`: how several parts go together. `own`: of {@link OwnRule}. */
export type Fault = 'type' | 'value' | 'range' | 'size' | 'missing' | 'unknown' | 'shape' | 'own';

/**
 * Asked about each value before the keywords of its schema; a fault of its own is then the only one told of that value.
 * For keywords and formats that only the caller knows, and for its own words.
 */
export type OwnRule = (
  node: SchemaObject,
  value: unknown,
  path: Path,
) => Pick<Issue, 'what' | 'hint' | 'atKey' | 'fault'> | undefined;

/** Outermost first. */
export type Path = readonly (string | number)[];

/** Deeper values are refused: configuration is not that deep, and recursion is not free. */
const MAX_DEPTH = 100;

/** Every breach of `root` by `value`. */
export function validate(root: SchemaNode, value: unknown, rule?: OwnRule): Issue[] {
  const issues: Issue[] = [];
  new Validation(root, rule).check(root, value, [], issues);
  return issues;
}

class Validation {
  readonly #root: SchemaNode;
  readonly #rule: OwnRule | undefined;
  #depth = 0;

  constructor(root: SchemaNode, rule: OwnRule | undefined) {
    this.#root = root;
    this.#rule = rule;
  }

  check(node: SchemaNode, value: unknown, path: Path, issues: Issue[]): void {
    if (node === true) return;
    if (node === false) return issue(issues, path, 'shape', 'must not be there');
    if (this.#depth >= MAX_DEPTH)
      return issue(issues, path, 'shape', `is nested deeper than ${MAX_DEPTH} levels`);
    const own = this.#rule?.(node, value, path);
    if (own !== undefined) return void issues.push({ ...own, path, wrongKind: false });
    this.#depth += 1;
    this.#checkNode(node, value, path, issues);
    this.#depth -= 1;
  }

  #checkNode(node: SchemaObject, value: unknown, path: Path, issues: Issue[]): void {
    if (node.type !== undefined) {
      const types = typesOf(node);
      if (!types.some((type) => hasType(value, type))) {
        const what = `must be ${typesText(types)}, not ${show(value)}`;
        return issue(issues, path, 'type', what, aboutOf(node), true);
      }
    }
    if (node.enum !== undefined && !node.enum.some((allowed) => equal(allowed, value))) {
      const what = `must be ${either(node.enum)}, not ${show(value)}`;
      return issue(issues, path, 'value', what, meantOf(node.enum, value), true);
    }
    if (node.const !== undefined && !equal(node.const, value)) {
      const what = `must be ${JSON.stringify(node.const)}, not ${show(value)}`;
      return issue(issues, path, 'value', what, undefined, true);
    }
    if (typeof value === 'string') checkString(node, value, path, issues);
    else if (typeof value === 'number') checkNumber(node, value, path, issues);
    else if (Array.isArray(value)) this.#checkList(node, value, path, issues);
    else if (isRecord(value)) this.#checkObject(node, value, path, issues);
    if (node.$ref !== undefined) this.check(resolve(this.#root, node.$ref) ?? false, value, path, issues);
    for (const part of node.allOf ?? []) this.check(part, value, path, issues);
    if (node.anyOf !== undefined) this.#checkAlternatives(node.anyOf, value, path, issues);
    if (node.oneOf !== undefined && this.#checkAlternatives(node.oneOf, value, path, issues) > 1) {
      const all = describeAll(node.oneOf, this.#root);
      issue(issues, path, 'shape', `fits more than one of: ${all}; it must fit one`);
    }
    if (node.not !== undefined && this.#try(node.not, value, path).length === 0)
      issue(issues, path, 'shape', `must not be ${describe(node.not, this.#root)}`);
  }

  #isOffered(node: SchemaNode | undefined, path: Path): boolean {
    return typeof node !== 'object' || this.#rule?.(node, undefined, path) === undefined;
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
        const what = `must be ${either(known)}, not ${show(tagged)}`;
        issue(issues, [...path, tag], 'value', what, meantOf(known, tagged), true);
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
      const allowed = nodes.flatMap((node) => (typeof node === 'object' ? (node.enum ?? []) : []));
      const isValue = results.some((result) => result.some((found) => found.fault === 'value'));
      issue(
        issues,
        path,
        isValue ? 'value' : 'type',
        `must be ${describeAll(nodes, this.#root)}, not ${show(value)}`,
        meantOf(allowed, value),
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
      issue(
        issues,
        path,
        'size',
        `must have at least ${count(node.minItems, 'element')}, not ${value.length}`,
      );
    if (node.maxItems !== undefined && value.length > node.maxItems) {
      // What is in a list that must be cut anyway is not worth a flood of issues.
      const what = `must have at most ${count(node.maxItems, 'element')}, not ${value.length}`;
      return issue(issues, path, 'size', what);
    }
    if (node.uniqueItems === true) {
      for (const [index, element] of value.entries())
        if (value.slice(0, index).some((earlier) => equal(earlier, element)))
          issue(
            issues,
            [...path, index],
            'size',
            `is ${show(element)}, which stands in the list before; each element may stand once`,
          );
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
          'missing',
          `${JSON.stringify(name)} is missing`,
          aboutOf(Object.hasOwn(properties, name) ? properties[name] : undefined),
        );
    }
    for (const [name, others] of Object.entries(node.dependentRequired ?? {})) {
      if (!names.includes(name)) continue;
      for (const other of others)
        if (!names.includes(other))
          issue(
            issues,
            path,
            'missing',
            `${JSON.stringify(other)} is missing; ${JSON.stringify(name)} needs it`,
          );
    }
    if (node.minProperties !== undefined && names.length < node.minProperties)
      issue(
        issues,
        path,
        'size',
        `must have at least ${count(node.minProperties, 'field')}, not ${names.length}`,
      );
    if (node.maxProperties !== undefined && names.length > node.maxProperties)
      issue(
        issues,
        path,
        'size',
        `must have at most ${count(node.maxProperties, 'field')}, not ${names.length}`,
      );
    for (const name of names) {
      const at = [...path, name];
      if (node.propertyNames !== undefined) {
        for (const found of this.#try(node.propertyNames, name, at))
          issues.push({
            ...found,
            what: `the name ${JSON.stringify(name)} ${found.what}`,
            atKey: true,
          });
      }
      const known = Object.hasOwn(properties, name);
      if (known) this.check(properties[name] as SchemaNode, value[name], at, issues);
      const patterns = Object.entries(node.patternProperties ?? {}).filter(([pattern]) =>
        patternOf(pattern).test(name),
      );
      for (const [, part] of patterns) this.check(part, value[name], at, issues);
      if (known || patterns.length > 0 || node.additionalProperties === undefined) continue;
      if (node.additionalProperties === false) {
        // Fields that are refused whatever they hold are no help.
        const all = Object.keys(properties).filter((other) =>
          this.#isOffered(properties[other], [...path, other]),
        );
        const free = all.filter((other) => !names.includes(other));
        unknownField(issues, at, name, free, all);
      } else this.check(node.additionalProperties, value[name], at, issues);
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
  const meant = didYouMean(name, free) ?? didYouMean(name, all);
  const fields =
    all.length === 0
      ? 'there are no fields here'
      : all.length <= 12
        ? `fields here: ${all.join(', ')}`
        : undefined;
  const hint = meant === undefined ? fields : `did you mean ${JSON.stringify(meant)}?`;
  issues.push({
    path,
    fault: 'unknown',
    what: `unknown field ${JSON.stringify(name)}`,
    ...(hint === undefined ? {} : { hint }),
    atKey: true,
    wrongKind: false,
  });
}

function checkString(node: SchemaObject, value: string, path: Path, issues: Issue[]): void {
  const length = node.minLength === undefined && node.maxLength === undefined ? 0 : Array.from(value).length;
  if (node.minLength !== undefined && length < node.minLength) {
    const wanted = `must have at least ${count(node.minLength, 'character')}, not ${length}`;
    return issue(issues, path, 'size', length === 0 ? 'must not be empty' : wanted);
  }
  if (node.maxLength !== undefined && length > node.maxLength) {
    const what = `must have at most ${count(node.maxLength, 'character')}, not ${length}`;
    return issue(issues, path, 'size', what);
  }
  if (node.pattern !== undefined && !patternOf(node.pattern).test(value))
    issue(issues, path, 'value', `must match ${node.pattern}, not ${show(value)}`, aboutOf(node));
}

function checkNumber(node: SchemaObject, value: number, path: Path, issues: Issue[]): void {
  const { minimum, maximum } = node;
  if ((minimum !== undefined && value < minimum) || (maximum !== undefined && value > maximum)) {
    const range =
      minimum === undefined
        ? `at most ${maximum}`
        : maximum === undefined
          ? `at least ${minimum}`
          : `between ${minimum} and ${maximum}`;
    issue(issues, path, 'range', `must be ${range}, not ${value}`);
  }
  if (node.exclusiveMinimum !== undefined && value <= node.exclusiveMinimum)
    issue(issues, path, 'range', `must be more than ${node.exclusiveMinimum}, not ${value}`);
  if (node.exclusiveMaximum !== undefined && value >= node.exclusiveMaximum)
    issue(issues, path, 'range', `must be less than ${node.exclusiveMaximum}, not ${value}`);
  if (node.multipleOf !== undefined && !isMultiple(value, node.multipleOf))
    issue(issues, path, 'range', `must be a multiple of ${node.multipleOf}, not ${value}`);
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

function issue(
  issues: Issue[],
  path: Path,
  fault: Fault,
  what: string,
  hint?: string,
  wrongKind = false,
): void {
  issues.push({ path, fault, what, ...(hint === undefined ? {} : { hint }), atKey: false, wrongKind });
}

function meantOf(allowed: readonly unknown[], value: unknown): string | undefined {
  const meant =
    typeof value === 'string'
      ? didYouMean(
          value,
          allowed.filter((candidate) => typeof candidate === 'string'),
        )
      : undefined;
  return meant === undefined ? undefined : `did you mean ${JSON.stringify(meant)}?`;
}

/** What the schema says of itself, as the way out. */
function aboutOf(node: SchemaNode | undefined): string | undefined {
  return typeof node === 'object' ? node.description : undefined;
}

const patterns = new Map<string, RegExp>();

/** Compiled once: schemas are few, and values many. */
function patternOf(source: string): RegExp {
  let pattern = patterns.get(source);
  if (pattern === undefined) patterns.set(source, (pattern = new RegExp(source, 'u')));
  return pattern;
}

function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`;
}
