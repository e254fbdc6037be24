import type { HeaderEdits, HeaderValue } from '../header-edits.ts';
import type { StringMatch } from '../route.ts';
import { stringMatchSchema } from '../schema/string-match.ts';
import type { JsonSchema } from './json-schema.ts';

/**
 * Configuration of `tulle.http.headers`: edits in the order remove, set, add, then the steps in theirs. What a route says comes
 * beside what the chain says (Envoy `header_mutation`): first the chain's edits, then those of the most specific place, then
 * those of the others.
 */
export interface HeadersFilterConfig {
  readonly request?: HeaderEdits;
  readonly response?: HeaderEdits;
  /** Edits in an order of their own. */
  readonly requestSteps?: readonly HeaderStep[];
  readonly responseSteps?: readonly HeaderStep[];
  /** Edits of trailers, where there are any. */
  readonly requestTrailerSteps?: readonly HeaderStep[];
  readonly responseTrailerSteps?: readonly HeaderStep[];
  /** Edits of the parameters in a request's query, which choose no other route. */
  readonly querySteps?: readonly QueryStep[];
  /**
   * For a chain: edits of the most specific place come last, so that they win (Envoy
   * `most_specific_header_mutations_wins`). Default false.
   */
  readonly specificLast?: boolean;
}

/**
 * One edit of a query. Names and values are said decoded. `set` puts one in the place of the first of its name, without the others;
 * what is new comes last.
 */
export type QueryStep =
  | { readonly remove: string }
  | { readonly set: QueryValue }
  | { readonly add: QueryValue }
  | { readonly setIfPresent: QueryValue }
  | { readonly addIfAbsent: QueryValue };

/** One parameter. */
export interface QueryValue {
  readonly name: string;
  readonly value: string;
}

/**
 * One edit. `setIfPresent` replaces lines that are there, `addIfAbsent` adds one where there is none. `removeOnMatch` removes every field whose name,
 * in lower case, fulfils it, but for those that belong to the engine.
 */
export type HeaderStep =
  | { readonly remove: string }
  | { readonly removeOnMatch: StringMatch }
  | { readonly set: HeaderValue }
  | { readonly add: HeaderValue }
  | { readonly setIfPresent: HeaderValue }
  | { readonly addIfAbsent: HeaderValue };

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

const step = (key: string, schema: JsonSchema): JsonSchema => ({
  type: 'object',
  additionalProperties: false,
  required: [key],
  properties: { [key]: schema },
});
const steps: JsonSchema = {
  type: 'array',
  minItems: 1,
  maxItems: 1_000,
  items: {
    anyOf: [
      step('remove', headerName),
      step('removeOnMatch', stringMatchSchema),
      ...['set', 'add', 'setIfPresent', 'addIfAbsent'].map((key) => step(key, headerValueSchema)),
    ],
  },
};

const queryName: JsonSchema = { type: 'string', minLength: 1, description: 'Name of a parameter.' };
const queryValue: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['name', 'value'],
  properties: { name: queryName, value: { type: 'string', description: 'Its value.' } },
};
const querySteps: JsonSchema = {
  type: 'array',
  minItems: 1,
  maxItems: 1_000,
  description: "Edits of the parameters in a request's query.",
  items: {
    anyOf: [
      step('remove', queryName),
      ...['set', 'add', 'setIfPresent', 'addIfAbsent'].map((key) => step(key, queryValue)),
    ],
  },
};

/** JSON Schema of {@link HeadersFilterConfig}. */
export const headersFilterSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    request: headerEditsSchema,
    response: headerEditsSchema,
    requestSteps: { ...steps, description: 'Edits of requests in an order of their own.' },
    responseSteps: { ...steps, description: 'Edits of responses in an order of their own.' },
    requestTrailerSteps: { ...steps, description: 'Edits of trailers of requests.' },
    responseTrailerSteps: { ...steps, description: 'Edits of trailers of responses.' },
    querySteps,
    specificLast: {
      type: 'boolean',
      default: false,
      description: 'Edits of the most specific place come last, so that they win.',
    },
  },
};
