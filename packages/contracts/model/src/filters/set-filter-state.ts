import type { JsonSchema } from './json-schema.ts';

/**
 * Configuration of `tulle.http.set-filter-state`: texts made of a request are put down under keys, where access logs
 * (`%FILTER_STATE(key)%`), conditions and hashes find them (Envoy `filters.http.set_filter_state.v3.Config`).
 */
export interface SetFilterStateConfig {
  /** One after the other: a later one finds what an earlier one has put down. */
  readonly values: readonly FilterStateValue[];
  /** The route is matched again after that, as it may ask for what was put down (Envoy `clear_route_cache`). Default false. */
  readonly rematch?: boolean;
}

/** One of them. */
export interface FilterStateValue {
  readonly key: string;
  /** A text with operators of access logs, e.g. `%REQ(x-tenant)%`. */
  readonly format: string;
  /** What operators without a value stand for: nothing, or, as in access logs, `-`. Default false: `-`. */
  readonly omitEmpty?: boolean;
  /** Nobody puts another value down under the key. One that may be replaced stays so. Default false. */
  readonly readOnly?: boolean;
  /** A text that comes to nothing is not put down. Default false. */
  readonly skipIfEmpty?: boolean;
  /** `address`: what is no IP address with a port is not put down. Default: any text is. */
  readonly kind?: 'address';
  /**
   * Listeners of the same process to which the request goes have it as well: the next one alone (`once`), or also those that their
   * own streams go to (`always`). Their streams cannot put another value down under the key. Only where the cluster says so
   * ({@link Passthrough}). Default none (Envoy `shared_with_upstream` ONCE, TRANSITIVE).
   */
  readonly shared?: 'once' | 'always';
}

/**
 * Configuration of `tulle.conn.set-filter-state`, which does the same for connections, before a byte of theirs is read (Envoy
 * `filters.network.set_filter_state.v3.Config`): operators stand for what is known of a connection. Its requests have what is put
 * down, and put no other values down under the keys.
 */
export type ConnSetFilterStateConfig = Pick<SetFilterStateConfig, 'values'>;

/** Id of the filter of connections. */
export const CONN_SET_FILTER_STATE_FILTER = 'tulle.conn.set-filter-state';

/** Id of the filter. */
export const SET_FILTER_STATE_FILTER = 'tulle.http.set-filter-state';

const properties: Readonly<Record<string, JsonSchema>> = {
  values: {
    type: 'array',
    minItems: 1,
    maxItems: 64,
    description: 'What is put down, in this order.',
    items: {
      type: 'object',
      additionalProperties: false,
      required: ['key', 'format'],
      properties: {
        key: { type: 'string', minLength: 1, maxLength: 256, description: 'Where it is put down.' },
        format: {
          type: 'string',
          maxLength: 4_096,
          description: 'A text with operators of access logs, e.g. `%REQ(x-tenant)%`.',
        },
        omitEmpty: {
          type: 'boolean',
          default: false,
          description: 'Whether operators without a value stand for nothing instead of `-`.',
        },
        readOnly: {
          type: 'boolean',
          default: false,
          description: 'Whether nobody can put another value down under the key.',
        },
        skipIfEmpty: {
          type: 'boolean',
          default: false,
          description: 'Whether a text that comes to nothing is not put down.',
        },
        kind: {
          enum: ['address'],
          description: 'address: only an IP address with a port is put down.',
        },
        shared: {
          enum: ['once', 'always'],
          description:
            'Whether the listener of the same process has it to which the request goes; always: also those behind that one.',
        },
      },
    },
  },
};

/** JSON Schema of {@link ConnSetFilterStateConfig}. */
export const connSetFilterStateFilterSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['values'],
  properties,
};

/** JSON Schema of {@link SetFilterStateConfig}. */
export const setFilterStateFilterSchema: JsonSchema = {
  ...connSetFilterStateFilterSchema,
  properties: {
    ...properties,
    rematch: {
      type: 'boolean',
      default: false,
      description: 'Match the route again after that, as it may ask for what was put down.',
    },
  },
};
