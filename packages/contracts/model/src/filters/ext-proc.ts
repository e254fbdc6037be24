import type { HeaderValue } from '../header-edits.ts';
import { headerValueSchema } from './headers.ts';
import type { JsonSchema } from './json-schema.ts';

/**
 * Configuration of `tulle.http.ext-proc`: a service is told of requests and responses while they pass, and may change or answer
 * them (Envoy `ext_proc`). What it does not answer in time ends the stream, unless `failureMode` says otherwise.
 */
export interface ExtProcFilterConfig {
  readonly service: ExtProcService;
  /** What it is told of. Default: both heads. */
  readonly mode?: ExtProcMode;
  /** For the answer to one message. Default 200 (Envoy): longer waits are an outage of everything behind it. */
  readonly messageTimeoutMs?: number;
  /** Longest that the service may ask for instead (Envoy `max_message_timeout`). Default 0: it may not. */
  readonly maxMessageTimeoutMs?: number;
  /** What becomes of a stream when the service fails. Default `deny`; `allow`: it goes on without, which is counted. */
  readonly failureMode?: 'deny' | 'allow';
  /** Status where the service fails, but for its taking too long, which is 504. Default 500 (Envoy `status_on_error`). */
  readonly statusOnError?: number;
  /** The service may choose another mode for what follows a head (Envoy `allow_mode_override`). Default false. */
  readonly allowModeOverride?: boolean;
  /** Only one of these, whose `requestHeaders` is not looked at (Envoy `allowed_override_modes`). Default: any. */
  readonly allowedModes?: readonly ExtProcMode[];
  /** The service may answer the caller itself. Default true; where not, it is asked no more (Envoy `disable_immediate_response`). */
  readonly allowImmediateResponse?: boolean;
  /** Which fields it may change. What it answers the caller itself may have any (Envoy). */
  readonly mutationRules?: ExtProcMutationRules;
  /** Fields that it is told of. Default: all. Names, or a start, an end or a part with `*`. */
  readonly sentHeaders?: readonly string[];
  /** Fields that it is never told of. Names, or a start, an end or a part with `*`. */
  readonly withheldHeaders?: readonly string[];
  /** What else it is told of a request, with its first message of it: see {@link EXT_PROC_ATTRIBUTES}. */
  readonly requestAttributes?: readonly ExtProcAttribute[];
  /** The same with its first message of a response. */
  readonly responseAttributes?: readonly ExtProcAttribute[];
  /** Namespaces of what earlier filters found out that it is told. */
  readonly sentMetadata?: readonly string[];
  /** Namespaces in which it may say something to later filters. */
  readonly receivedMetadata?: readonly string[];
  /** Whether the route is matched again after it was told of a request's head (Envoy `route_cache_action`). Default: where it asks. */
  readonly rematch?: 'asked' | 'always' | 'never';
  /** Largest body that is collected. Default 1 MiB, as of Envoy's connections. */
  readonly maxBodyBytes?: number;
}

/** A cluster that speaks `envoy.service.ext_proc.v3.ExternalProcessor/Process`. */
export interface ExtProcService {
  /** Speaks HTTP/2. */
  readonly cluster: string;
  /** `:authority` of calls. Default the cluster's name. */
  readonly authority?: string;
  /** Sent with each call. */
  readonly metadata?: readonly HeaderValue[];
}

/** Which parts of a message the service is told of. */
export interface ExtProcMode {
  /** Default `send`. */
  readonly requestHeaders?: 'send' | 'skip';
  /** Default `send`. */
  readonly responseHeaders?: 'send' | 'skip';
  /** Default `none`. */
  readonly requestBody?: ExtProcBodyMode;
  /** Default `none`. */
  readonly responseBody?: ExtProcBodyMode;
  /** Default `skip`. */
  readonly requestTrailers?: 'send' | 'skip';
  /** Default `skip`. */
  readonly responseTrailers?: 'send' | 'skip';
}

