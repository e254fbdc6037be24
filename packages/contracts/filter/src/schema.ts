/**
 * What a filter needs of a schema: the Standard Schema interface (https://standardschema.dev, v1) for validation and
 * JSON Schema (draft 2020-12) for docs, forms and the control plane. `@tulle/schema` makes one from plain JSON Schema;
 * any Standard Schema library with JSON Schema output can be wrapped likewise.
 */
export interface ConfigSchema<Output> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    /** Must be synchronous, report every issue at once, and treat unknown fields as issues. */
    validate(value: unknown): SchemaResult<Output>;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
  };
  /** The same as JSON Schema, with a `description` and `default` per property: docs are made from it. */
  readonly jsonSchema: Readonly<Record<string, unknown>>;
}

/** Result of validation by Standard Schema v1. */
export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

/** One issue, by Standard Schema v1. */
export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}
