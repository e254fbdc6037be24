import type { HeaderValue } from '../header-edits.ts';
import { authzExpressionDefs, authzMetadataTestSchema, type AuthzMetadataTest } from './authz-expression.ts';
import { headerValueSchema } from './headers.ts';
import type { JsonSchema } from './json-schema.ts';

/**
 * Configuration of `tulle.http.ext-authz`: a service is asked about every request (Envoy `ext_authz`). What it does not allow in
 * time is refused, unless `failureMode` says otherwise.
 */
export interface ExtAuthzFilterConfig {
  readonly service: ExtAuthzHttpService | ExtAuthzGrpcService | ExtAuthzClusterService;
  /** For one check, connection included. Default 200 (Envoy): longer waits are an outage of everything behind it. */
  readonly timeoutMs?: number;
  /** What becomes of a request when the service gives no answer that can be used. Default `deny`; `allow` is counted. */
  readonly failureMode?: 'deny' | 'allow';
  /** Status of such a refusal. Default 403 (Envoy `status_on_error`). */
  readonly statusOnError?: number;
  /** Collect the request's body and send it along; a larger one is refused with 413. Absent: the body is not read. */
  readonly body?: ExtAuthzBody;
  /** Given to the service with each check, e.g. which part of its policy applies. gRPC only. */
  readonly contextExtensions?: Readonly<Record<string, string>>;
  /** Show the service the caller's certificate, PEM (Envoy `include_peer_certificate`). gRPC only. Default false. */
  readonly tellCertificate?: boolean;
  /** Headers that are never sent along, whatever else is. Names, or a start, an end or a part with `*`. */
  readonly withheldHeaders?: readonly string[];
  /** Namespaces of what earlier filters found out that are told to the service. gRPC only. */
  readonly metadataNamespaces?: readonly string[];
  /** Only requests of which this is known are asked about (Envoy `filter_enabled_metadata`). */
  readonly when?: AuthzMetadataTest;
  /** Share of requests that are asked about, 0–100 (Envoy `filter_enabled`). Default 100. */
  readonly percent?: number;
  /** What becomes of those that are not asked about. Default `allow`; `deny` as on failure (Envoy `deny_at_disable`). */
  readonly otherwise?: 'allow' | 'deny';
  /** Tell the called service by `x-envoy-auth-failure-mode-allowed` that nobody was asked. Default false. */
  readonly markFailureAllowed?: boolean;
  /** Match the route again once headers have changed (Envoy `clear_route_cache`); not beside {@link body}. Default false. */
  readonly rematch?: boolean;
  /** Only where one of these, or the query, has changed (Envoy `clear_route_cache_headers`). Default: whatever has. */
  readonly rematchHeaders?: readonly string[];
  /** Bytes of a refusal's body that the caller gets; the rest is cut off (Envoy `max_denied_response_body_bytes`). Default all. */
  readonly maxDeniedBodyBytes?: number;
  /**
   * The service is told each line of a field by itself, in its own bytes (Envoy `encode_raw_headers`), in place of one text for each name.
   * gRPC only: over HTTP lines go as they came in any case. Default false.
   */
  readonly rawHeaders?: boolean;
  /** Checks under way; further requests are refused as on failure. Default 1,024, as a cluster's requests. */
  readonly maxActiveChecks?: number;
}

/** What a route gives differently; absent fields are as in the base, and `contextExtensions` are merged. */
export interface ExtAuthzRouteConfig {
  readonly contextExtensions?: Readonly<Record<string, string>>;
  /** `null`: the body is not read here. */
  readonly body?: ExtAuthzBody | null;
}

/** How much of a body is sent along. */
export interface ExtAuthzBody {
  readonly maxBytes: number;
  /** Of a larger body the service gets its beginning, and it is not refused (Envoy `allow_partial_message`). Default false. */
  readonly partial?: boolean;
}

