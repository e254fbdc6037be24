import { jsonSchema } from '@tulle/schema';
import type { JsonSchemaIssue } from '@tulle/schema';
import { isMap, isScalar, LineCounter, parseDocument, type Document } from 'yaml';

/** How long a window lasts, in seconds. */
export const UNIT_SECONDS = { second: 1, minute: 60, hour: 3_600, day: 86_400 } as const;
export type Unit = keyof typeof UNIT_SECONDS;

/** So many requests in every second, minute, hour or day of the clock. */
export interface Limit {
  readonly unit: Unit;
  /** 0 refuses all. */
  readonly requestsPerUnit: number;
}

/** One entry of the tree. Without `value` it stands for every value that is not listed beside it, each counted for itself. */
export interface LimitNode {
  readonly limit?: Limit;
  readonly children: LimitTree;
}

/** Entries under one another, found by {@link nodeKey}. */
export type LimitTree = ReadonlyMap<string, LimitNode>;

/** The limits of each domain. */
export type Domains = ReadonlyMap<string, LimitTree>;

/** A file that cannot be used: every fault, one a line, as `file:line:column: path: what`. */
export class LimitsFileError extends Error {}

/** Length first, so that no key and value read as another pair. */
export const nodeKey = (key: string, value?: string): string =>
  value === undefined ? key : `${key.length}:${key}=${value}`;

interface WrittenDescriptor {
  readonly key: string;
  readonly value?: string;
  readonly rate_limit?: { readonly unit: Unit; readonly requests_per_unit: number };
  readonly descriptors?: readonly WrittenDescriptor[];
}

const descriptors = {
  type: 'array',
  items: { $ref: '#/$defs/descriptor' },
  description: 'A list of descriptors.',
};

const schema = jsonSchema<{ readonly domain: string; readonly descriptors: readonly WrittenDescriptor[] }>({
  type: 'object',
  additionalProperties: false,
  required: ['domain', 'descriptors'],
  properties: { domain: { type: 'string', minLength: 1 }, descriptors },
  $defs: {
    descriptor: {
      type: 'object',
      additionalProperties: false,
      required: ['key'],
      properties: {
        key: { type: 'string', minLength: 1 },
        value: { type: 'string', description: 'Text; quote a number.' },
        rate_limit: {
          type: 'object',
          additionalProperties: false,
          required: ['unit', 'requests_per_unit'],
          properties: {
            unit: { enum: Object.keys(UNIT_SECONDS) },
            requests_per_unit: { type: 'integer', minimum: 0, maximum: 4_294_967_295 },
          },
        },
        descriptors,
      },
    },
  },
});

type Path = readonly (string | number)[];

/**
 * Reads the limits of one domain.
 * @param file its name, for messages
 * @throws LimitsFileError with every fault at once
 */
export function readLimits(file: string, text: string): { domain: string; limits: LimitTree } {
  const lines = new LineCounter();
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${Math.max(1, line)}:${Math.max(1, col)}`;
  };
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true });
  if (document.errors.length > 0)
    throw new LimitsFileError(
      document.errors.map(({ pos, message }) => `${at(pos[0])}: ${message}`).join('\n'),
    );
  const faults: string[] = [];
  const fault = (path: Path, what: string, atKey = false): void => {
    faults.push(`${at(offsetOf(document, path, atKey))}: ${pathText(path)}: ${what}`);
  };

  const result = schema['~standard'].validate(document.toJS({ maxAliasCount: 100 }) as unknown);
  if (result instanceof Promise) throw new TypeError('a JSON Schema is checked at once');
  if (result.issues !== undefined) {
    for (const { path, message, atKey } of result.issues as readonly JsonSchemaIssue[])
      fault(path, message, atKey);
    throw new LimitsFileError(faults.join('\n'));
  }
  const limits = treeOf(result.value.descriptors, ['descriptors'], fault);
  if (faults.length > 0) throw new LimitsFileError(faults.join('\n'));
  return { domain: result.value.domain, limits };
}

function treeOf(
  written: readonly WrittenDescriptor[],
  path: Path,
  fault: (path: Path, what: string) => void,
): LimitTree {
  const tree = new Map<string, LimitNode>();
  for (const [index, { key, value, rate_limit: limit, descriptors: under = [] }] of written.entries()) {
    const here = [...path, index];
    const name = nodeKey(key, value);
    if (tree.has(name))
      fault(
        here,
        `key ${JSON.stringify(key)}${value === undefined ? '' : ` with value ${JSON.stringify(value)}`} stands here twice`,
      );
    if (limit === undefined && under.length === 0)
      fault(here, 'limits nothing; give it a rate_limit, or descriptors that have one');
    tree.set(name, {
      ...(limit && { limit: { unit: limit.unit, requestsPerUnit: limit.requests_per_unit } }),
      children: treeOf(under, [...here, 'descriptors'], fault),
    });
  }
  return tree;
}

/**
 * The limit of a descriptor: its entries lead down the tree, each by key and value, else by key alone. Only what its
 * last entry leads to counts, so a longer descriptor is not held to the limit of a shorter one.
 */
export function limitOf(
  tree: LimitTree,
  entries: readonly { readonly key: string; readonly value: string }[],
): Limit | undefined {
  let found: LimitNode | undefined;
  for (const { key, value } of entries) {
    const level: LimitTree = found === undefined ? tree : found.children;
    found = level.get(nodeKey(key, value)) ?? level.get(nodeKey(key));
    if (found === undefined) return undefined;
  }
  return found?.limit;
}

const pathText = (path: Path): string =>
  path.reduce<string>(
    (text, step) => (typeof step === 'number' ? `${text}[${step}]` : text === '' ? step : `${text}.${step}`),
    '',
  ) || '(the file)';

/** Where a path stands, or the nearest that exists around it. */
function offsetOf(document: Document.Parsed, path: Path, atKey: boolean): number {
  const parent = path.length === 0 ? undefined : document.getIn(path.slice(0, -1), true);
  const last = path.at(-1);
  if (atKey && isMap(parent)) {
    const key = parent.items.find((pair) => isScalar(pair.key) && pair.key.value === last)?.key;
    if (isScalar(key)) return key.range?.[0] ?? 0;
  }
  for (let length = path.length; length > 0; length -= 1) {
    const node = document.getIn(path.slice(0, length), true) as { range?: readonly number[] } | undefined;
    if (node?.range) return node.range[0] ?? 0;
  }
  return document.contents?.range[0] ?? 0;
}