/**
 * `streamed`: piece by piece. `buffered`: whole; a larger one than `maxBodyBytes` is refused. `buffered-partial`: whole, or as much as may
 * be collected, and the rest passes.
 */
export type ExtProcBodyMode = 'none' | 'streamed' | 'buffered' | 'buffered-partial';

/** Envoy `HeaderMutationRules`. */
export interface ExtProcMutationRules {
  /** `host`, `:authority` and `:method` too. Default false. */
  readonly allowRouting?: boolean;
  /** Fields `x-envoy-…` too. Default false. */
  readonly allowEnvoy?: boolean;
  /** None that begins with `:`. Default false. */
  readonly disallowSystem?: boolean;
  /** None at all. Default false. */
  readonly disallowAll?: boolean;
  /** RE2 pattern of whole names that are allowed in spite of all that. */
  readonly allowPattern?: string;
  /** RE2 pattern of whole names that are not allowed in any case. */
  readonly disallowPattern?: string;
  /** A change that is not allowed ends the stream with 500. Default false: it is left out, and counted. */
  readonly disallowedIsError?: boolean;
}

/** What a route gives differently. */
export interface ExtProcRouteConfig {
  /** In place of the chain's, whole. */
  readonly mode?: ExtProcMode;
  readonly service?: ExtProcService;
  readonly failureMode?: 'deny' | 'allow';
  readonly requestAttributes?: readonly ExtProcAttribute[];
  readonly responseAttributes?: readonly ExtProcAttribute[];
  readonly sentMetadata?: readonly string[];
  readonly receivedMetadata?: readonly string[];
  /** Sent with each call beside what the service's configuration says, in place of equal names there. */
  readonly addedMetadata?: readonly HeaderValue[];
}

/** Id of the external processing filter. */
export const EXT_PROC_FILTER = 'tulle.http.ext-proc';

/** Envoy's attributes that the service can be told. */
export const EXT_PROC_ATTRIBUTES: readonly ExtProcAttribute[] = Object.freeze([
  'request.path',
  'request.url_path',
  'request.query',
  'request.host',
  'request.scheme',
  'request.method',
  'request.protocol',
  'request.id',
  'request.referer',
  'request.useragent',
  'request.time',
  'response.code',
  'source.address',
  'source.port',
  'destination.address',
  'destination.port',
  'connection.mtls',
  'connection.requested_server_name',
  'connection.uri_san_peer_certificate',
  'xds.route_name',
  'xds.cluster_name',
]);

/** One of Envoy's attributes that the service can be told. */
export type ExtProcAttribute =
  | `request.${'path' | 'url_path' | 'query' | 'host' | 'scheme' | 'method' | 'protocol' | 'id' | 'referer' | 'useragent' | 'time'}`
  | 'response.code'
  | `${'source' | 'destination'}.${'address' | 'port'}`
  | `connection.${'mtls' | 'requested_server_name' | 'uri_san_peer_certificate'}`
  | `xds.${'route_name' | 'cluster_name'}`;

const object = (
  description: string,
  properties: Readonly<Record<string, JsonSchema>>,
  required: readonly string[] = [],
): JsonSchema => ({ type: 'object', additionalProperties: false, required, description, properties });
const text = (description: string): JsonSchema => ({ type: 'string', minLength: 1, description });
const list = (items: JsonSchema, description: string): JsonSchema => ({
  type: 'array',
  maxItems: 100,
  items,
  description,
});
const flag = (description: string, value = false): JsonSchema => ({
  type: 'boolean',
  default: value,
  description,
});
const names = (description: string): JsonSchema =>
  list(
    {
      type: 'string',
      pattern: "^(?:\\*|\\*?:?[!#$%&'+.^_`|~0-9A-Za-z-]+\\*?)$",
      description: 'A name, or the start, the end or a part of names with *.',
    },
    description,
  );
const attributes = (description: string): JsonSchema => list({ enum: EXT_PROC_ATTRIBUTES }, description);
const namespaces = (description: string): JsonSchema => list(text('Namespace.'), description);

