/**
 * Texts and JSON made of a stream's record. No platform imports.
 * @packageDocumentation
 */
export { compileJson, compilePlain, compileText } from './compile-format.ts';
export type { FormatFault, FormatOptions, JsonFormat, Render } from './compile-format.ts';
export { parseFormat } from './format-parser.ts';
export type { FormatIssue, FormatPart } from './format-parser.ts';
export { jsonNumber, jsonText, jsonValue } from './json-text.ts';
export { logTypeOf } from './log-type.ts';
export type { LogType } from './log-type.ts';
export { compileTag } from './custom-tag.ts';
export type { TagOf } from './custom-tag.ts';
export { metadataAt, metadataText } from './metadata-text.ts';
export { OPERATOR_NAMES } from './operators.ts';
export type { Getter, JsonValue, OperatorContext } from './operators.ts';
