/**
 * Field names with a number, so that a codec compares integers and never strings. Order is part of the contract:
 * 1..{@link LAST_FRAMING} belong to the message framing or to one hop; an encoder writes those itself.
 */
const NAMES: readonly string[] = [
  '',
  // framing and one-hop fields (RFC 9110 §7.6.1, RFC 9112 §6, §9): written by encoders, never copied
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'proxy-connection',
  'upgrade',
  'te',
  'http2-settings',
  // read by codecs, copied
  'expect',
  'trailer',
  'proxy-authenticate',
  'proxy-authorization',
  // fields that may not be sent as trailers (RFC 9110 §6.5.1)
  'authorization',
  'cookie',
  'set-cookie',
  'www-authenticate',
  'content-type',
  'content-encoding',
  'content-range',
  'content-location',
  'cache-control',
  'max-forwards',
  'range',
  'age',
  'expires',
  'date',
  'location',
  'retry-after',
  'vary',
  'warning',
  'pragma',
  // the usual rest
  'accept',
  'accept-charset',
  'accept-encoding',
  'accept-language',
  'accept-ranges',
  'access-control-allow-credentials',
  'access-control-allow-headers',
  'access-control-allow-methods',
  'access-control-allow-origin',
  'access-control-expose-headers',
  'access-control-max-age',
  'access-control-request-headers',
  'access-control-request-method',
  'allow',
  'alt-svc',
  'authentication-info',
  'b3',
  'baggage',
  'content-disposition',
  'content-language',
  'content-security-policy',
  'digest',
  'dnt',
  'etag',
  'forwarded',
  'from',
  'grpc-accept-encoding',
  'grpc-encoding',
  'grpc-message',
  'grpc-status',
  'grpc-timeout',
  'idempotency-key',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'last-modified',
  'link',
  'origin',
  'priority',
  'referer',
  'referrer-policy',
  'sec-fetch-dest',
  'sec-fetch-mode',
  'sec-fetch-site',
  'sec-fetch-user',
  'sec-websocket-accept',
  'sec-websocket-extensions',
  'sec-websocket-key',
  'sec-websocket-protocol',
  'sec-websocket-version',
  'server',
  'server-timing',
  'strict-transport-security',
  'traceparent',
  'tracestate',
  'upgrade-insecure-requests',
  'user-agent',
  'via',
  'x-amzn-trace-id',
  'x-api-key',
  'x-b3-parentspanid',
  'x-b3-sampled',
  'x-b3-spanid',
  'x-b3-traceid',
  'x-content-type-options',
  'x-envoy-attempt-count',
  'x-envoy-upstream-service-time',
  'x-forwarded-client-cert',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
  'x-frame-options',
  'x-powered-by',
  'x-real-ip',
  'x-request-id',
  'x-requested-with',
  'x-xss-protection',
];

/** Names by id; id 0 stands for every other name. */
export const KNOWN_NAMES: readonly string[] = Object.freeze(NAMES.slice());

const IDS: ReadonlyMap<string, number> = new Map(NAMES.map((name, id) => [name, id]));

/** Id of a lower-case name, 0 when it has none. */
export function knownNameId(name: string): number {
  return IDS.get(name) ?? 0;
}

export const FIELD_HOST = 1;
export const FIELD_CONTENT_LENGTH = 2;
export const FIELD_TRANSFER_ENCODING = 3;
export const FIELD_CONNECTION = 4;
export const FIELD_KEEP_ALIVE = 5;
export const FIELD_PROXY_CONNECTION = 6;
export const FIELD_UPGRADE = 7;
export const FIELD_TE = 8;
export const FIELD_HTTP2_SETTINGS = 9;
/** Ids 1..9: written by an encoder from the framing decision, never copied from a peer. */
export const LAST_FRAMING = 9;
export const FIELD_EXPECT = 10;
export const FIELD_TRAILER = 11;
export const FIELD_PROXY_AUTHENTICATE = 12;
export const FIELD_PROXY_AUTHORIZATION = 13;
/** Ids 1..32 may not appear in a trailer section (RFC 9110 §6.5.1: framing, routing, authentication, content control). */
export const LAST_FORBIDDEN_TRAILER = 32;

/** Of the fields that the engine looks for in every request. */
export const FIELD_X_REQUEST_ID: number = knownNameId('x-request-id');
