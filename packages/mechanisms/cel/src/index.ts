/**
 * CEL (the Common Expression Language, cel.dev) over the attributes of a stream, as Envoy has them. The library behind it is
 * loaded where a configuration has an expression, and nowhere else.
 * @packageDocumentation
 */
export type { AttributeTable, Attribute, CelJson } from './attributes/table.ts';
export { CONNECTION_ATTRIBUTES, STREAM_ATTRIBUTES } from './attributes/of-stream.ts';
export type { StreamSubject } from './attributes/of-stream.ts';
export { RECORD_ATTRIBUTES } from './attributes/of-record.ts';
export { CEL_OPERATORS, hasCel } from './has-cel.ts';
export { loadCelEngine, loadedCelEngine, NO_CEL_ENGINE } from './load.ts';
export type { CelEngine, CelExpression, CelIssue } from './contract.ts';
export { MAX_EXPRESSION_CHARS, MAX_EXPRESSION_NODES } from './contract.ts';
