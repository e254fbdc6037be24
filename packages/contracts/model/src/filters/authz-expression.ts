import type { StringMatch, ValueMatch } from '../route.ts';
import { stringMatchSchema } from '../schema/string-match.ts';
import type { JsonSchema } from './json-schema.ts';

/**
 * A condition in the words of Envoy's RBAC (`envoy.config.rbac.v3.Permission`, `Principal`), judged as Envoy judges it: one
 * reading of the path, each line of a field by itself, a field that is absent matching nothing. For policies that
 * come from elsewhere; those written for Tulle say `from`, `to` and `when`, which look closer.
 *
 * - `any`: holds. `allOf`, `anyOf`, `not`: of others.
 * - `path`: the path without query (`url_path`, `uri_template`).
 * - `header`: a field, or `:method`, `:path` with its query, `:authority`, `:scheme`.
 * - `destination`: network of the address that was connected to (`destination_ip`). `ports`: that address's port.
 * - `serverName`: what TLS asked for (`requested_server_name`); without TLS `''`.
 * - `identity`: the peer's proven SPIFFE id (`authenticated`); `present`: any.
 * - `peer`: network of the address that connected (`direct_remote_ip`). `source`: of the one that a header of the PROXY protocol
 *   says in its place (`source_ip`). `client`: of the caller's, which `x-forwarded-for` names where the listener believes
 *   it (`remote_ip`). Where nobody says another one, all three are the same.
 * - `metadata`: what an earlier filter found out, e.g. a verified token's claims (`metadata`).
 * - `filterState`: what filters put down under a key, about the request or its connection (`filter_state`).
 * - `input`: a text that a matcher asks for (`xds.type.matcher.v3.Matcher`), which must be there.
 * - `cel`: a condition in CEL on Envoy's attributes (`Policy.condition`), e.g. `request.size < 1024`. One that asks for what is not there
 *   does not hold; one that cannot be judged otherwise (types that do not fit) denies.
 */
export type AuthzExpression =
  | { readonly any: true }
  | { readonly allOf: readonly AuthzExpression[] }
  | { readonly anyOf: readonly AuthzExpression[] }
  | { readonly not: AuthzExpression }
  | { readonly path: StringMatch }
  | { readonly header: ValueMatch }
  | { readonly destination: string }
  | { readonly ports: { readonly first: number; readonly last: number } }
  | { readonly serverName: StringMatch }
  | { readonly identity: StringMatch }
  | { readonly peer: string }
  | { readonly source: string }
  | { readonly client: string }
  | { readonly metadata: AuthzMetadataTest }
  | { readonly filterState: FilterStateTest }
  | { readonly input: AuthzInput; readonly match: StringMatch }
  | { readonly cel: string };

/** Inputs of matchers that are texts of a connection. */
export const AUTHZ_INPUTS = [
  'destination-ip',
  'destination-port',
  'source-ip',
  'source-port',
  'direct-source-ip',
  'server-name',
] as const;

/**
 * What a matcher looks at (`envoy.extensions.matching.common_inputs.network.v3`, `HttpRequestHeaderMatchInput`). `source-ip` of a request is
 * the caller's, which `x-forwarded-for` names where the listener believes it; it has the port 0 then. A header that comes in several
 * lines is one text with commas in Envoy; here what allows asks for each line, and what denies for any of them or the text.
 */
export type AuthzInput = (typeof AUTHZ_INPUTS)[number] | { readonly header: string };

/**
 * What filter state must hold under a key (`envoy.type.matcher.v3.FilterStateMatcher`): a text that fulfils a condition, or an address,
 * with a port or without, of a network. What is not there fulfils neither.
 */
export type FilterStateTest = { readonly key: string } & (
  | { readonly match: StringMatch }
  | { readonly cidrs: readonly string[] }
);

/** What dynamic metadata must hold (`envoy.type.matcher.v3.MetadataMatcher`). */
export interface AuthzMetadataTest {
  /** The filter that says it, e.g. `envoy.filters.http.jwt_authn`. */
  readonly namespace: string;
  /** Names of objects, outermost first. */
  readonly path: readonly string[];
  readonly value: AuthzValueTest;
  /** Default false. */
  readonly invert?: boolean;
}

