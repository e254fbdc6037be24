/**
 * The one error table (decision D18): every way in which Tulle ends a stream or refuses a configuration.
 * One row ties together the code that programs test, the HTTP and gRPC status that callers see, the response flag
 * and details string that Envoy's operators know, and the hint that a person needs. Docs, types, records and
 * replies are all made from these rows; a test proves them equal.
 *
 * - `code`: stable; never reused for another meaning.
 * - `http`: status of the local reply, 0 when nobody is left to answer.
 * - `grpc`: gRPC status for callers that speak gRPC (grpc/doc/statuscodes.md), by Envoy's HTTP mapping where one exists.
 * - `flag`: Envoy's short response flag, `-` for none (Envoy access-log `%RESPONSE_FLAGS%`).
 * - `details`: Envoy's `%RESPONSE_CODE_DETAILS%` where one exists.
 * - `reason`: number that decision notes carry (D10); unique, stable.
 * - `source`: who caused it.
 * - `retryable`: whether the retry loop may consider another attempt at all.
 * - `hint`: what to look at next, for the person who meets it at night.
 */
export interface ErrorRow {
  readonly http: number;
  readonly grpc: number;
  readonly flag: ResponseFlag;
  readonly details: string;
  readonly reason: number;
  readonly source: ErrorSource;
  readonly retryable: boolean;
  readonly hint: string;
}

/** Who caused an error: the caller, the called service, the configuration, a filter, or Tulle itself. */
export type ErrorSource = 'downstream' | 'upstream' | 'config' | 'filter' | 'internal';

/** Short response flags, as Envoy's access log prints them; `-` for none. */
export type ResponseFlag =
  | '-'
  | 'UH'
  | 'UF'
  | 'UO'
  | 'NR'
  | 'URX'
  | 'NC'
  | 'DC'
  | 'UT'
  | 'UC'
  | 'UR'
  | 'DI'
  | 'FI'
  | 'RL'
  | 'UAEX'
  | 'SI'
  | 'DPE'
  | 'UPE'
  | 'OM'
  | 'DT';

const row = (
  reason: number,
  http: number,
  grpc: number,
  flag: ResponseFlag,
  details: string,
  source: ErrorSource,
  retryable: boolean,
  hint: string,
): ErrorRow => Object.freeze({ reason, http, grpc, flag, details, source, retryable, hint });

/** Every code that Tulle itself uses; the table has exactly one row for each. */
export type ErrorCode =
  | 'TULLE_ROUTE_NOT_FOUND'
  | 'TULLE_CLUSTER_NOT_FOUND'
  | 'TULLE_BACKEND_INVALID'
  | 'TULLE_UPSTREAM_NO_ENDPOINT'
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
  | 'TULLE_RETRY_LIMIT'
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
  | 'TULLE_FILTER_FAILED'
  | 'TULLE_AUTHZ_DENIED'
  | 'TULLE_RATE_LIMITED'
  | 'TULLE_FAULT_ABORT'
  | 'TULLE_HEADER_INVALID'
  | 'TULLE_LOCAL_REPLY'
  | 'TULLE_OVERLOADED'
  | 'TULLE_DRAINING'
  | 'TULLE_INTERNAL'
  | 'TULLE_CONFIG_INVALID'
  | 'TULLE_CONFIG_UNSUPPORTED'
  | 'TULLE_CONFIG_REFERENCE'
  | 'TULLE_FILTER_UNKNOWN'
  | 'TULLE_IDENTITY_TOKEN'
  | 'TULLE_IDENTITY_CSR'
  | 'TULLE_IDENTITY_UNAVAILABLE';

