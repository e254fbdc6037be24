import { row, type ErrorRow } from './error-row.ts';

/** Codes for what goes wrong on the way of a request. */
export type StreamErrorCode =
  | 'TULLE_ROUTE_NOT_FOUND'
  | 'TULLE_CLUSTER_NOT_FOUND'
  | 'TULLE_BACKEND_INVALID'
  | 'TULLE_UPSTREAM_NO_ENDPOINT'
  | 'TULLE_DROP_OVERLOAD'
  | 'TULLE_DROP_ALL'
  | 'TULLE_UPSTREAM_CONNECT'
  | 'TULLE_UPSTREAM_CONNECT_TIMEOUT'
  | 'TULLE_UPSTREAM_TLS'
  | 'TULLE_UPSTREAM_IDENTITY'
  | 'TULLE_UPSTREAM_OVERFLOW'
  | 'TULLE_UPSTREAM_RESET'
  | 'TULLE_UPSTREAM_RESET_AFTER_START'
  | 'TULLE_UPSTREAM_PROTOCOL'
  | 'TULLE_REQUEST_TIMEOUT'
  | 'TULLE_PER_TRY_TIMEOUT'
  | 'TULLE_STREAM_IDLE'
  | 'TULLE_DOWNSTREAM_CLOSED'
  | 'TULLE_DOWNSTREAM_PROTOCOL'
  | 'TULLE_HEADERS_TOO_LARGE'
  | 'TULLE_URI_TOO_LONG'
  | 'TULLE_BODY_TOO_LARGE'
  | 'TULLE_REQUEST_HEAD_TIMEOUT'
  | 'TULLE_UPGRADE_REFUSED'
  | 'TULLE_VERSION_UNSUPPORTED'
  | 'TULLE_EXPECTATION_FAILED'
  | 'TULLE_PEER_REFUSED'
  | 'TULLE_PATH_REFUSED'
  | 'TULLE_ADDRESS_REFUSED'
  | 'TULLE_CONNECTION_LIMITED'
  | 'TULLE_CONTROL_FIELD';