const sent = (what: string, value: 'send' | 'skip'): JsonSchema => ({
  enum: ['send', 'skip'],
  default: value,
  description: what,
});
const sentBody = (what: string): JsonSchema => ({
  enum: ['none', 'streamed', 'buffered', 'buffered-partial'],
  default: 'none',
  description: what,
});

const mode = object('What the service is told of.', {
  requestHeaders: sent("The request's head.", 'send'),
  responseHeaders: sent("The response's head.", 'send'),
  requestBody: sentBody("The request's body."),
  responseBody: sentBody("The response's body."),
  requestTrailers: sent("The request's trailers, where it has some.", 'skip'),
  responseTrailers: sent("The response's trailers, where it has some.", 'skip'),
});

const service = object(
  'Who is told.',
  {
    cluster: text('Cluster that is called; it speaks HTTP/2.'),
    authority: text(':authority of calls. Default the cluster’s name.'),
    metadata: list(headerValueSchema, 'Sent with each call.'),
  },
  ['cluster'],
);

const pattern = (description: string): JsonSchema => ({
  type: 'string',
  minLength: 1,
  maxLength: 1_024,
  description,
});

const mutationRules = object('Which fields the service may change.', {
  allowRouting: flag('host, :authority and :method too.'),
  allowEnvoy: flag('Fields x-envoy-… too.'),
  disallowSystem: flag('None that begins with a colon.'),
  disallowAll: flag('None at all.'),
  allowPattern: pattern('RE2 pattern of whole names that are allowed in spite of all that.'),
  disallowPattern: pattern('RE2 pattern of whole names that are not allowed in any case.'),
  disallowedIsError: flag('A change that is not allowed ends the stream with 500; else it is left out.'),
});

const failureMode: JsonSchema = {
  enum: ['deny', 'allow'],
  description: 'What becomes of a stream when the service fails.',
};
const requestAttributes = attributes('What else it is told of a request.');
const responseAttributes = attributes('What else it is told of a response.');
const sentMetadata = namespaces('What earlier filters found out that the service is told.');
const receivedMetadata = namespaces('Where the service may say something to later filters.');

/** JSON Schema of {@link ExtProcFilterConfig}. */
export const extProcFilterSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['service'],
  properties: {
    service,
    mode,
    messageTimeoutMs: {
      type: 'integer',
      minimum: 1,
      maximum: 3_600_000,
      default: 200,
      description: 'For the answer to one message, in milliseconds.',
    },
    maxMessageTimeoutMs: {
      type: 'integer',
      minimum: 0,
      maximum: 3_600_000,
      default: 0,
      description: 'Longest that the service may ask for instead, in milliseconds; 0: it may not.',
    },
    failureMode: { ...failureMode, default: 'deny' },
    statusOnError: {
      type: 'integer',
      minimum: 400,
      maximum: 599,
      default: 500,
      description: 'Status where the service fails; 504 where it takes too long.',
    },
    allowModeOverride: flag('The service may choose another mode for what follows a head.'),
    allowedModes: list(mode, 'Only one of these, whose requestHeaders is not looked at.'),
    allowImmediateResponse: flag('The service may answer the caller itself.', true),
    mutationRules,
    sentHeaders: names('Fields that the service is told of. Default: all.'),
    withheldHeaders: names('Fields that it is never told of.'),
    requestAttributes,
    responseAttributes,
    sentMetadata,
    receivedMetadata,
    rematch: {
      enum: ['asked', 'always', 'never'],
      default: 'asked',
      description: 'Whether the route is matched again after the request’s head.',
    },
    maxBodyBytes: {
      type: 'integer',
      minimum: 1,
      maximum: 67_108_864,
      default: 1_048_576,
      description: 'Largest body that is collected.',
    },
  },
};

/** JSON Schema of {@link ExtProcRouteConfig}. */
export const extProcRouteSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    mode,
    service,
    failureMode,
    requestAttributes,
    responseAttributes,
    sentMetadata,
    receivedMetadata,
    addedMetadata: list(headerValueSchema, 'Sent with each call, in place of equal names.'),
  },
};