/** A service over HTTP: 2xx allows (or 200 alone, `onlyOk`), 5xx is a failure, everything else is the refusal that the caller gets. */
export interface ExtAuthzHttpService {
  readonly http: {
    /** `https://`; `http://` only to loopback or with `cluster`. */
    readonly url: string;
    /** Cluster that is asked instead of the URL's host (Envoy `HttpUri.cluster`). */
    readonly cluster?: string;
    /**
     * `append` (Envoy): the request's method, host, path and query, behind the URL's path. `fixed` (forward auth): GET of
     * the URL as it stands; `x-forwarded-method`, `-host` and `-uri` say what is asked for. Default `append`.
     */
    readonly path?: 'append' | 'fixed';
    /** Path and query of every check, in place of the request's behind the URL's (Envoy `path_override`); with `append`. */
    readonly target?: string;
    /** Headers sent along beside `authorization`, `cookie`, and those that the proxy sets. Names, or a start, an end or a part with `*`. */
    readonly requestHeaders?: readonly string[];
    /** Send nothing but `authorization`, the length of the body and `requestHeaders`, as Envoy does. Default false. */
    readonly onlyListed?: boolean;
    /** Only 200 allows, as Envoy and Gateway API (GEP-1494) have it; another 2xx is a refusal. Default false. */
    readonly onlyOk?: boolean;
    /** Sent with each check, in place of the caller's. */
    readonly addedHeaders?: readonly HeaderValue[];
    /**
     * Headers of an allowing answer that the called service gets, in place of the caller's. What the caller sent under these
     * names is removed, whatever the answer has. `*` alone: all but {@link EXT_AUTHZ_KEPT_HEADERS}; then what the answer does
     * not have stays the caller's. Default none.
     */
    readonly upstreamHeaders?: readonly string[];
    /** The same, beside the caller's. Default none. */
    readonly upstreamHeadersAppended?: readonly string[];
    /** Headers of an allowing answer that later filters know, under `envoy.filters.http.ext_authz`. Default none. */
    readonly metadataHeaders?: readonly string[];
    /** Headers of a refusal that the caller gets. Default {@link EXT_AUTHZ_CLIENT_HEADERS}. */
    readonly clientHeaders?: readonly string[];
    /** Headers of an allowing answer that are added to the response. Default none. */
    readonly clientHeadersOnSuccess?: readonly string[];
  };
}

/** A service that speaks `envoy.service.auth.v3.Authorization/Check`. It says itself which headers to set. */
export interface ExtAuthzGrpcService {
  readonly grpc: {
    /** `dns:///auth.example:9001`, `host:port` or `unix:/path`. */
    readonly target: string;
    /** TLS. Needed unless the target is loopback or a Unix socket, or `plaintext` is true. */
    readonly tls?: {
      /** Roots, PEM. Default: those that Node ships. */
      readonly caFile?: string;
      /** What this proxy shows, PEM. */
      readonly certificateFile?: string;
      readonly keyFile?: string;
      /** Name that the service must prove. Default: the target's. */
      readonly serverName?: string;
    };
    /** The way to the service is trusted: whoever is on it decides who gets in. */
    readonly plaintext?: boolean;
    /** Headers sent along. Default: all. Names, or a start, an end or a part with `*`. */
    readonly requestHeaders?: readonly string[];
  };
}

/** The same at a cluster of the configuration, the way that requests go (Envoy `GrpcService.envoy_grpc`). */
export interface ExtAuthzClusterService {
  readonly grpcCluster: {
    /** Speaks HTTP/2. */
    readonly cluster: string;
    /** `:authority` of checks. Default the cluster's name. */
    readonly authority?: string;
    /** Headers sent along. Default: all. Names, or a start, an end or a part with `*`. */
    readonly requestHeaders?: readonly string[];
  };
}

/** Id of the external authorization filter. */
export const EXT_AUTHZ_FILTER = 'tulle.http.ext-authz';

/** Headers of a refusal that callers need to make sense of it: the challenge, where to log in, when to come back. */
export const EXT_AUTHZ_CLIENT_HEADERS: readonly string[] = Object.freeze([
  'www-authenticate',
  'proxy-authenticate',
  'location',
  'set-cookie',
  'content-type',
  'cache-control',
  'retry-after',
]);