/** Rows for what goes wrong on the way of a request: routing, endpoints, callers. */
export const STREAM_ERRORS: Readonly<Record<StreamErrorCode, ErrorRow>> = {
  // Routing
  TULLE_ROUTE_NOT_FOUND: row(
    1,
    404,
    12,
    'NR',
    'route_not_found',
    'config',
    false,
    'No virtual host or route matched. Compare host, path, method and headers with the routes of this listener (config_dump).',
  ),
  TULLE_CLUSTER_NOT_FOUND: row(
    2,
    503,
    14,
    'NC',
    'cluster_not_found',
    'config',
    false,
    'The route names a cluster that this proxy does not have. Check the backend reference, and that the proxy has ACKed its clusters.',
  ),
  TULLE_BACKEND_INVALID: row(
    3,
    500,
    14,
    'NC',
    'invalid_backend_ref',
    'config',
    false,
    "The route's backendRef does not resolve to a Service port (Gateway API: such traffic gets 500). Run `tulle analyze`.",
  ),
  // Upstream
  TULLE_UPSTREAM_NO_ENDPOINT: row(
    10,
    503,
    14,
    'UH',
    'no_healthy_upstream',
    'upstream',
    true,
    'The cluster has no endpoint that may be used: none known, all unhealthy or ejected. See /clusters.',
  ),
  TULLE_DROP_OVERLOAD: row(
    21,
    503,
    14,
    'DO',
    'drop_overload',
    'config',
    false,
    "The control plane has a share of the cluster's requests refused (drop_overloads of its endpoints), to keep load off it.",
  ),
  TULLE_DROP_ALL: row(
    23,
    503,
    14,
    'UDO',
    'unconditional_drop_overload',
    'config',
    false,
    "The control plane has all of the cluster's requests refused (drop_overloads of its endpoints).",
  ),
  TULLE_UPSTREAM_CONNECT: row(
    11,
    503,
    14,
    'UF',
    'upstream_reset_before_response_started{connection_failure}',
    'upstream',
    true,
    'The endpoint refused or dropped the connection. Is the service listening on that address and port?',
  ),
  TULLE_UPSTREAM_CONNECT_TIMEOUT: row(
    12,
    503,
    14,
    'UF',
    'upstream_reset_before_response_started{connection_timeout}',
    'upstream',
    true,
    'No connection within connectTimeoutMs. Endpoint down, packets dropped, or the accept queue is full.',
  ),
  TULLE_UPSTREAM_TLS: row(
    13,
    503,
    14,
    'UF',
    'upstream_reset_before_response_started{connection_failure,TLS}',
    'upstream',
    true,
    'The TLS handshake with the endpoint failed. Is its sidecar running, and do both trust the same roots? See /certs on both sides.',
  ),
  TULLE_UPSTREAM_IDENTITY: row(
    14,
    503,
    14,
    'UF',
    'upstream_reset_before_response_started{connection_failure,identity}',
    'upstream',
    true,
    'The endpoint proved another SPIFFE id than the one expected of it. A stale address, or somebody else listens there.',
  ),
  TULLE_UPSTREAM_OVERFLOW: row(
    15,
    503,
    14,
    'UO',
    'upstream_reset_before_response_started{overflow}',
    'upstream',
    false,
    'A circuit limit of the cluster is reached (connections, pending or active requests). See circuit_breakers in /clusters.',
  ),
  TULLE_UPSTREAM_RESET: row(
    16,
    503,
    14,
    'UC',
    'upstream_reset_before_response_started{connection_termination}',
    'upstream',
    true,
    'The endpoint closed the connection before a response byte. It crashed, or closes idle connections sooner than the pool expects.',
  ),
  TULLE_UPSTREAM_RESET_AFTER_START: row(
    17,
    0,
    14,
    'UC',
    'upstream_reset_after_response_started{connection_termination}',
    'upstream',
    false,
    'The endpoint closed in the middle of its response; the caller saw a truncated message.',
  ),
  TULLE_UPSTREAM_PROTOCOL: row(
    18,
    502,
    14,
    'UPE',
    'upstream_reset_before_response_started{protocol_error}',
    'upstream',
    false,
    'The endpoint sent something that is not valid HTTP. The record names the rule; that connection is not used again.',
  ),
  TULLE_REQUEST_TIMEOUT: row(
    19,
    504,
    4,
    'UT',
    'response_timeout',
    'upstream',
    false,
    "The whole request, retries included, took longer than the route's request timeout.",
  ),
  TULLE_PER_TRY_TIMEOUT: row(
    20,
    504,
    4,
    'UT',
    'upstream_per_try_timeout',
    'upstream',
    true,
    'One attempt took longer than the per-try timeout.',
  ),
  TULLE_STREAM_IDLE: row(
    22,
    504,
    4,
    'SI',
    'stream_idle_timeout',
    'upstream',
    false,
    'No byte moved in either direction for the stream idle timeout. Where the request was not there yet, the status is 408.',
  ),
  // Downstream
  TULLE_DOWNSTREAM_CLOSED: row(
    30,
    0,
    1,
    'DC',
    'downstream_remote_disconnect',
    'downstream',
    false,
    'The caller went away before the response ended.',
  ),
  TULLE_DOWNSTREAM_PROTOCOL: row(
    31,
    400,
    13,
    'DPE',
    'http1.codec_error',
    'downstream',
    false,
    'The caller sent something that is not valid HTTP. The record names the rule that it broke.',
  ),
  TULLE_HEADERS_TOO_LARGE: row(
    32,
    431,
    8,
    'DPE',
    'request_headers_too_large',
    'downstream',
    false,
    'The request head is larger than maxRequestHeadersBytes, or than its endpoint says that it takes (HTTP/2), or has too many fields.',
  ),
  TULLE_URI_TOO_LONG: row(
    33,
    414,
    3,
    'DPE',
    'uri_too_long',
    'downstream',
    false,
    'The request target is longer than maxUriBytes.',
  ),
  TULLE_BODY_TOO_LARGE: row(
    34,
    413,
    8,
    '-',
    'request_payload_too_large',
    'downstream',
    false,
    "A filter must buffer the body, and the body is larger than that filter's cap.",
  ),
  TULLE_REQUEST_HEAD_TIMEOUT: row(
    35,
    408,
    4,
    'SI',
    'request_header_timeout',
    'downstream',
    false,
    'The caller did not finish its request head in time (slow or stalled client).',
  ),
  TULLE_UPGRADE_REFUSED: row(
    36,
    403,
    12,
    '-',
    'upgrade_not_allowed',
    'config',
    false,
    'The caller asked for a protocol upgrade or CONNECT that this route does not allow (allowUpgrades, allowConnect).',
  ),
  TULLE_VERSION_UNSUPPORTED: row(
    37,
    505,
    12,
    'DPE',
    'http_version_unsupported',
    'downstream',
    false,
    'Only HTTP/1.0 and HTTP/1.1 are spoken on this listener.',
  ),
  TULLE_EXPECTATION_FAILED: row(
    38,
    417,
    3,
    'DPE',
    'unknown_expectation',
    'downstream',
    false,
    'The only expectation defined by RFC 9110 §10.1.1 is 100-continue.',
  ),
  TULLE_PEER_REFUSED: row(
    39,
    0,
    16,
    'DPE',
    'peer_identity_refused',
    'downstream',
    false,
    'The peer showed no acceptable certificate. The log line names the reason (plaintext, unknown issuer, expired, …).',
  ),
  TULLE_PATH_REFUSED: row(
    40,
    400,
    3,
    'DPE',
    'path_normalization_failed',
    'downstream',
    false,
    'The path has a spelling that policy and origin could read differently (escaped slash, dot segments above the root, …).',
  ),
  TULLE_ADDRESS_REFUSED: row(
    41,
    0,
    7,
    '-',
    'address_not_allowed',
    'downstream',
    false,
    'The address filter of the listener lets nobody connect from there. Compare the peer in the log with its allow and deny.',
  ),
  TULLE_CONNECTION_LIMITED: row(
    42,
    0,
    8,
    '-',
    'connection_limited',
    'filter',
    false,
    'A limit of connections, at a time or in a time, is reached; the details name it. Let callers keep connections open, or raise it.',
  ),
  TULLE_CONTROL_FIELD: row(
    43,
    400,
    3,
    'IH',
    'request_headers_failed_strict_check',
    'downstream',
    false,
    'An x-envoy-… field says what no Envoy understands, and the listener has it checked (callerControls); the details name it.',
  ),
};
