/**
 * JSON Schema as Standard Schema: every issue at once, with paths and did-you-mean.
 * @packageDocumentation
 */
export { findIssues, issuePointer, jsonSchema } from './json-schema.ts';
export type { JsonSchemaIssue, JsonSchemaOptions } from './json-schema.ts';
export type { Fault, OwnRule } from './validate.ts';
export { optionTable } from './option-table.ts';
export { perConfig } from './per-config.ts';
export { didYouMean } from './suggest.ts';