/**
 * What every check over HTTP carries beside `authorization`, unless `onlyListed` says otherwise: cookies, and what the proxy itself says
 * of the caller. A list of Envoy's that begins with all of them, in this order, is one that was written for Tulle.
 */
export const EXT_AUTHZ_SENT_HEADERS: readonly string[] = Object.freeze([
  'cookie',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-client-cert',
  'x-request-id',
  'traceparent',
  'tracestate',
]);

/**
 * Headers of a request that no answer replaces where a service's every header is given on: what belongs to a connection, what
 * describes the answer's own content (RFC 9110 §8), what is the proxy's to say, and what is said to the proxy. Names, or a
 * start and `*`.
 */
export const EXT_AUTHZ_KEPT_HEADERS: readonly string[] = Object.freeze([
  ':*',
  'connection',
  'content-*',
  'expect',
  'forwarded',
  'host',
  'http2-*',
  'keep-*',
  'proxy-*',
  'te',
  'trailer',
  'transfer-*',
  'upgrade',
  'x-envoy-*',
  'x-forwarded-*',
  'x-real-ip',
  'x-request-id',
  'x-tulle-*',
]);

const names = (description: string): JsonSchema => ({
  type: 'array',
  maxItems: 100,
  items: {
    type: 'string',
    pattern: "^(?:\\*|\\*?[!#$%&'+.^_`|~0-9A-Za-z-]+\\*?)$",
    description: 'A name, or the start, the end or a part of names with *.',
  },
  description,
});
const text = (description: string): JsonSchema => ({ type: 'string', minLength: 1, description });
const object = (
  description: string,
  properties: Readonly<Record<string, JsonSchema>>,
  required: readonly string[],
): JsonSchema => ({ type: 'object', additionalProperties: false, required, description, properties });

const body: JsonSchema = object(
  "Collect the request's body and send it along.",
  {
    maxBytes: {
      type: 'integer',
      minimum: 0,
      maximum: 10_485_760,
      description: 'Largest body; a larger one is refused with 413.',
    },
    partial: {
      type: 'boolean',
      default: false,
      description: 'Of a larger body the service gets the beginning, and it is not refused.',
    },
  },
  ['maxBytes'],
);
const contextExtensions: JsonSchema = {
  type: 'object',
  maxProperties: 100,
  additionalProperties: { type: 'string' },
  description: 'Given to the service with each check (gRPC).',
};

const http: JsonSchema = object(
  'A service over HTTP.',
  {
    url: {
      type: 'string',
      pattern: '^https?://[^?#]+$',
      description: 'https://…, or http:// to loopback or a cluster.',
    },
    cluster: text("Cluster that is asked instead of the URL's host."),
    path: {
      enum: ['append', 'fixed'],
      default: 'append',
      description:
        "append: the request's own method, host and path, behind the URL's. fixed: GET of the URL.",
    },
    target: {
      type: 'string',
      pattern: '^/[^#\\s]*$',
      description: 'Path and query of every check, in place of the request’s behind the URL’s.',
    },
    requestHeaders: names('Headers sent along beside authorization, cookie and the proxy’s own.'),
    onlyListed: {
      type: 'boolean',
      default: false,
      description: 'Send nothing but authorization and requestHeaders, as Envoy does.',
    },
    onlyOk: {
      type: 'boolean',
      default: false,
      description: 'Only 200 allows, as Envoy has it; another 2xx is a refusal.',
    },
    addedHeaders: {
      type: 'array',
      maxItems: 100,
      items: headerValueSchema,
      description: 'Sent with each check, in place of the caller’s.',
    },
    upstreamHeaders: names('Headers of an allowing answer that the called service gets; * alone: all.'),
    upstreamHeadersAppended: names('The same, beside the caller’s.'),
    metadataHeaders: names('Headers of an allowing answer that later filters know.'),
    clientHeaders: {
      ...names('Headers of a refusal that the caller gets.'),
      default: EXT_AUTHZ_CLIENT_HEADERS,
    },
    clientHeadersOnSuccess: names('Headers of an allowing answer that are added to the response.'),
  },
  ['url'],
);

