import type { PathMatch, StringMatch, ValueMatch } from '../route.ts';
import { stringMatchSchema } from './authz.ts';
import type { JsonSchema } from './json-schema.ts';

/**
 * Configuration of `tulle.http.jwt`: bearer tokens in JWS compact form (RFC 7515, RFC 7519; practices of RFC 8725).
 * A token that is there must be good, required or not. Verified tokens are handed to later filters.
 */
export interface JwtFilterConfig {
  readonly providers: readonly JwtProvider[];
  /** What a request has to show where no rule matches. Default: a token of any of the providers. */
  readonly requires?: JwtRequirement;
  /** The first that matches decides instead of `requires`; for chains without routes of their own (Envoy `rules`). */
  readonly rules?: readonly JwtRule[];
  /** Requirements that routes name (Envoy `requirement_map`). */
  readonly requirements?: Readonly<Record<string, JwtRequirement>>;
  /** Let a browser's preflight pass, which can carry no token (Envoy `bypass_cors_preflight`). Default false. */
  readonly bypassPreflight?: boolean;
  /** Refusals say nothing: no body, no `www-authenticate` (Envoy `strip_failure_response`). Default false. */
  readonly silentRefusals?: boolean;
}

/**
 * What a route has to show, instead of `requires` and `rules`: said here, or by the name of one of the chain's
 * `requirements` (Envoy `PerRouteConfig.requirement_name`).
 */
export type JwtRouteConfig = { readonly requires: JwtRequirement } | { readonly requirement: string };

/** An issuer whose tokens are believed. */
export interface JwtProvider {
  /** Shown in metrics; requirements name it. */
  readonly name: string;
  /** Claim `iss`, exactly. */
  readonly issuer: string;
  /** One of these must be in claim `aud`. Absent: any audience, so also tokens that were meant for others. */
  readonly audiences?: readonly string[];
  /** Claim `sub` must match. Absent: any, or none. */
  readonly subjects?: StringMatch;
  /** Longest time from now to `exp`, which must be there (Envoy `max_lifetime`). Absent: any. */
  readonly maxLifetimeMs?: number;
  readonly jwks: JwtInlineKeys | JwtKeysFile | JwtRemoteKeys;
  /** Where tokens are looked for. More than one token is refused. Default `[{ header: 'authorization' }]`. */
  readonly from?: readonly JwtLocation[];
  /**
   * Signature algorithms. Default: {@link JWT_DEFAULT_ALGORITHMS}. HS* must be named and needs keys given here, and ES512
   * must be named since verifying it costs some forty times RS256.
   */
  readonly algorithms?: readonly JwtAlgorithm[];
  /** How far the issuer's clock may be off. Default 60,000 (Envoy `clock_skew_seconds`): what NTP-less machines drift. */
  readonly clockSkewMs?: number;
  /** Refuse tokens without `exp`: they cannot be taken back. Default true. */
  readonly requireExpiration?: boolean;
  /** Longer tokens are refused unread. Default 8,192: a whole head of 60 KiB must hold it several times over. */
  readonly maxTokenBytes?: number;
  /** Whether the service gets the token too. Default false (Envoy `forward`): what it does not need it cannot leak. */
  readonly forward?: boolean;
  /** Claims handed to the service as headers; clients' own lines of these names are always removed. */
  readonly claimsToHeaders?: readonly JwtClaimToHeader[];
  /** Header that carries the verified payload, base64url (Envoy `forward_payload_header`). */
  readonly payloadHeader?: string;
  /** Write `payloadHeader` with padding (Envoy `pad_forward_payload_header`). Default false. */
  readonly payloadHeaderPadded?: boolean;
  /** What is said to conditions in Envoy's words, under `envoy.filters.http.jwt_authn`. Absent: nothing. */
  readonly metadata?: JwtMetadata;
  /** Match the route again once claims are in headers (Envoy `clear_route_cache`). Default false. */
  readonly rematch?: boolean;
  /** Verified tokens remembered, so that they are not verified again. Default 1,000, some 4 KiB each; 0: none. */
  readonly maxCachedTokens?: number;
}

/** Keys given here: a JWK Set (RFC 7517 §5). */
export interface JwtInlineKeys {
  readonly keys: readonly Readonly<Record<string, unknown>>[];
}

