import {
  ADAPTIVE_CONCURRENCY_FILTER,
  ADMISSION_CONTROL_FILTER,
  AUTHZ_FILTER,
  BUFFER_FILTER,
  COMPRESSION_FILTER,
  CONN_AUTHZ_FILTER,
  CONN_EXT_AUTHZ_FILTER,
  CONN_LIMIT_FILTER,
  CONN_RATE_LIMIT_FILTER,
  CONN_SET_FILTER_STATE_FILTER,
  CORS_FILTER,
  EXT_AUTHZ_FILTER,
  EXT_PROC_FILTER,
  FAULT_FILTER,
  GLOBAL_RATE_LIMIT_FILTER,
  GRPC_WEB_FILTER,
  HEADERS_FILTER,
  HEALTH_CHECK_FILTER,
  IP_ALLOW_FILTER,
  JWT_FILTER,
  LOCAL_REPLIES,
  RATE_LIMIT_FILTER,
  RETRY_FILTER,
  SET_FILTER_STATE_FILTER,
  WASM_FILTER,
  adaptiveConcurrencyFilterSchema,
  admissionControlFilterSchema,
  authzFilterSchema,
  bufferFilterSchema,
  compressionFilterSchema,
  connAuthzFilterSchema,
  connExtAuthzFilterSchema,
  connLimitFilterSchema,
  connRateLimitFilterSchema,
  corsFilterSchema,
  extAuthzFilterSchema,
  extProcFilterSchema,
  faultFilterSchema,
  globalRateLimitFilterSchema,
  grpcWebFilterSchema,
  headersFilterSchema,
  healthCheckFilterSchema,
  ipAllowFilterSchema,
  jwtFilterSchema,
  localRepliesSchema,
  rateLimitFilterSchema,
  retryFilterSchema,
  connSetFilterStateFilterSchema,
  setFilterStateFilterSchema,
  wasmFilterSchema,
  type JsonSchema,
} from '@tulle/model';
import { findIssues, issuePointer, jsonSchema } from '@tulle/schema';
import type { FilterPhase } from './kinds/filter-policy.ts';

/** A filter that policies may name: its id and the JSON Schema of its configuration, as data. */
export interface KnownFilter {
  readonly id: string;
  readonly configSchema: JsonSchema;
  /** Phase in which it runs where a policy names none: that of the filter's own definition. Default `custom`. */
  readonly phase?: FilterPhase;
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
  standard(ADAPTIVE_CONCURRENCY_FILTER, adaptiveConcurrencyFilterSchema, 'limit', 'custom'),
  standard(ADMISSION_CONTROL_FILTER, admissionControlFilterSchema, 'limit', 'custom'),
  standard(AUTHZ_FILTER, authzFilterSchema, 'authz'),
  standard(BUFFER_FILTER, bufferFilterSchema, 'transform', 'custom'),
  standard(SET_FILTER_STATE_FILTER, setFilterStateFilterSchema, 'transform'),
  standard(COMPRESSION_FILTER, compressionFilterSchema, 'transform', 'custom'),
  standard(CONN_AUTHZ_FILTER, connAuthzFilterSchema, 'connection'),
  standard(CONN_EXT_AUTHZ_FILTER, connExtAuthzFilterSchema, 'connection'),
  standard(CONN_LIMIT_FILTER, connLimitFilterSchema, 'connection'),
  standard(CONN_RATE_LIMIT_FILTER, connRateLimitFilterSchema, 'connection'),
  standard(CONN_SET_FILTER_STATE_FILTER, connSetFilterStateFilterSchema, 'connection'),
  standard(CORS_FILTER, corsFilterSchema, 'cors'),
  // Beside what it decides it may add headers that others go by.
  standard(EXT_AUTHZ_FILTER, extAuthzFilterSchema, 'authz', 'authn', 'custom'),
  standard(EXT_PROC_FILTER, extProcFilterSchema, 'custom'),
  standard(FAULT_FILTER, faultFilterSchema, 'fault', 'custom'),
  standard(GLOBAL_RATE_LIMIT_FILTER, globalRateLimitFilterSchema, 'limit', 'custom'),
  standard(GRPC_WEB_FILTER, grpcWebFilterSchema, 'cors'),
  standard(HEADERS_FILTER, headersFilterSchema, 'transform', 'custom'),
  standard(HEALTH_CHECK_FILTER, healthCheckFilterSchema, 'custom', 'cors'),
  standard(IP_ALLOW_FILTER, ipAllowFilterSchema, 'connection'),
  standard(JWT_FILTER, jwtFilterSchema, 'authn'),
  standard(RATE_LIMIT_FILTER, rateLimitFilterSchema, 'limit', 'custom'),
  standard(RETRY_FILTER, retryFilterSchema, 'custom'),
  // What a module does only its author knows.
  standard(WASM_FILTER, wasmFilterSchema, 'custom', 'authn', 'authz', 'limit', 'transform'),
]);

/** What the engine does itself, for every proxy. */
const LOCAL_REPLIES_PART: KnownFilter = Object.freeze({
  id: LOCAL_REPLIES,
  configSchema: localRepliesSchema,
});

function standard(
  id: string,
  configSchema: JsonSchema,
  phase: FilterPhase,
  ...others: readonly FilterPhase[]
): KnownFilter {
  return { id, configSchema, phase, phases: [phase, ...others] };
}

const phases: ReadonlyMap<string, FilterPhase> = new Map(
  STANDARD_FILTERS.map(({ id, phase }) => [id, phase ?? 'custom']),
);

/**
 * Phase of a filter where a policy names none. Of a filter that does not ship with Tulle only its proxies know the
 * definition, and say so; else it is `custom`.
 */
export function defaultPhase(filter: string): FilterPhase {
  return phases.get(filter) ?? 'custom';
}

/**
 * Prepares filters for validation; a later entry of the same id replaces an earlier one.
 * @throws TulleError `TULLE_CONFIG_INVALID` when a schema is wrong itself
 */
export function filterCatalogue(filters: readonly KnownFilter[] = STANDARD_FILTERS): FilterCatalogue {
  return new Map(
    [LOCAL_REPLIES_PART, ...filters].map((filter) => [
      filter.id,
      { ...filter, validate: validator(filter.configSchema) },
    ]),
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
