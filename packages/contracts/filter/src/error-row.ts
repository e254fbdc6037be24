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
  | 'DO'
  | 'UDO'
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
  | 'IH'
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
