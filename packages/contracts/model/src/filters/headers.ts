import type { HeaderEdits } from '../route.ts';
import type { JsonSchema } from './json-schema.ts';

/** Configuration of `tulle.http.headers`: edits in the order remove, set, add. */
export interface HeadersFilterConfig {
  readonly request?: HeaderEdits;
  readonly response?: HeaderEdits;
}

/** Id of the header filter. */
export const HEADERS_FILTER = 'tulle.http.headers';

const headerName: JsonSchema = {
  type: 'string',
  pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
  description: 'Field name.',
};
/** JSON Schema of a `HeaderValue`. */
export const headerValueSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['name', 'value'],
  properties: {
    name: headerName,
    value: { type: 'string', pattern: '^[\\t\\x20-\\x7e\\x80-\\xff]*$', description: 'Field value.' },
  },
};

/** JSON Schema of {@link HeaderEdits}. */
export const headerEditsSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    set: { type: 'array', items: headerValueSchema, description: 'Replaces every line of the name.' },
    add: { type: 'array', items: headerValueSchema, description: 'Adds a line.' },
    remove: { type: 'array', items: headerName, description: 'Removes every line of the name.' },
  },
};

/** JSON Schema of {@link HeadersFilterConfig}. */
export const headersFilterSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  properties: { request: headerEditsSchema, response: headerEditsSchema },
};