const grpc: JsonSchema = object(
  'A service that speaks envoy.service.auth.v3.Authorization.',
  {
    target: text('dns:///host:port, host:port or unix:/path.'),
    tls: object(
      'TLS; needed unless the target is loopback or a Unix socket.',
      {
        caFile: text('Roots, PEM. Default: those that Node ships.'),
        certificateFile: text('What this proxy shows, PEM.'),
        keyFile: text('Its key, PEM.'),
        serverName: text('Name that the service must prove.'),
      },
      [],
    ),
    plaintext: {
      type: 'boolean',
      default: false,
      description: 'The way to the service is trusted: whoever is on it decides who gets in.',
    },
    requestHeaders: names('Headers sent along. Default: all.'),
  },
  ['target'],
);

const grpcCluster: JsonSchema = object(
  'A service that speaks envoy.service.auth.v3.Authorization, at a cluster.',
  {
    cluster: text('Cluster that is asked; it speaks HTTP/2.'),
    authority: text(':authority of checks. Default the cluster’s name.'),
    requestHeaders: names('Headers sent along. Default: all.'),
  },
  ['cluster'],
);

/** JSON Schema of {@link ExtAuthzFilterConfig}. */
export const extAuthzFilterSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['service'],
  properties: {
    service: {
      description: 'Who is asked.',
      anyOf: [
        object('Over HTTP.', { http }, ['http']),
        object('Over gRPC.', { grpc }, ['grpc']),
        object('Over gRPC, at a cluster.', { grpcCluster }, ['grpcCluster']),
      ],
    },
    timeoutMs: {
      type: 'integer',
      minimum: 1,
      maximum: 60_000,
      default: 200,
      description: 'For one check, in milliseconds.',
    },
    failureMode: {
      enum: ['deny', 'allow'],
      default: 'deny',
      description: 'What becomes of a request when the service gives no answer that can be used.',
    },
    statusOnError: {
      type: 'integer',
      minimum: 400,
      maximum: 599,
      default: 403,
      description: 'Status of such a refusal.',
    },
    body,
    contextExtensions,
    tellCertificate: {
      type: 'boolean',
      default: false,
      description: 'Show the service the caller’s certificate (gRPC).',
    },
    withheldHeaders: names('Headers that are never sent along, whatever else is.'),
    metadataNamespaces: {
      type: 'array',
      maxItems: 100,
      items: text('Namespace.'),
      description: 'What earlier filters found out that is told to the service (gRPC).',
    },
    when: {
      ...authzMetadataTestSchema,
      description: 'Only requests of which this is known are asked about.',
    },
    percent: {
      type: 'number',
      minimum: 0,
      maximum: 100,
      default: 100,
      description: 'Share of requests that are asked about.',
    },
    otherwise: {
      enum: ['allow', 'deny'],
      default: 'allow',
      description: 'What becomes of those that are not asked about.',
    },
    markFailureAllowed: {
      type: 'boolean',
      default: false,
      description: 'Tell the called service by x-envoy-auth-failure-mode-allowed that nobody was asked.',
    },
    rematch: {
      type: 'boolean',
      default: false,
      description: 'Match the route again once headers have changed; not beside body.',
    },
    rematchHeaders: {
      type: 'array',
      minItems: 1,
      maxItems: 100,
      items: text('Name of a field.'),
      description: 'Only where one of these, or the query, has changed.',
    },
    maxDeniedBodyBytes: {
      type: 'integer',
      minimum: 1,
      maximum: 4_294_967_295,
      description: 'Bytes of a refusal’s body that the caller gets. Default all.',
    },
    rawHeaders: {
      type: 'boolean',
      default: false,
      description: 'Tell the service each line of a field by itself, in its own bytes (gRPC).',
    },
    maxActiveChecks: {
      type: 'integer',
      minimum: 1,
      maximum: 1_000_000,
      default: 1_024,
      description: 'Checks under way; further requests are treated as on failure.',
    },
  },
  $defs: authzExpressionDefs,
};

/** JSON Schema of {@link ExtAuthzRouteConfig}. */
export const extAuthzRouteSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    contextExtensions,
    body: { anyOf: [body, { type: 'null' }], description: 'The body; null: it is not read here.' },
  },
};