/** Keys read from a file with a JWK Set, once. */
export interface JwtKeysFile {
  readonly file: string;
}

/** Names under which a token is known in dynamic metadata. */
export interface JwtMetadata {
  /** The payload (Envoy `payload_in_metadata`). */
  readonly payload?: string;
  /** Claims of the payload that are lists written as one text, and become lists (Envoy `space_delimited_claims`). */
  readonly wordLists?: readonly string[];
  /** The token's header (Envoy `header_in_metadata`). */
  readonly header?: string;
  /** Why a token is no good, where that does not refuse the request (Envoy `failed_status_in_metadata`). */
  readonly failure?: string;
}

/** Keys fetched from the issuer and refreshed in the background; fetched ones stay in use while a fetch fails. */
export interface JwtRemoteKeys {
  /** `https://`; `http://` only to loopback or with `cluster`. Redirects are refused. */
  readonly url: string;
  /** Cluster that is asked instead of the URL's host (Envoy `HttpUri.cluster`). */
  readonly cluster?: string;
  /** Default 600,000 (Envoy `cache_duration`), each time up to a fifth sooner, so that proxies do not come together. */
  readonly refreshMs?: number;
  /** For one fetch. Default 5,000. */
  readonly timeoutMs?: number;
  /** A token with an unknown key asks for a fetch at most this often. Default 30,000. */
  readonly cooldownMs?: number;
  /** Larger answers are refused. Default 262,144: a hundred keys with certificates. */
  readonly maxBytes?: number;
  /** Sets with more keys are refused. Default 100. */
  readonly maxKeys?: number;
}

/** A place in the request. `prefix` defaults to `Bearer ` for `authorization` (compared without case), else to none. */
export type JwtLocation =
  | { readonly header: string; readonly prefix?: string }
  | { readonly query: string }
  | { readonly cookie: string };

/** RFC 7518 §3.1 and RFC 8037 §3.1. `none` does not exist here. */
export type JwtAlgorithm = (typeof JWT_ALGORITHMS)[number];

/** A claim, or the way to one inside objects, and the header that carries it: one line for each value of a list. */
export interface JwtClaimToHeader {
  readonly claim: string | readonly string[];
  readonly header: string;
}

/**
 * - `provider`: a token of it; `audiences` narrows its audiences.
 * - `any`: one of these holds. `all`: each does.
 * - `allowMissing`: there is no token at all.
 * - `allowFailed`: whatever is there; a token that is no good counts as none, and the service gets it as it came (Envoy
 *   `allow_missing_or_failed`).
 * - `ignore`: tokens are not looked for.
 */
export type JwtRequirement =
  | { readonly provider: string; readonly audiences?: readonly string[] }
  | { readonly any: readonly JwtRequirement[] }
  | { readonly all: readonly JwtRequirement[] }
  | { readonly allowMissing: true }
  | { readonly allowFailed: true }
  | { readonly ignore: true };

/** A requirement for some requests. All given conditions must hold. */
export interface JwtRule {
  readonly match: {
    readonly path?: PathMatch;
    readonly method?: string;
    readonly headers?: readonly ValueMatch[];
    readonly query?: readonly ValueMatch[];
  };
  readonly requires: JwtRequirement;
}

/** Id of the token filter. */
export const JWT_FILTER = 'tulle.http.jwt';

/** Signature algorithms that can be chosen, asymmetric ones first. */
export const JWT_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
  'HS256',
  'HS384',
  'HS512',
] as const;

/** What a provider takes that names no algorithms. */
export const JWT_DEFAULT_ALGORITHMS: readonly JwtAlgorithm[] = JWT_ALGORITHMS.filter(
  (algorithm) => algorithm !== 'ES512' && !algorithm.startsWith('HS'),
);

const name = (description: string): JsonSchema => ({
  type: 'string',
  pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
  description,
});
const text = (description: string): JsonSchema => ({ type: 'string', minLength: 1, description });
const object = (
  description: string,
  properties: Readonly<Record<string, JsonSchema>>,
  required: readonly string[],
): JsonSchema => ({ type: 'object', additionalProperties: false, required, description, properties });
const list = (description: string, items: JsonSchema, maxItems = 100): JsonSchema => ({
  type: 'array',
  minItems: 1,
  maxItems,
  items,
  description,
});

