import type { ConfigSchema, SchemaIssue, SchemaResult } from '@tulle/filter';
import { checkSchema, escapePointer, type SchemaNode } from './schema-node.ts';
import { settle } from './settle.ts';
import { validate, type Fault, type OwnRule } from './validate.ts';

/** How {@link jsonSchema} treats values. */
export interface JsonSchemaOptions {
  /**
   * Whether absent fields get the schema's `default`. Default true. Take false for a route override, where an absent
   * field means "as in the base" and a default would overwrite it.
   */
  readonly defaults?: boolean;
}

/** An issue as {@link jsonSchema} reports it: Standard Schema's, with one thing more for tools that show positions. */
export interface JsonSchemaIssue extends SchemaIssue {
  readonly path: readonly (string | number)[];
  /** The message without its way out. */
  readonly what: string;
  /** The way out: what was probably meant, the fields that exist, or what the schema says of itself. */
  readonly hint?: string;
  readonly fault: Fault;
  /** Whether to point at the field's name (an unknown field) rather than its value. */
  readonly atKey: boolean;
}

/**
 * A filter's configuration schema from plain JSON Schema (draft 2020-12; keywords that are not understood are refused,
 * see the README for the list).
 *
 * - Every issue is reported at once, with the path as keys and indices, what was found and what would be right; an
 *   unknown field (where the schema says `additionalProperties: false`) with the one that was probably meant.
 * - The output is a frozen copy of the input, with the `default` of each absent field unless `options.defaults` is false.
 *
 * @typeParam Output the type that the schema describes; nothing proves that they agree but your tests
 * @throws TulleError `TULLE_CONFIG_INVALID` when the schema itself is wrong
 */
export function jsonSchema<Output>(
  schema: Readonly<Record<string, unknown>>,
  options: JsonSchemaOptions = {},
): ConfigSchema<Output> {
  checkSchema(schema);
  const root = schema as SchemaNode;
  const withDefaults = options.defaults ?? true;
  return {
    '~standard': {
      version: 1,
      vendor: 'tulle',
      validate(value): SchemaResult<Output> {
        const issues = findIssues(schema, value);
        if (issues.length > 0) return { issues };
        return { value: settle(root, value, root, withDefaults) as Output };
      },
    },
    jsonSchema: schema,
  };
}

/** Every breach of a JSON Schema that was checked before ({@link jsonSchema} checks it), without making an output. @param rule what the caller knows beside. */
export function findIssues(
  schema: Readonly<Record<string, unknown>>,
  value: unknown,
  rule?: OwnRule,
): JsonSchemaIssue[] {
  return validate(schema as SchemaNode, value, rule).map(({ path, fault, what, hint, atKey }) => ({
    path,
    fault,
    what,
    ...(hint === undefined ? {} : { hint }),
    message: `${what}${wayOut(hint)}`,
    atKey,
  }));
}

/** A question or a list follows; what the schema says of itself is an aside. */
function wayOut(hint: string | undefined): string {
  if (hint === undefined) return '';
  return /^(did you mean|fields here|there are no fields)/.test(hint)
    ? `; ${hint}`
    : ` (${hint.replace(/\.$/, '')})`;
}

/** The JSON pointer (RFC 6901) of an issue's path, `''` for the whole. */
export function issuePointer(path: SchemaIssue['path']): string {
  return (path ?? [])
    .map((segment) => `/${escapePointer(String(typeof segment === 'object' ? segment.key : segment))}`)
    .join('');
}