/** `envoy.type.matcher.v3.ValueMatcher`. `element`: one of a list's. `anyOf`: one of these. */
export type AuthzValueTest =
  | { readonly text: StringMatch }
  | { readonly number: { readonly first: number; readonly last: number } | { readonly exact: number } }
  | { readonly truth: boolean }
  | { readonly nothing: true }
  /** Absence is said by `invert` of the test: `present_match: false` matches nothing in Envoy. */
  | { readonly present: true }
  | { readonly element: AuthzValueTest }
  | { readonly anyOf: readonly AuthzValueTest[] };

const one = (key: string, schema: JsonSchema): JsonSchema => ({
  type: 'object',
  additionalProperties: false,
  required: [key],
  properties: { [key]: schema },
});
const object = (
  required: readonly string[],
  properties: Readonly<Record<string, JsonSchema>>,
): JsonSchema => ({ type: 'object', additionalProperties: false, required, properties });
const expression: JsonSchema = { $ref: '#/$defs/expression' };
const value: JsonSchema = { $ref: '#/$defs/value' };
const several = (items: JsonSchema): JsonSchema => ({ type: 'array', minItems: 1, maxItems: 1_000, items });
const port: JsonSchema = { type: 'integer', minimum: 0, maximum: 65_535 };
const network: JsonSchema = { type: 'string', minLength: 1 };

const metadataTest = (of: JsonSchema): JsonSchema =>
  object(['namespace', 'path', 'value'], {
    namespace: { type: 'string', minLength: 1 },
    path: { type: 'array', minItems: 1, maxItems: 20, items: { type: 'string', minLength: 1 } },
    value: of,
    invert: { type: 'boolean', default: false },
  });

const stateKey: JsonSchema = { type: 'string', minLength: 1 };

/** JSON Schema of {@link FilterStateTest}. */
export const filterStateTestSchema: JsonSchema = {
  anyOf: [
    object(['key', 'match'], { key: stateKey, match: stringMatchSchema }),
    object(['key', 'cidrs'], { key: stateKey, cidrs: several(network) }),
  ],
};

/** JSON Schema of {@link AuthzMetadataTest}, in a schema that has {@link authzExpressionDefs}. */
export const authzMetadataTestSchema: JsonSchema = metadataTest(value);

/** The same without definitions. @param depth values within values at most */
export const metadataTestSchema = (depth: number): JsonSchema => metadataTest(valueWithin(depth));

const valueWithin = (depth: number): JsonSchema => valueOf(depth === 0 ? undefined : valueWithin(depth - 1));

/** JSON Schema of {@link AuthzValueTest}. @param inner of the values within; `undefined`: none are */
function valueOf(inner: JsonSchema | undefined): JsonSchema {
  return {
    anyOf: [
      one('text', stringMatchSchema),
      one('number', {
        anyOf: [
          object(['first', 'last'], { first: { type: 'number' }, last: { type: 'number' } }),
          one('exact', { type: 'number' }),
        ],
      }),
      one('truth', { type: 'boolean' }),
      one('nothing', { const: true }),
      one('present', { const: true }),
      ...(inner === undefined ? [] : [one('element', inner), one('anyOf', several(inner))]),
    ],
  };
}

/** Definitions that a schema with `{ $ref: '#/$defs/expression' }` has. */
export const authzExpressionDefs: Readonly<Record<string, JsonSchema>> = {
  expression: {
    anyOf: [
      one('any', { const: true }),
      one('allOf', several(expression)),
      one('anyOf', several(expression)),
      one('not', expression),
      one('path', stringMatchSchema),
      one(
        'header',
        object(['name', 'match'], {
          name: { type: 'string', minLength: 1 },
          match: stringMatchSchema,
          invert: { type: 'boolean', default: false },
        }),
      ),
      one('destination', network),
      one('ports', object(['first', 'last'], { first: port, last: port })),
      one('serverName', stringMatchSchema),
      one('identity', stringMatchSchema),
      one('peer', network),
      one('source', network),
      one('client', network),
      one('metadata', authzMetadataTestSchema),
      one('filterState', filterStateTestSchema),
      object(['input', 'match'], {
        input: {
          anyOf: [{ enum: [...AUTHZ_INPUTS] }, one('header', { type: 'string', minLength: 1 })],
        },
        match: stringMatchSchema,
      }),
      one('cel', { type: 'string', minLength: 1, maxLength: 4096 }),
    ],
  },
  value: valueOf(value),
};