const audiences = list('One of these must be in claim aud.', text('Audience.'));
const requirements = (description: string): JsonSchema =>
  list(description, { $ref: '#/$defs/requirement' }, 20);

const requirement: JsonSchema = {
  anyOf: [
    object('A token of a provider.', { provider: text('Name of the provider.'), audiences }, ['provider']),
    object('One of these.', { any: requirements('One of these holds.') }, ['any']),
    object('Each of these.', { all: requirements('Each of these holds.') }, ['all']),
    object(
      'No token.',
      { allowMissing: { const: true, description: 'There is no token; a bad one is still refused.' } },
      ['allowMissing'],
    ),
    object(
      'Whatever is there.',
      { allowFailed: { const: true, description: 'A token that is no good counts as none.' } },
      ['allowFailed'],
    ),
    object('Nothing is looked for.', { ignore: { const: true, description: 'No token is looked for.' } }, [
      'ignore',
    ]),
  ],
};

const requires: JsonSchema = {
  $ref: '#/$defs/requirement',
  description: 'What a request has to show.',
};

const conditions = (description: string, named: JsonSchema): JsonSchema =>
  list(
    description,
    object(
      'A condition.',
      {
        name: named,
        match: stringMatchSchema,
        invert: { type: 'boolean', default: false, description: 'Holds when the match does not.' },
      },
      ['name', 'match'],
    ),
  );

const match: JsonSchema = object(
  'Which requests; all given conditions must hold.',
  {
    path: object(
      'Path.',
      {
        kind: { enum: ['exact', 'prefix', 'bytes-prefix', 'regex'], description: 'How it is compared.' },
        value: text('What it is compared with.'),
      },
      ['kind', 'value'],
    ),
    method: text('Method.'),
    headers: conditions('Header conditions.', name('Field name.')),
    query: conditions('Conditions on query parameters.', text('Parameter name.')),
  },
  [],
);

const jwks: JsonSchema = {
  description: 'The keys: a JWK Set given here, or where it is fetched.',
  anyOf: [
    object(
      'Given here.',
      {
        keys: list('Public keys (JWK).', {
          type: 'object',
          required: ['kty'],
          properties: { kty: text('RSA, EC, OKP or oct.') },
        }),
      },
      ['keys'],
    ),
    object('In a file.', { file: text('Path of a file with a JWK Set.') }, ['file']),
    object(
      'Fetched.',
      {
        url: {
          type: 'string',
          pattern: '^https?://[^#]+$',
          description: 'https://…, or http:// to a cluster.',
        },
        cluster: text("Cluster that is asked instead of the URL's host."),
        refreshMs: {
          type: 'integer',
          minimum: 1_000,
          maximum: 86_400_000,
          default: 600_000,
          description: 'Refreshed after this, up to a fifth sooner.',
        },
        timeoutMs: {
          type: 'integer',
          minimum: 1,
          maximum: 60_000,
          default: 5_000,
          description: 'For one fetch, in milliseconds.',
        },
        cooldownMs: {
          type: 'integer',
          minimum: 0,
          maximum: 86_400_000,
          default: 30_000,
          description: 'Unknown keys ask for a fetch at most this often.',
        },
        maxBytes: {
          type: 'integer',
          minimum: 1,
          maximum: 10_485_760,
          default: 262_144,
          description: 'Largest answer.',
        },
        maxKeys: {
          type: 'integer',
          minimum: 1,
          maximum: 1_000,
          default: 100,
          description: 'Most keys in a set.',
        },
      },
      ['url'],
    ),
  ],
};

const location: JsonSchema = {
  anyOf: [
    object(
      'A header.',
      {
        header: name('Field name.'),
        prefix: { type: 'string', description: 'What stands before the token; for authorization: Bearer.' },
      },
      ['header'],
    ),
    object('A query parameter.', { query: text('Parameter name.') }, ['query']),
    object('A cookie.', { cookie: name('Cookie name.') }, ['cookie']),
  ],
};

