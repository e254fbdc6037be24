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

/** Makes a frozen row; the arguments in the order in which people compare rows. */
export const row = (
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
