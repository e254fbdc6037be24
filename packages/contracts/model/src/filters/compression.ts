import type { JsonSchema } from './json-schema.ts';

/**
 * Configuration of `tulle.http.compression`: responses are compressed for those who take it (RFC 9110 §12.5.3), and requests where the
 * operator knows that their service does.
 */
export interface CompressionFilterConfig {
  /** Codings, preferred first among those that the caller likes equally. Default `['zstd', 'br', 'gzip']`. */
  readonly codings?: readonly CompressionCoding[];
  /** Shorter bodies, where the length is known, pass as they are. Default 1,024: less than a packet gains nothing. */
  readonly minBytes?: number;
  /** Media types, `type/subtype`, `type/*` or `*+suffix`. Default {@link COMPRESSION_TYPES}. */
  readonly contentTypes?: readonly string[];
  /** Effort by coding. Default gzip 6, br 4, zstd 3: where more effort begins to cost more than it saves. */
  readonly levels?: { readonly gzip?: number; readonly br?: number; readonly zstd?: number };
  /** Leave responses alone that have an `etag` (Envoy `disable_on_etag_header`). Default false: a strong one becomes weak. */
  readonly skipEtag?: boolean;
  /** A strong `etag` of what is compressed goes, as in Envoy without `weaken_etag_on_compress`. Default false: it becomes weak. */
  readonly removeEtag?: boolean;
  /** Statuses whose responses pass as they are (Envoy `uncompressible_response_codes`). Default none. */
  readonly skipStatuses?: readonly number[];
  /**
   * Tell the caller in `x-envoy-compression-status` by which coding a response was compressed and how long it was, or why it was not (Envoy
   * `status_header_enabled`). Default false.
   */
  readonly tellStatus?: boolean;
  /** Hide from the service which codings the caller takes (Envoy `remove_accept_encoding_header`). Default false. */
  readonly hideAcceptEncoding?: boolean;
  /** Whether responses are compressed. Default true. */
  readonly enabled?: boolean;
  /**
   * Compress the bodies of requests by the first of `codings` (Envoy `request_direction_config`): nobody says beforehand whether the
   * service takes that. Absent: they pass as they are.
   */
  readonly requests?: Pick<CompressionFilterConfig, 'minBytes' | 'contentTypes'>;
  /** Bodies compressed at a time, some 1 MiB each; further ones pass as they are. Default 128. */
  readonly maxActive?: number;
}

/** Content codings (IANA): RFC 1952, RFC 7932, RFC 8878. */
export type CompressionCoding = 'gzip' | 'br' | 'zstd';

/** Id of the compression filter. */
export const COMPRESSION_FILTER = 'tulle.http.compression';

/** Media types that shrink. Not among them: streams of events, which must not wait, and gRPC, which compresses itself. */
export const COMPRESSION_TYPES: readonly string[] = Object.freeze([
  'text/html',
  'text/plain',
  'text/css',
  'text/csv',
  'text/markdown',
  'text/javascript',
  'text/xml',
  'application/javascript',
  'application/json',
  'application/xml',
  'application/wasm',
  'application/yaml',
  'application/manifest+json',
  '*+json',
  '*+xml',
  'image/svg+xml',
  'font/ttf',
  'font/otf',
]);

const level = (maximum: number, fallback: number, description: string): JsonSchema => ({
  type: 'integer',
  minimum: 1,
  maximum,
  default: fallback,
  description,
});

/** Which bodies. */
const BODIES: Readonly<Record<string, JsonSchema>> = {
  minBytes: {
    type: 'integer',
    minimum: 0,
    maximum: 1_048_576,
    default: 1_024,
    description: 'Shorter bodies, where the length is known, pass as they are.',
  },
  contentTypes: {
    type: 'array',
    minItems: 1,
    maxItems: 100,
    uniqueItems: true,
    items: {
      type: 'string',
      pattern: '^([A-Za-z0-9.!#$&^_+-]+/(\\*|[A-Za-z0-9.!#$&^_+-]+)|\\*\\+[A-Za-z0-9.-]+)$',
      description: 'type/subtype, type/* or *+suffix.',
    },
    default: COMPRESSION_TYPES,
    description: 'Media types that are compressed.',
  },
};

/** JSON Schema of {@link CompressionFilterConfig}. */
export const compressionFilterSchema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    codings: {
      type: 'array',
      minItems: 1,
      uniqueItems: true,
      items: { enum: ['gzip', 'br', 'zstd'] },
      default: ['zstd', 'br', 'gzip'],
      description: 'Codings, preferred first among those that the caller likes equally.',
    },
    ...BODIES,
    levels: {
      type: 'object',
      additionalProperties: false,
      default: {},
      description: 'Effort by coding.',
      properties: {
        gzip: level(9, 6, 'gzip.'),
        br: level(9, 4, 'br; its highest levels take seconds and are not offered.'),
        zstd: level(12, 3, 'zstd.'),
      },
    },
    skipEtag: { type: 'boolean', default: false, description: 'Leave responses alone that have an etag.' },
    removeEtag: {
      type: 'boolean',
      default: false,
      description: 'Remove a strong etag of what is compressed, in place of making it weak.',
    },
    skipStatuses: {
      type: 'array',
      minItems: 1,
      maxItems: 400,
      uniqueItems: true,
      items: { type: 'integer', minimum: 200, maximum: 599 },
      description: 'Statuses whose responses pass as they are.',
    },
    tellStatus: {
      type: 'boolean',
      default: false,
      description: 'Tell the caller in x-envoy-compression-status what was done, or why nothing was.',
    },
    hideAcceptEncoding: {
      type: 'boolean',
      default: false,
      description: 'Hide from the service which codings the caller takes.',
    },
    enabled: { type: 'boolean', default: true, description: 'Whether responses are compressed.' },
    requests: {
      type: 'object',
      additionalProperties: false,
      description: 'Compress bodies of requests by the first of the codings: the service must take it.',
      properties: BODIES,
    },
    maxActive: {
      type: 'integer',
      minimum: 1,
      maximum: 100_000,
      default: 128,
      description: 'Bodies compressed at a time; further ones pass as they are.',
    },
  },
};