const provider: JsonSchema = object(
  'An issuer whose tokens are believed.',
  {
    name: { type: 'string', pattern: '^[A-Za-z0-9._-]{1,64}$', description: 'Shown in metrics.' },
    issuer: text('Claim iss, exactly.'),
    audiences: { ...audiences, description: 'One of these must be in claim aud. Absent: any.' },
    subjects: { ...stringMatchSchema, description: 'Claim sub must match. Absent: any, or none.' },
    maxLifetimeMs: {
      type: 'integer',
      minimum: 1,
      maximum: 3_155_760_000_000,
      description: 'Longest time from now to exp, which must be there, in milliseconds. Absent: any.',
    },
    jwks,
    from: {
      ...list('Where tokens are looked for.', location, 10),
      default: [{ header: 'authorization' }],
    },
    algorithms: {
      type: 'array',
      minItems: 1,
      uniqueItems: true,
      items: { enum: JWT_ALGORITHMS },
      description: 'Signature algorithms. Default: all but ES512 and the shared secrets, HS256 to HS512.',
    },
    clockSkewMs: {
      type: 'integer',
      minimum: 0,
      maximum: 600_000,
      default: 60_000,
      description: "How far the issuer's clock may be off, in milliseconds.",
    },
    requireExpiration: { type: 'boolean', default: true, description: 'Refuse tokens without exp.' },
    maxTokenBytes: {
      type: 'integer',
      minimum: 64,
      maximum: 65_536,
      default: 8_192,
      description: 'Longest token.',
    },
    forward: { type: 'boolean', default: false, description: 'Whether the service gets the token too.' },
    claimsToHeaders: list(
      'Claims handed to the service as headers; such lines from clients are removed.',
      object(
        'A claim and its header.',
        {
          claim: {
            description: 'Name of the claim, or the way to one inside objects.',
            anyOf: [text('Name.'), list('Names, outermost first.', text('Name.'), 10)],
          },
          header: name('Field name.'),
        },
        ['claim', 'header'],
      ),
    ),
    payloadHeader: name('Header that carries the verified payload, base64url.'),
    payloadHeaderPadded: {
      type: 'boolean',
      default: false,
      description: 'Write payloadHeader with padding.',
    },
    metadata: object(
      "What is said to conditions in Envoy's words.",
      {
        payload: text('Name of the payload.'),
        wordLists: list('Claims of the payload that are lists written as one text.', text('Claim.')),
        header: text("Name of the token's header."),
        failure: text('Name of why a token is no good, where that does not refuse the request.'),
      },
      [],
    ),
    rematch: {
      type: 'boolean',
      default: false,
      description: 'Match the route again once claims are in headers.',
    },
    maxCachedTokens: {
      type: 'integer',
      minimum: 0,
      maximum: 1_000_000,
      default: 1_000,
      description: 'Verified tokens remembered.',
    },
  },
  ['name', 'issuer', 'jwks'],
);

/** JSON Schema of {@link JwtFilterConfig}. */
export const jwtFilterSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['providers'],
  properties: {
    providers: list('Issuers whose tokens are believed.', provider),
    requires: { ...requires, description: 'What a request has to show. Default: a token of any provider.' },
    rules: list(
      'The first that matches decides instead of requires.',
      object('A requirement for some requests.', { match, requires }, ['match', 'requires']),
    ),
    requirements: {
      type: 'object',
      maxProperties: 1_000,
      additionalProperties: { $ref: '#/$defs/requirement' },
      description: 'Requirements that routes name.',
    },
    bypassPreflight: {
      type: 'boolean',
      default: false,
      description: "Let a browser's preflight pass, which can carry no token.",
    },
    silentRefusals: {
      type: 'boolean',
      default: false,
      description: 'Refusals say nothing: no body, no www-authenticate.',
    },
  },
  $defs: { requirement },
};

/** JSON Schema of {@link JwtRouteConfig}. */
export const jwtRouteSchema: JsonSchema = {
  anyOf: [
    { type: 'object', additionalProperties: false, required: ['requires'], properties: { requires } },
    {
      type: 'object',
      additionalProperties: false,
      required: ['requirement'],
      properties: { requirement: text("Name of one of the chain's requirements.") },
    },
  ],
  $defs: { requirement },
};