/** The rows, by code. Frozen. */
export const ERROR_TABLE: Readonly<Record<ErrorCode, ErrorRow>> = Object.freeze({
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
  TULLE_RETRY_LIMIT: row(
    21,
    503,
    14,
    'URX',
    'upstream_retry_limit_exceeded',
    'upstream',
    false,
    "Every permitted attempt failed. The record lists each attempt's reason.",
  ),
  TULLE_STREAM_IDLE: row(
    22,
    504,
    4,
    'SI',
    'stream_idle_timeout',
    'upstream',
    false,
    'No byte moved in either direction for the stream idle timeout.',
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
    'The request head is larger than maxRequestHeadersBytes or has too many fields.',
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
  // Filters
  TULLE_FILTER_FAILED: row(
    50,
    500,
    13,
    '-',
    'filter_failed',
    'filter',
    false,
    'A filter threw or missed its deadline. The metric tulle_filter_errors_total and the log name it.',
  ),
  TULLE_AUTHZ_DENIED: row(
    51,
    403,
    7,
    '-',
    'rbac_access_denied',
    'filter',
    false,
    'Authorization denied the request; the details name the policy. Authorization that cannot decide denies as well.',
  ),
  TULLE_RATE_LIMITED: row(
    52,
    429,
    14,
    'RL',
    'request_rate_limited',
    'filter',
    false,
    'The rate limit of this route, header or identity is used up; retry-after says when to come back.',
  ),
  TULLE_FAULT_ABORT: row(
    53,
    503,
    14,
    'FI',
    'fault_filter_abort',
    'filter',
    false,
    'An abort that the operator injected on purpose. See the fault configuration of the route.',
  ),
  TULLE_HEADER_INVALID: row(
    54,
    500,
    13,
    '-',
    'invalid_header_edit',
    'filter',
    false,
    'A filter tried to write a field that is not valid HTTP, or one that belongs to the engine.',
  ),
  TULLE_LOCAL_REPLY: row(
    55,
    200,
    0,
    '-',
    'direct_response',
    'filter',
    false,
    'A filter or a direct response answered; no upstream was asked.',
  ),
  // Limits and life cycle
  TULLE_OVERLOADED: row(
    60,
    503,
    14,
    'OM',
    'overload',
    'internal',
    false,
    'This proxy sheds load (connections, heap or event-loop delay over its limit).',
  ),
  TULLE_DRAINING: row(
    61,
    503,
    14,
    '-',
    'draining',
    'internal',
    false,
    'This proxy is shutting down and takes no new work.',
  ),
  TULLE_INTERNAL: row(
    62,
    500,
    13,
    '-',
    'internal_error',
    'internal',
    false,
    'A defect in Tulle. The log has the stack; please report it.',
  ),
  // Configuration
  TULLE_CONFIG_INVALID: row(
    70,
    0,
    3,
    '-',
    'config_invalid',
    'config',
    false,
    'A configuration breaks its schema. Every issue is listed with its path; nothing was applied.',
  ),
  TULLE_CONFIG_UNSUPPORTED: row(
    71,
    0,
    12,
    '-',
    'config_unsupported',
    'config',
    false,
    'A field is set that this proxy does not honour (decision D8: refused whole, never half-applied).',
  ),
  TULLE_CONFIG_REFERENCE: row(
    72,
    0,
    5,
    '-',
    'config_reference',
    'config',
    false,
    'Something is named that does not exist, or a filter needs a slot that no earlier filter provides.',
  ),
  TULLE_FILTER_UNKNOWN: row(
    73,
    0,
    5,
    '-',
    'filter_unknown',
    'config',
    false,
    "The named filter is not in this proxy's registry. Add it to the main's list or the allow-list file.",
  ),
  // Identity
  TULLE_IDENTITY_TOKEN: row(
    80,
    0,
    16,
    '-',
    'join_token_refused',
    'config',
    false,
    'The join token is unknown, expired or used already. Make a new one; each admits one workload once.',
  ),
  TULLE_IDENTITY_CSR: row(
    81,
    0,
    7,
    '-',
    'csr_refused',
    'config',
    false,
    'The certificate request asks for more than was attested.',
  ),
  TULLE_IDENTITY_UNAVAILABLE: row(
    82,
    0,
    14,
    '-',
    'identity_unavailable',
    'internal',
    true,
    'No SVID yet, or the CA cannot be reached; the last good identity serves until it expires.',
  ),
});

/** The row of a code. @returns `undefined` for a code that is not Tulle's own. */
export function errorRow(code: string): ErrorRow | undefined {
  return Object.hasOwn(ERROR_TABLE, code) ? ERROR_TABLE[code as ErrorCode] : undefined;
}
