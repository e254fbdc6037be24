import {
  AUTHZ_FILTER,
  FAULT_FILTER,
  HEADERS_FILTER,
  RATE_LIMIT_FILTER,
  RETRY_FILTER,
  authzFilterSchema,
  faultFilterSchema,
  headersFilterSchema,
  rateLimitFilterSchema,
  retryFilterSchema,
  type JsonSchema,
} from '@tulle/model';
import { findIssues, issuePointer, jsonSchema } from '@tulle/schema';
import type { FilterPhase } from './kinds/filter-policy.ts';

/** A filter that policies may name: its id and the JSON Schema of its configuration, as data. */
export interface KnownFilter {
  readonly id: string;
  readonly configSchema: JsonSchema;
  /** Phases in which it may run; absent: any. */
  readonly phases?: readonly FilterPhase[];
}

/** A filter of the catalogue. */
export interface CatalogueEntry extends KnownFilter {
  /** Every breach of the schema, pointers into the configuration. */
  validate(
    config: unknown,
  ): readonly { readonly pointer: string; readonly message: string; readonly atKey: boolean }[];
}

/** The filters whose configuration can be validated here. */
export type FilterCatalogue = ReadonlyMap<string, CatalogueEntry>;

/** Filters that ship with Tulle (decision D4): their configurations are part of the model. */
export const STANDARD_FILTERS: readonly KnownFilter[] = Object.freeze([
  { id: AUTHZ_FILTER, configSchema: authzFilterSchema, phases: ['authz'] as const },
  { id: RATE_LIMIT_FILTER, configSchema: rateLimitFilterSchema, phases: ['limit', 'custom'] as const },
  { id: FAULT_FILTER, configSchema: faultFilterSchema, phases: ['fault', 'custom'] as const },
  { id: HEADERS_FILTER, configSchema: headersFilterSchema, phases: ['custom', 'transform'] as const },
  { id: RETRY_FILTER, configSchema: retryFilterSchema, phases: ['custom'] as const },
]);

/**
 * Prepares filters for validation; a later entry of the same id replaces an earlier one.
 * @throws TulleError `TULLE_CONFIG_INVALID` when a schema is wrong itself
 */
export function filterCatalogue(filters: readonly KnownFilter[] = STANDARD_FILTERS): FilterCatalogue {
  return new Map(
    filters.map((filter) => [filter.id, { ...filter, validate: validator(filter.configSchema) }]),
  );
}

function validator(schema: JsonSchema): CatalogueEntry['validate'] {
  jsonSchema(schema); // refuses a schema that is wrong itself
  return (config) =>
    findIssues(schema, config).map(({ path, message, atKey }) => {
      const name = path.at(-1);
      return {
        pointer: issuePointer(path),
        atKey,
        message:
          message.startsWith('unknown field') || name === undefined ? message : `${String(name)} ${message}`,
      };
    });
}
