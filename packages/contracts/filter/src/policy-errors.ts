import { row, type ErrorRow } from './error-row.ts';

/** Codes for what filters, limits, configuration and identity refuse. */
export type PolicyErrorCode =
  | 'TULLE_FILTER_FAILED'
  | 'TULLE_AUTHZ_DENIED'
  | 'TULLE_JWT_MISSING'
  | 'TULLE_JWT_INVALID'
  | 'TULLE_JWT_KEYS_UNAVAILABLE'
  | 'TULLE_EXT_AUTHZ_DENIED'
  | 'TULLE_EXT_AUTHZ_ERROR'
  | 'TULLE_EXT_PROC_ERROR'
  | 'TULLE_WASM_ERROR'
  | 'TULLE_RATE_LIMITED'
  | 'TULLE_FAULT_ABORT'
  | 'TULLE_HEADER_INVALID'
  | 'TULLE_LOCAL_REPLY'
  | 'TULLE_DRAINING'
  | 'TULLE_OVERLOADED'
  | 'TULLE_CONCURRENCY_LIMITED'
  | 'TULLE_ADMISSION_DENIED'
  | 'TULLE_INTERNAL'
  | 'TULLE_CONFIG_INVALID'
  | 'TULLE_CONFIG_UNSUPPORTED'
  | 'TULLE_CONFIG_REFERENCE'
  | 'TULLE_FILTER_UNKNOWN'
  | 'TULLE_STATE_UNSAVED'
  | 'TULLE_IDENTITY_TOKEN';

/** Rows for what filters, limits, configuration and identity refuse. */
export const POLICY_ERRORS: Readonly<Record<PolicyErrorCode, ErrorRow>> = {
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
  TULLE_JWT_MISSING: row(
    56,
    401,
    16,
    '-',
    'jwt_authn_access_denied{Jwt_is_missing}',
    'filter',
    false,
    'The route requires a token and the request has none where the providers look for it (default: Authorization: Bearer).',
  ),
  TULLE_JWT_INVALID: row(
    57,
    401,
    16,
    '-',
    'jwt_authn_access_denied{Jwt_verification_fails}',
    'filter',
    false,
    'The token was refused; the details and the metric tulle_filter_jwt_refused_total say why (expired, audience, unknown key, …).',
  ),
  TULLE_JWT_KEYS_UNAVAILABLE: row(
    58,
    503,
    14,
    '-',
    'jwt_authn_access_denied{Jwks_remote_fetch_is_failed}',
    'filter',
    false,
    "The issuer's keys could not be fetched yet, so no token of it can be judged. The log names the URL and the reason.",
  ),
  TULLE_EXT_AUTHZ_DENIED: row(
    59,
    403,
    7,
    'UAEX',
    'ext_authz_denied',
    'filter',
    false,
    'The external authorization service refused the request. Its own log says why.',
  ),
  TULLE_EXT_AUTHZ_ERROR: row(
    63,
    403,
    7,
    'UAEX',
    'ext_authz_error',
    'filter',
    false,
    'The external authorization service gave no answer that can be used, so the request was refused. The details and the metric tulle_filter_ext_authz_checks_total say what went wrong.',
  ),
  TULLE_EXT_PROC_ERROR: row(
    67,
    500,
    13,
    '-',
    'ext_proc_error',
    'filter',
    false,
    'The external processor failed, or gave no answer that can be used, so the stream was ended. The details and the metric tulle_filter_ext_proc_calls_total say what went wrong.',
  ),
  TULLE_WASM_ERROR: row(
    68,
    503,
    14,
    '-',
    'wasm_fail_stream',
    'filter',
    false,
    'A WebAssembly module has ended, or ended the stream itself: the details say which. The log line of the filter says why it has ended.',
  ),
  // Limits and life cycle
  TULLE_CONCURRENCY_LIMITED: row(
    65,
    503,
    14,
    '-',
    'reached_concurrency_limit',
    'filter',
    false,
    'More requests are under way than the adaptive limit allows: the service answers slower than it can. See tulle_filter_adaptive_concurrency_limit.',
  ),
  TULLE_ADMISSION_DENIED: row(
    66,
    503,
    14,
    '-',
    'denied_by_admission_control',
    'filter',
    false,
    'Too many of the last requests failed, so a share is not sent on. Look at what the service answers to the others.',
  ),
  TULLE_OVERLOADED: row(
    64,
    503,
    14,
    'OM',
    'overload',
    'internal',
    false,
    'This proxy sheds load before it runs out of something; the details name the resource. See /overload, and give it more or send it less.',
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
  TULLE_STATE_UNSAVED: row(
    74,
    503,
    14,
    '-',
    'state_unsaved',
    'internal',
    false,
    'The control plane cannot write its state, e.g. to a full disk. Nothing was applied; the mesh runs on.',
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
};
