import type { StringMatch } from '../route.ts';
import { stringMatchSchema } from '../schema/string-match.ts';
import type { JsonSchema } from './json-schema.ts';

/**
 * Configuration of `tulle.http.cors`: which pages of other origins may use the service (Fetch standard, "CORS protocol";
 * fields and meaning of Gateway API `HTTPCORSFilter`, GEP-1767).
 */
export interface CorsFilterConfig {
  /**
   * `https://shop.example`, with a port where it is not the scheme's own; `https://*.shop.example` for every host below;
   * `*` for every origin. Empty: the filter does nothing.
   */
  readonly allowOrigins: readonly string[];
  /**
   * Further origins, by what their text must match (Envoy `allow_origin_string_match`). A match that `*` fulfils is for every
   * origin.
   */
  readonly allowOriginMatches?: readonly StringMatch[];
  /** `*` for every method. Default none beside those that need no permission (GET, HEAD, POST). */
  readonly allowMethods?: readonly string[];
  /** `*` for every header. Default none beside those that need no permission. */
  readonly allowHeaders?: readonly string[];
  /** Response headers that scripts may read; `*` for every one. Default none beside those that need no permission. */
  readonly exposeHeaders?: readonly string[];
  /** Whether cookies and other credentials may be sent along. Default false. */
  readonly allowCredentials?: boolean;
  /** How long a browser may remember the answer to a preflight. Default 5 (Gateway API, Fetch). */
  readonly maxAgeSeconds?: number;
  /** Let pages of listed origins reach a private network (`access-control-request-private-network`). Default false. */
  readonly allowPrivateNetwork?: boolean;
  /**
   * What origins are not listed get is the service's affair: its preflights are passed on, its answers left as they are (Envoy
   * `forward_not_matching_preflights`). Default false: the filter answers, and no answer names them.
   */
  readonly forwardUnlisted?: boolean;
  /** Share of requests that are looked at, 0–100 (Envoy `filter_enabled`). Default 100. */
  readonly percent?: number;
}

/** The policy of a route, or of what stands around it. */
export interface CorsOverride extends CorsFilterConfig {
  /**
   * What it does not say is as the policy around it says, field by field, as in Envoy (`CorsFilter`, of the policies of route,
   * virtual host and configuration the first that says it); no origins at all are none said. `percent` is its own, and
   * `forwardUnlisted` true where nobody says it. Default false: it stands in place of the others, whole.
   */
  readonly inherits?: boolean;
}

/** Id of the CORS filter. */
export const CORS_FILTER = 'tulle.http.cors';

/** What an origin of a configuration looks like: `scheme://host`, `scheme://*.host` or `*`, with a port where it has one. */
export const CORS_ORIGIN_PATTERN: string =
  '^(\\*|[A-Za-z][A-Za-z0-9+.-]*://(\\*|(\\*\\.)?[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*|\\[[0-9A-Fa-f:.]+\\])(:[0-9]{1,5})?)$';

const tokens = (description: string): JsonSchema => ({
  type: 'array',
  maxItems: 64,
  uniqueItems: true,
  items: { type: 'string', pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", description: 'A name, or *.' },
  description,
});

/** JSON Schema of {@link CorsFilterConfig}. */
export const corsFilterSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['allowOrigins'],
  properties: {
    allowOrigins: {
      type: 'array',
      maxItems: 64,
      uniqueItems: true,
      items: {
        type: 'string',
        pattern: CORS_ORIGIN_PATTERN,
        description: 'https://shop.example, https://*.shop.example or *.',
      },
      description: 'Origins of the pages that may call; empty: the filter does nothing.',
    },
    allowOriginMatches: {
      type: 'array',
      maxItems: 64,
      items: stringMatchSchema,
      description: 'Further origins, by what their text must match.',
    },
    allowMethods: tokens('Methods, * for every one. Default those that need no permission.'),
    allowHeaders: tokens('Request headers, * for every one. Default those that need no permission.'),
    exposeHeaders: tokens('Response headers that scripts may read, * for every one.'),
    allowCredentials: {
      type: 'boolean',
      default: false,
      description: 'Whether cookies and other credentials may be sent along.',
    },
    maxAgeSeconds: {
      type: 'integer',
      minimum: 0,
      maximum: 2_147_483_647,
      default: 5,
      description: 'How long a browser may remember the answer to a preflight.',
    },
    allowPrivateNetwork: {
      type: 'boolean',
      default: false,
      description: 'Let pages of listed origins reach a private network.',
    },
    // No default, so that what nobody says can be told from what is said (`inherits`).
    forwardUnlisted: {
      type: 'boolean',
      description:
        'Pass preflights of origins that are not listed on, and leave their answers as they are. Without it they are answered here.',
    },
    percent: {
      type: 'number',
      minimum: 0,
      maximum: 100,
      default: 100,
      description: 'Share of requests that are looked at.',
    },
  },
};

/** JSON Schema of {@link CorsOverride}. */
export const corsOverrideSchema: JsonSchema = {
  ...corsFilterSchema,
  properties: {
    ...(corsFilterSchema['properties'] as JsonSchema),
    inherits: {
      type: 'boolean',
      default: false,
      description: 'What it does not say is as the policy around it says.',
    },
  },
};
